package main

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// terminated is what a kubelet does first.
var terminated = stopped{syscall.SIGTERM}

func TestADrainTellsProbesAndClientsAtOnce(t *testing.T) {
	r := start(t, mocked+"drain: {notice: 2s, calls: 5s}")
	if got := r.chat("any", ""); got.Close {
		t.Error("the connection is closed before the drain")
	}
	r.stop(terminated)
	eventually(t, "/readyz is 503", func() bool { return r.get(r.probe, "/readyz").StatusCode == http.StatusServiceUnavailable })
	if got := r.get(r.probe, "/readyz"); got.body != "unready: draining\n" {
		t.Errorf("/readyz says %s", got.body)
	}
	if got := r.get(r.probe, "/healthz"); got.StatusCode != http.StatusOK {
		t.Errorf("/healthz says %s", got.Status)
	}
	// The first of these comes on a connection that was idle, the second on a new one.
	for range 2 {
		if got := r.chat("any", ""); got.StatusCode != http.StatusOK || !got.Close {
			t.Errorf("during the notice: %s, Connection: close is %t", got.Status, got.Close)
		}
	}
	hangUp(t) // which does not end it early
	if err := r.end(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// A client whose answer began before the drain has not been asked to close its
// connection. It may use it once more, also when no new one is accepted.
func TestAConnectionIsServedOnceMoreAfterAStreamThatOutlastsTheNotice(t *testing.T) {
	began, end := make(chan struct{}, 1), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/slow" {
			_, _ = io.WriteString(w, "almost ")
			w.(http.Flusher).Flush()
			began <- struct{}{}
			<-end
		}
		_, _ = io.WriteString(w, "done")
	}))
	defer slow.Close()
	r := start(t, "llm: off\nupstreams: {a: {url: \""+slow.URL+"\"}}\nroutes: [{name: a, prefix: /, targets: [{upstream: a}]}]\ndrain: {notice: 1s}")
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.data)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	replies := bufio.NewReader(conn)
	ask := func(path string) *http.Response {
		_, _ = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
		response, err := http.ReadResponse(replies, nil)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return response
	}
	stream := ask("/slow")
	<-began
	r.stop(terminated)
	eventually(t, "no connection is accepted", func() bool {
		late, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.data)
		if err == nil {
			_ = late.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	close(end)
	if body, err := io.ReadAll(stream.Body); string(body) != "almost done" || err != nil || stream.Close {
		t.Errorf("the stream ended with %q %v, Connection: close is %t", body, err, stream.Close)
	}
	next := ask("/next")
	if body, err := io.ReadAll(next.Body); string(body) != "done" || err != nil || !next.Close {
		t.Errorf("the next answer is %q %v, Connection: close is %t", body, err, next.Close)
	}
	if err := r.end(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestAStreamThatOutlastsTheDrainIsToldSo(t *testing.T) {
	r := start(t, mocked+"drain: {notice: 0s, calls: 50ms}")
	stream, err := r.http.Do(r.ask("mock-slow", `,"stream":true`))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	r.stop(terminated)
	body, err := io.ReadAll(stream.Body)
	const want = `data: {"error":{"message":"the gateway is shutting down","type":"server_error","param":null,"code":"draining"`
	if _, event := last(string(body)); err != nil || len(event) < len(want) || event[:len(want)] != want {
		t.Errorf("the stream ended with %v and %s", err, event)
	}
	if err := r.end(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	line := r.log.await("message", "call")
	if line["outcome"] != "error" {
		t.Errorf("the call was logged as %v", line)
	}
}

// last splits a stream's last event off.
func last(events string) (before, event string) {
	end := len(events) - len("\n\n")
	for i := end - 1; i > 0; i-- {
		if events[i-1:i+1] == "\n\n" {
			return events[:i+1], events[i+1 : end]
		}
	}
	return "", events
}

func TestTheLastSpansAreSentBeforeTheEnd(t *testing.T) {
	var spans atomic.Int64
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/v1/traces" {
			spans.Add(int64(spansOf(q)))
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000") // nothing but the end makes it send
	r := start(t, "")
	for range 5 {
		r.chat("any", "")
	}
	if n := spans.Load(); n != 0 {
		t.Errorf("%d spans were sent already", n)
	}
	r.stop(stopped{syscall.SIGINT})
	if err := r.end(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if n := spans.Load(); n != 2*5 {
		t.Errorf("the collector got %d spans of 5 chats", n)
	}
}

// spansOf counts the spans of an export. TracesData and the request of an export
// are the same on the wire.
func spansOf(q *http.Request) (n int) {
	var body io.Reader = q.Body
	if q.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return 0
		}
		body = unzipped
	}
	var data tracepb.TracesData
	text, err := io.ReadAll(body)
	if err != nil || proto.Unmarshal(text, &data) != nil {
		return 0
	}
	for _, resource := range data.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			n += len(scope.GetSpans())
		}
	}
	return n
}

func TestADeadCollectorDelaysTheEndNoLongerThanTheFlush(t *testing.T) {
	hung, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Close() // it accepts, by way of the kernel, and never answers
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+hung.Addr().String())
	r := start(t, mocked+"drain: {flush: 300ms}")
	r.chat("any", "")
	began := time.Now()
	r.stop(stopped{syscall.SIGINT})
	if err := r.end(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	r.log.await("message", "some telemetry was not delivered", "level", "warn")
}
