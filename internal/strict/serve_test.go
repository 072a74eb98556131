package strict_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spanway/spanway/internal/strict"
)

var limits = strict.Limits{Head: 16 << 10, URI: 1 << 10, Headers: 20, HeadTimeout: 10 * time.Second}

// server is net/http's server behind strict, on connections in memory.
type server struct {
	net.Listener
	passed atomic.Int64 // requests that reached the handler and were not refused
}

// start serves until the test ends. It must be called inside a synctest bubble.
func start(t *testing.T, o strict.Options) *server {
	s := &server{Listener: newPipes()}
	srv := &http.Server{
		Handler:                      http.HandlerFunc(s.answer),
		ReadHeaderTimeout:            time.Minute,
		IdleTimeout:                  time.Hour,
		MaxHeaderBytes:               int(limits.Head),
		DisableGeneralOptionsHandler: true,
	}
	served := make(chan error)
	go func() {
		served <- srv.Serve(strict.Listener(s.Listener, func() strict.Limits { return limits }, o))
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	return s
}

// answer echoes a request, or the reason of its refusal.
func (s *server) answer(w http.ResponseWriter, r *http.Request) {
	if refusal, ok := strict.Refused(r); ok {
		w.WriteHeader(refusal.Status)
		_, _ = io.WriteString(w, refusal.Reason)
		return
	}
	s.passed.Add(1)
	if r.Header.Get("Test-Upgrade") != "" {
		s.upgrade(w)
		return
	}
	if r.Header.Get("Test-Early") != "" {
		rc := http.NewResponseController(w)
		if err := errors.Join(rc.EnableFullDuplex(), rc.Flush()); err != nil {
			panic(err)
		}
	}
	body, err := io.ReadAll(r.Body)
	if bad := (*strict.Error)(nil); errors.As(err, &bad) {
		if r.Header.Get("Test-Early") == "" {
			w.WriteHeader(bad.Status)
		}
		_, _ = fmt.Fprintf(w, "%s after %q", bad.Reason, body)
		return
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = fmt.Fprintf(w, "%s %s", r.Method, r.RequestURI)
	if len(body) > 0 {
		_, _ = fmt.Fprintf(w, " %q", body)
	}
	for name, values := range r.Trailer {
		_, _ = fmt.Fprintf(w, " %s=%q", name, values)
	}
}

// upgrade leaves HTTP and echoes bytes.
func (s *server) upgrade(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer func() { _ = c.Close() }()
	c.(*strict.Conn).Upgraded()
	_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
	_, _ = io.Copy(c, c)
}

func (s *server) dial() net.Conn {
	here, there := net.Pipe()
	s.Listener.(*pipes).conns <- there
	return here
}

// say sends the pieces one by one, and returns the answers up to the end of the
// connection, each as its status and body.
func (s *server) say(pieces ...[]byte) []string {
	c := s.dial()
	defer func() { _ = c.Close() }()
	go func() {
		for _, piece := range pieces {
			if _, err := c.Write(piece); err != nil {
				return // closed after a refusal
			}
		}
	}()
	return answers(bufio.NewReader(c))
}

func answers(r *bufio.Reader) (all []string) {
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
				all = append(all, err.Error())
			}
			return all
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return append(all, err.Error())
		}
		all = append(all, fmt.Sprint(resp.StatusCode, " ", string(body)))
	}
}

// pipes is a listener whose connections are ends of net.Pipe.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }
