//go:build prove

package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// sink is a collector that counts spans.
func sink(t *testing.T) (url string, spans *atomic.Int64) {
	t.Helper()
	spans = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/v1/traces" {
			spans.Add(int64(spansOf(q)))
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(s.Close)
	return s.URL, spans
}

// TestProveDrain: SIGTERM under 500 short calls a second, 60 streams, and idle
// connections that are used afterwards.
func TestProveDrain(t *testing.T) {
	const rate, streams, idlers = 500, 60, 100
	notice, longest := length(5*time.Second, 3*time.Second), length(60*time.Second, 12*time.Second)
	upstream := newModel(t)
	url, spans := sink(t)
	p := spawn(t, fmt.Sprintf("upstreams: {m: {url: %q, dialect: openai, default: true}}\ndrain: {notice: %s, calls: 70s, flush: 5s}\n", upstream.url, notice),
		"OTEL_EXPORTER_OTLP_ENDPOINT="+url)

	var short, streamed, idle tally
	var others sync.WaitGroup
	// Each stream's client uses its connection once more, unless the answer said
	// that it will be closed. One in three streams ends before the notice does.
	for i := range streams {
		others.Go(func() {
			l, err := dial(p.data)
			if err != nil {
				streamed.count(0, err)
				return
			}
			defer l.Close()
			long := longest * time.Duration(i+1) / streams
			_, closing, err := l.ask(streamedChat(long))
			streamed.count(0, err)
			if err == nil && !closing {
				_, _, err = l.ask(shortChat())
				idle.count(0, err)
			}
		})
	}
	links := make([]*link, 0, idlers)
	for range idlers {
		l, err := dial(p.data)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, _, err = l.ask(shortChat())
		idle.count(0, err)
		links = append(links, l)
	}
	pool := &client{address: p.data}
	balanced := make(chan struct{}) // the load balancer sends no more
	others.Go(func() {
		short.drive(rate, balanced, func(int) error { return pool.call(shortChat(), `"chat.completion"`) })
	})
	time.Sleep(2 * time.Second)

	terminated := time.Now()
	p.terminate()
	// Half of the idle connections are used during the notice, half after it, up to
	// when the last stream is about to end.
	for i, l := range links {
		at := jitter(0, notice)
		if i%2 == 0 {
			at = jitter(notice, longest-2500*time.Millisecond)
		}
		others.Go(func() {
			time.Sleep(time.Until(terminated.Add(at)))
			_, _, err := l.ask(shortChat())
			idle.count(0, err)
		})
	}
	for p.probed("/readyz") != http.StatusServiceUnavailable && time.Since(terminated) < time.Second {
	}
	unready := time.Since(terminated)
	time.AfterFunc(notice-time.Second-unready, func() { close(balanced) }) // a balancer that is slow to see it
	sick, asked := 0, 0
	var healthy time.Time
	for {
		status := p.probed("/healthz")
		if status == 0 {
			break
		}
		asked++
		if status == http.StatusOK {
			healthy = time.Now()
		} else {
			sick++
		}
		time.Sleep(20 * time.Millisecond)
	}
	how, _ := p.exit(patience)
	ended := time.Now()
	others.Wait()
	pool.close()

	lost := short.failed() + streamed.failed() + idle.failed()
	calls := short.calls + streamed.calls + idle.calls
	provef(t, lost == 0 && streamed.calls == streams, "SIGTERM loses no call",
		"%d of %d short at %d/s, %d of %d streams up to %s, %d of %d on connections idle until then; the end came after %s%s%s%s",
		short.failed(), short.calls, rate, streamed.failed(), streamed.calls, longest, idle.failed(), idle.calls,
		ended.Sub(terminated).Round(100*time.Millisecond), short.why(), streamed.why(), idle.why())
	provef(t, unready < 100*time.Millisecond, "/readyz is 503 within 100 ms of SIGTERM", "%s", unready.Round(10*time.Microsecond))
	provef(t, sick == 0 && asked > 10 && ended.Sub(healthy) < 200*time.Millisecond, "/healthz is 200 until the end",
		"%d of %d not 200, the last 200 %s before the end", sick, asked, ended.Sub(healthy).Round(time.Millisecond))
	provef(t, how == "exit status 0", "the exit code is 0", "%s", how)
	provef(t, int(spans.Load()) == 2*(calls-lost), "all spans are flushed", "%d spans of %d calls", spans.Load(), calls)
}

// TestProveSecondSignal: a second SIGTERM ends it at once.
func TestProveSecondSignal(t *testing.T) {
	p := spawn(t, mocked)
	l, err := dial(p.data)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, _ = io.WriteString(l, question("/v1/chat/completions", `{"model":"mock-slow","stream":true,"messages":[]}`, ""))
	if _, err := http.ReadResponse(l.replies, nil); err != nil {
		t.Fatal(err)
	}
	p.terminate()
	p.log.await("message", "draining")
	p.terminate()
	how, took := p.exit(patience)
	state, _ := p.command.ProcessState.Sys().(syscall.WaitStatus)
	provef(t, took < 200*time.Millisecond && state.Signaled(), "a second SIGTERM ends it at once", "%s after %s", how, took.Round(time.Millisecond))
}

// TestProveKill: after kill -9 it starts again, on the sockets that were left.
func TestProveKill(t *testing.T) {
	folder := t.TempDir()
	data := "unix://" + folder + "/data.sock"
	path := configFile(t, "listen: {control: \"unix://"+folder+"/control.sock\"}"+mocked)
	p := spawnOn(t, path, data)
	_ = p.command.Process.Kill()
	<-p.ended
	again := spawnOn(t, path, data)
	l, err := dial(data)
	if err == nil {
		_, _, err = l.ask(shortChat())
		_ = l.Close()
	}
	provef(t, err == nil && again.ready < time.Second, "after kill -9 it is ready again within 1 s", "%s, error %v", again.ready.Round(time.Millisecond), err)
}
