//go:build prove

package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// link is a client's connection. It sends a request when it is told to and never
// a second time, so that a lost one is seen.
type link struct {
	net.Conn
	replies *bufio.Reader
}

func dial(address string) (*link, error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		network, address = "unix", path
	}
	conn, err := net.DialTimeout(network, address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &link{conn, bufio.NewReader(conn)}, nil
}

// question is the text of a request.
func question(path, body, header string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: prove\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", path, header, len(body), body)
}

// ask sends a request and reads the whole answer. closing is what the answer
// says of the connection.
func (l *link) ask(text string) (answer string, closing bool, err error) {
	_ = l.SetDeadline(time.Now().Add(2 * time.Minute))
	if _, err := io.WriteString(l, text); err != nil {
		return "", true, fmt.Errorf("send: %w", err)
	}
	response, err := http.ReadResponse(l.replies, nil)
	if err != nil {
		return "", true, fmt.Errorf("no answer: %w", err)
	}
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return "", true, fmt.Errorf("the answer broke off: %w", err)
	case response.StatusCode != http.StatusOK:
		return "", response.Close, fmt.Errorf("%s: %.150s", response.Status, body)
	}
	return string(body), response.Close, nil
}

// client keeps connections to one address, as a connection pool does.
type client struct {
	address string
	mu      sync.Mutex
	idle    []*link
}

// call sends one request and checks that the answer has this in it.
func (c *client) call(text, want string) error {
	c.mu.Lock()
	var l *link
	if n := len(c.idle); n > 0 {
		l, c.idle = c.idle[n-1], c.idle[:n-1]
	}
	c.mu.Unlock()
	if l == nil {
		var err error
		if l, err = dial(c.address); err != nil {
			return err
		}
	}
	answer, closing, err := l.ask(text)
	if err == nil && !strings.Contains(answer, want) {
		err = fmt.Errorf("the answer has no %s", want)
	}
	if closing || err != nil {
		_ = l.Close()
		return err
	}
	c.mu.Lock()
	c.idle = append(c.idle, l)
	c.mu.Unlock()
	return nil
}

func (c *client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.idle {
		_ = l.Close()
	}
	c.idle = nil
}

// tally counts calls and how they failed.
type tally struct {
	mu       sync.Mutex
	calls    int
	failures map[string]int
	took     []time.Duration
}

func (t *tally) count(took time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls++
	if err != nil {
		if t.failures == nil {
			t.failures = map[string]int{}
		}
		text := err.Error()
		if i := strings.Index(text, "->"); i > 0 { // the ports of a connection are of no interest
			text = text[i:]
		}
		t.failures[text]++
		return
	}
	t.took = append(t.took, took)
}

func (t *tally) failed() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, count := range t.failures {
		n += count
	}
	return n
}

func (t *tally) why() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []string
	for _, text := range slices.Sorted(maps.Keys(t.failures)) {
		list = append(list, fmt.Sprintf("%d × %s", t.failures[text], text))
	}
	if len(list) == 0 {
		return ""
	}
	return " [" + strings.Join(list[:min(5, len(list))], "; ") + "]"
}

func (t *tally) quantile(q float64) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.took) == 0 {
		return 0
	}
	slices.Sort(t.took)
	return t.took[min(int(float64(len(t.took))*q), len(t.took)-1)].Round(10 * time.Microsecond)
}

// drive makes calls at a steady rate, in an open loop, until stop is closed, and
// waits for the last of them. Each is timed from when it was due.
func (t *tally) drive(rate int, stop <-chan struct{}, call func(i int) error) {
	var calls sync.WaitGroup
	defer calls.Wait()
	began := time.Now()
	for i := 0; ; i++ {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(rate))
		select {
		case <-stop:
			return
		case <-time.After(time.Until(due)):
		}
		calls.Go(func() {
			err := call(i)
			t.count(time.Since(due), err)
		})
	}
}

// after closes a channel after a time.
func after(d time.Duration) <-chan struct{} {
	stop := make(chan struct{})
	time.AfterFunc(d, func() { close(stop) })
	return stop
}

const (
	askShort = `{"model":"any","messages":[{"role":"user","content":"Hi"}]}`
	askPart  = `{"model":"any","stream":true,"messages":[{"role":"user","content":"%s"}]}`
)

func shortChat() string { return question("/v1/chat/completions", askShort, "") }

// streamedChat asks for a stream that goes on for about so long. The model says
// a word of "length=…" itself; the built-in mock says a word every 10 ms.
func streamedChat(long time.Duration) string {
	return question("/v1/chat/completions", fmt.Sprintf(askPart, "length="+long.String()), "")
}

// model is an upstream that answers chats. It counts its open connections.
type model struct {
	*http.Server
	url  string
	open atomic.Int64
}

const (
	wholeAnswer = `{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`
	oneEvent    = `data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}` + "\n\n"
)

func newModel(t *testing.T) *model {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &model{url: "http://" + ln.Addr().String()}
	m.Server = &http.Server{Handler: http.HandlerFunc(answerChat), ConnState: func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			m.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			m.open.Add(-1)
		}
	}}
	go m.Serve(ln)
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func answerChat(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if !strings.Contains(string(body), `"stream":true`) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, wholeAnswer)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	_, text, _ := strings.Cut(string(body), "length=")
	text, _, _ = strings.Cut(text, `"`)
	long, _ := time.ParseDuration(text)
	step := max(long/20, 20*time.Millisecond)
	for left := long; left > 0; left -= step {
		_, _ = io.WriteString(w, oneEvent)
		w.(http.Flusher).Flush()
		time.Sleep(min(step, left))
	}
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}

// jitter is a time between the two.
func jitter(from, to time.Duration) time.Duration { return from + rand.N(to-from) }
