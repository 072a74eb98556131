package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// bare is an environment with nothing in it.
func bare(string) string { return "" }

// verb runs a verb that ends by itself.
func verb(t *testing.T, getenv func(string) string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, complaints bytes.Buffer
	err = run(t.Context(), args, getenv, &out, &complaints)
	return out.String(), complaints.String(), err
}

const mocked = `
upstreams: {mock: {url: "mock:", dialect: openai, default: true}}
`

func TestItRunsOnNothing(t *testing.T) {
	r := start(t, "")
	got := r.chat("any", "")
	if got.StatusCode != http.StatusOK || got.Header.Get("X-Spanway-Mock") != "true" || !strings.Contains(got.body, "Hello from Spanway") {
		t.Errorf("got %s %v %s", got.Status, got.Header, got.body)
	}
	if try := r.log.await("message", "no file and no provider's key were given")["try"].(string); !strings.Contains(try, "http://"+r.data+"/v1/chat/completions") {
		t.Errorf("the newcomer is told to try %s", try)
	}
	if got := r.get(r.probe, "/readyz"); got.body != "ready\n" {
		t.Errorf("/readyz says %s", got.body)
	}
}

func TestAFileSaysWhatRuns(t *testing.T) {
	r := start(t, mocked+"models: {small: {targets: [{upstream: mock, model: tiny}]}}\nllm: {passthrough: false}\n")
	if got := r.chat("small", ""); got.StatusCode != http.StatusOK || !strings.Contains(got.body, `"model":"tiny"`) {
		t.Errorf("got %s %s", got.Status, got.body)
	}
	if got := r.chat("other", ""); got.StatusCode != http.StatusNotFound {
		t.Errorf("a model that the file does not name: %s", got.Status)
	}
}

func TestABrokenFileEndsTheStartWithAllThatIsWrong(t *testing.T) {
	path := configFile(t, "limits: {heads: 1KiB}\nroutes:\n  - {name: a, path: /a, targets: [{upstream: opnai}]}\n"+
		"upstreams: {openai: {url: \"http://127.0.0.1:1\", keys: [\"${NOT_SET}\"]}}\n")
	for _, args := range [][]string{{"validate", path}, {"run", "--config", path, "--data", "127.0.0.1:0", "--probe", "127.0.0.1:0"}} {
		_, stderr, err := verb(t, bare, args...)
		if err == nil {
			t.Fatalf("%s: no error", args[0])
		}
		text := stderr + err.Error()
		for _, want := range []string{
			`spanway.yaml:1:10: limits.heads: `, `did you mean "head"?`,
			`spanway.yaml:3:46: routes[0].targets[0].upstream: there is no upstream "opnai" (did you mean "openai"?)`,
			`spanway.yaml:4:56: upstreams.openai.keys[0]: the variable NOT_SET is not set, or empty`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q, but\n%s", args[0], want, text)
			}
		}
	}
}

func TestOthersOnTheNetworkNeedKeys(t *testing.T) {
	_, _, err := verb(t, bare, "run", "--config", configFile(t, mocked), "--data", "0.0.0.0:0", "--probe", "127.0.0.1:0")
	if err == nil || !strings.Contains(err.Error(), "auth: off") {
		t.Errorf("a listener that the network can reach, and no keys: %v", err)
	}
}

func TestAPortInUseIsNamed(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	for _, args := range [][]string{{"--data", address, "--probe", "127.0.0.1:0"}, {"--data", "127.0.0.1:0", "--probe", address}} {
		_, _, err := verb(t, bare, append([]string{"run"}, args...)...)
		if err == nil || !strings.Contains(err.Error(), "listen on "+address) || !strings.Contains(err.Error(), "in use") {
			t.Errorf("%v: got %v", args, err)
		}
	}
}

func TestCallsComeOverAUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.sock")
	// A process that was killed has left its socket.
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()

	r := launch(t, "--data", "unix://"+path)
	r.log.await("message", "listening", "listener", "data")
	r.data = "spanway"
	r.http = unixClient(path)
	if got := r.chat("any", ""); got.StatusCode != http.StatusOK {
		t.Errorf("got %s %s", got.Status, got.body)
	}
	_, _, err = verb(t, bare, "run", "--data", "unix://"+path, "--probe", "127.0.0.1:0")
	if err == nil || !strings.Contains(err.Error(), "another process answers there") {
		t.Errorf("a second daemon on the same socket: %v", err)
	}
	r.stop(stopped{os.Interrupt})
	if err := r.end(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket was left behind: %v", err)
	}
}

func TestAnEventStreamOfAServiceBeginsBeforeItsFirstEvent(t *testing.T) {
	event := make(chan string)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, <-event)
	}))
	defer service.Close()
	r := start(t, "llm: off\nupstreams: {a: {url: \""+service.URL+"\"}}\nroutes: [{name: a, prefix: /, targets: [{upstream: a}]}]\n")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.data+"/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := r.http.Do(request)
	event <- "data: 1\n\n"
	if err != nil {
		t.Fatalf("the head did not come before the first event: %v", err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); string(body) != "data: 1\n\n" || err != nil {
		t.Errorf("got %q %v", body, err)
	}
}

func TestTheEnvironmentsProxyIsAsked(t *testing.T) {
	asked := make(chan string, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		asked <- q.RequestURI
		_, _ = io.WriteString(w, "{}")
	}))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	r := start(t, `upstreams: {a: {url: "http://models.example/v1", dialect: openai, default: true}}`)
	r.chat("any", "")
	if got := <-asked; got != "http://models.example/v1/chat/completions" {
		t.Errorf("the proxy was asked for %s", got)
	}
}

// Half is what the collector can work with: what calls hold is not garbage.
func TestBodiesTakeHalfOfTheMemoryLimitAtMost(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(64 << 20))
	r := start(t, mocked+"limits: {body: 40MiB}")
	for mib, want := range map[int]int{31: http.StatusContinue, 33: http.StatusServiceUnavailable} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.data)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", mib<<20)
		got, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || got.StatusCode != want {
			t.Errorf("a body of %d MiB: got %v %v, want %d", mib, got, err, want)
		}
	}
}

func TestVerbs(t *testing.T) {
	file := configFile(t, mocked)
	for _, tt := range []struct {
		args   []string
		stdout string // or a part of it
	}{
		{[]string{"version"}, "spanway dev\n"},
		{[]string{"validate", file}, file + " is valid\n"},
		{[]string{"validate"}, "the built-in configuration is valid\n"},
		{[]string{"config", "default"}, `url: "mock:"`},
		{[]string{"config", "effective", file}, "127.0.0.1:8080"},
		{[]string{"--help"}, "Run the daemon."},
	} {
		stdout, stderr, err := verb(t, bare, tt.args...)
		if err != nil || stderr != "" || !strings.Contains(stdout, tt.stdout) {
			t.Errorf("%v: got %v %s %s", tt.args, err, stdout, stderr)
		}
	}
	schema, _, err := verb(t, bare, "config", "schema")
	if err != nil || !json.Valid([]byte(schema)) {
		t.Errorf("config schema: %v %s", err, schema)
	}
	var status exit
	if _, stderr, err := verb(t, bare, "rnu"); !errors.As(err, &status) || status != 2 || !strings.Contains(stderr, "rnu") {
		t.Errorf("a verb that does not exist: %v %s", err, stderr)
	}
	secret := func(name string) string { return map[string]string{"KEY": "sk-canary"}[name] }
	effective, _, err := verb(t, secret, "config", "effective", configFile(t, `upstreams: {a: {url: "http://127.0.0.1:1", dialect: openai, keys: ["${KEY}"]}}`))
	if err != nil || strings.Contains(effective, "canary") {
		t.Errorf("config effective shows secrets: %v %s", err, effective)
	}
}

func TestHealthcheckAsksTheDaemon(t *testing.T) {
	r := start(t, "")
	for _, args := range [][]string{{"--probe", r.probe}, {"--probe", r.probe, "--ready"}} {
		stdout, _, err := verb(t, bare, append([]string{"healthcheck"}, args...)...)
		if err != nil || stdout != "ok\n" && stdout != "ready\n" {
			t.Errorf("%v: got %v %q", args, err, stdout)
		}
	}
	_, port, _ := net.SplitHostPort(r.probe)
	if _, _, err := verb(t, bare, "healthcheck", "--config", configFile(t, "listen: {probe: \":"+port+"\"}")); err != nil {
		t.Errorf("by the file: %v", err)
	}
	sick := httptest.NewServer(http.NotFoundHandler())
	defer sick.Close()
	var status exit
	if _, _, err := verb(t, bare, "healthcheck", "--probe", strings.TrimPrefix(sick.URL, "http://")); !errors.As(err, &status) || status != 1 {
		t.Errorf("a daemon that is not well: %v", err)
	}
}

func TestSmokeFindsItsTrace(t *testing.T) {
	r := start(t, "")
	asked := 0
	jaeger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if asked++; asked == 1 {
			_, _ = io.WriteString(w, `{"data":[]}`) // not there yet
			return
		}
		_, _ = io.WriteString(w, `{"data":[{"spans":[{},{}]}]}`)
	}))
	defer jaeger.Close()
	stdout, _, err := verb(t, bare, "smoke", "--url", "http://"+r.data, "--jaeger", jaeger.URL)
	http.DefaultClient.CloseIdleConnections()
	if err != nil || !strings.Contains(stdout, "Jaeger has it, with 2 spans") {
		t.Errorf("got %v %s", err, stdout)
	}
}

func TestASignalBeforeItIsReadyEndsIt(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped{os.Interrupt})
	err := run(ctx, []string{"run", "--data", "127.0.0.1:0", "--probe", "127.0.0.1:0"}, bare, io.Discard, io.Discard)
	if err != nil {
		t.Errorf("got %v", err)
	}
}
