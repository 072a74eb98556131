package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long a condition may take to come true.
const patience = 10 * time.Second

// running is the whole program, started in this process.
type running struct {
	t     *testing.T
	log   *lines
	data  string // address of the data listener
	probe string
	stop  context.CancelCauseFunc
	ended chan error
	http  *http.Client
}

// start runs the daemon, and ends it with the test, as a person at a terminal
// would. Without a configuration it runs on the built-in one.
func start(t *testing.T, yaml string, args ...string) *running {
	t.Helper()
	if yaml != "" {
		args = append(args, "--config", configFile(t, yaml))
	}
	r := launch(t, append(args, "--data", "127.0.0.1:0")...)
	r.probe = r.log.await("message", "listening", "listener", "probe")["address"].(string)
	r.data = r.log.await("message", "listening", "listener", "data")["address"].(string)
	return r
}

func launch(t *testing.T, args ...string) *running {
	t.Helper()
	ignore := goleak.IgnoreCurrent()
	ctx, stop := context.WithCancelCause(context.Background())
	r := &running{
		t: t, log: newLines(t), stop: stop, ended: make(chan error, 1),
		http: &http.Client{Transport: &http.Transport{}, Timeout: patience},
	}
	go func() {
		err := run(ctx, append([]string{"run", "--probe", "127.0.0.1:0"}, args...), os.Getenv, r.log, io.Discard)
		r.log.end(err)
		r.ended <- err
	}()
	t.Cleanup(func() {
		stop(stopped{os.Interrupt})
		r.end()
		r.http.CloseIdleConnections()
		goleak.VerifyNone(t, ignore)
	})
	return r
}

// end waits for the program to end, and returns what it ended with.
func (r *running) end() error {
	r.t.Helper()
	select {
	case err := <-r.ended:
		r.ended <- err
		return err
	case <-time.After(2 * patience):
		r.t.Fatalf("the daemon does not end; it logged\n%s", r.log)
		return nil
	}
}

func configFile(t *testing.T, yaml string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spanway.yaml")
	write(t, path, yaml)
	return path
}

// write replaces a file in one step, as editors do.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// answer is a response that has been read.
type answer struct {
	*http.Response
	body string
}

// chat asks the model something.
func (r *running) chat(model, extra string) answer {
	r.t.Helper()
	return r.do(r.ask(model, extra))
}

func (r *running) ask(model, extra string) *http.Request {
	r.t.Helper()
	body := fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"Hi"}]%s}`, model, extra)
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, "http://"+r.data+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	return request
}

func (r *running) get(address, path string) answer {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://"+address+path, http.NoBody)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.do(request)
}

func (r *running) do(request *http.Request) answer {
	r.t.Helper()
	response, err := r.http.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{response, string(body)}
}

// hangUp sends this process, and so the daemon in it, a SIGHUP.
func hangUp(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for late := time.After(patience); !holds(); {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("after %v it is still not so that %s", patience, what)
		}
	}
}

// unixClient speaks HTTP over a unix socket.
func unixClient(path string) *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
}

// tell asks the control listener on a unix socket.
func tell(t *testing.T, socket, method, path, body string) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://control"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := unixClient(socket).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// lines collects a log of JSON lines.
type lines struct {
	t     *testing.T
	mu    sync.Mutex
	text  bytes.Buffer
	grown chan struct{} // closed when text has grown
	over  chan struct{} // closed when no more lines come
	seen  int           // bytes that await has gone past
}

func newLines(t *testing.T) *lines {
	return &lines{t: t, grown: make(chan struct{}), over: make(chan struct{})}
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.grown)
	l.grown = make(chan struct{})
	return l.text.Write(p)
}

func (l *lines) end(err error) {
	_, _ = fmt.Fprintln(l, "ended:", err)
	close(l.over)
}

// String returns the whole log.
func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// await returns the next line with these fields and goes past it.
func (l *lines) await(fields ...string) map[string]any {
	l.t.Helper()
	over, late := l.over, time.After(patience)
	for {
		l.mu.Lock()
		line, grown := l.next(fields), l.grown
		l.mu.Unlock()
		if line != nil {
			return line
		}
		select {
		case <-grown:
		case <-over:
			over, late = nil, time.After(0) // once more, then no more
		case <-late:
			l.t.Fatalf("no line with %q was logged, but\n%s", fields, l)
		}
	}
}

func (l *lines) next(fields []string) map[string]any {
	at := l.seen
	for line := range bytes.Lines(l.text.Bytes()[l.seen:]) {
		at += len(line)
		var got map[string]any
		if json.Unmarshal(line, &got) == nil && has(got, fields) {
			l.seen = at
			return got
		}
	}
	return nil
}

func has(line map[string]any, fields []string) bool {
	for i := 0; i < len(fields); i += 2 {
		if line[fields[i]] != fields[i+1] {
			return false
		}
	}
	return true
}
