package upstream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/spanway/spanway/internal/gateway"
)

// server is an upstream in memory. Each of its connections plays a script.
type server struct {
	mu       sync.Mutex
	dials    int
	requests []string // the heads as they came, their fields sorted
	play     func(s *server, c net.Conn)
}

func (s *server) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	s.mu.Lock()
	s.dials++
	s.mu.Unlock()
	go func() {
		defer far.Close()
		s.play(s, far)
	}()
	return near, nil
}

// read reads a request, its body included, and returns nil at the end of the
// connection.
func (s *server) read(r *bufio.Reader) *http.Request {
	var lines []string
	var raw strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil
		}
		raw.WriteString(line)
		if line == "\r\n" {
			break
		}
		lines = append(lines, strings.TrimSuffix(line, "\r\n"))
	}
	slices.Sort(lines[1:])
	s.mu.Lock()
	s.requests = append(s.requests, strings.Join(lines, "\n"))
	s.mu.Unlock()
	req, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(raw.String()), r)))
	if err != nil {
		return nil
	}
	return req
}

// says answers every request with these bytes; then comes the next request.
func says(text string) func(*server, net.Conn) {
	return func(s *server, c net.Conn) {
		r := bufio.NewReader(c)
		for req := s.read(r); req != nil; req = s.read(r) {
			_, _ = io.Copy(io.Discard, req.Body)
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

// saysAndCloses answers one request, and closes.
func saysAndCloses(text string) func(*server, net.Conn) {
	return func(s *server, c net.Conn) {
		if s.read(bufio.NewReader(c)) != nil {
			_, _ = io.WriteString(c, text)
		}
	}
}

// open returns an upstream that speaks to the server in memory.
func open(t *testing.T, s *server, settings Settings) *Upstream {
	t.Helper()
	if settings.URL == "" && settings.Endpoints == nil {
		settings.URL = "http://orders:8080"
	}
	u, err := New("orders", settings, Options{Dial: s.dial})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func newCall(method string) *gateway.Call {
	call := gateway.NewCall(method, "/v1/x", nil)
	return call.To(&gateway.Target{Upstream: "orders"})
}

func codeOf(err error) gateway.Code {
	if err == nil {
		return ""
	}
	return gateway.AsError(err).Code
}

func count(u *Upstream) (open, idle int) {
	for _, stat := range u.pools.Stats() {
		open, idle = open+stat.Open, idle+stat.Idle
	}
	return open, idle
}

// oneRead gives its text in one read, and then an error.
type oneRead struct {
	text string
	err  error
}

func (r *oneRead) Read(p []byte) (int, error) {
	if r.text == "" {
		return 0, r.err
	}
	n := copy(p, r.text)
	r.text = r.text[n:]
	return n, nil
}

var errClient = errors.New("a bad chunk came from the client")
