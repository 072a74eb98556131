package upstream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanway/spanway/internal/gateway"
)

// slow gives its words one by one, with a pause before each but the first.
type slow struct {
	words []string
	pause time.Duration
	begun bool
}

func (s *slow) Read(p []byte) (int, error) {
	if len(s.words) == 0 {
		return 0, io.EOF
	}
	if s.begun {
		time.Sleep(s.pause)
	}
	s.begun = true
	n := copy(p, s.words[0])
	s.words = s.words[1:]
	return n, nil
}

// The wait for the first token is the upstream's alone: neither a client that is
// slow to ask nor a body that is slow to come uses it up.
func TestSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{play: func(s *server, c net.Conn) {
			req := s.read(bufio.NewReader(c))
			_, _ = io.Copy(io.Discard, req.Body)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
			time.Sleep(5 * time.Second)
			_, _ = io.WriteString(c, "hello")
		}}
		u := open(t, s, Settings{})
		defer u.Close()
		call := newCall("POST")
		call.Body = gateway.Body{Reader: &slow{words: []string{"a", "b", "c"}, pause: 5 * time.Second}, Length: 3}
		call.Attempt.Timeouts.FirstToken = 2 * time.Second
		reply, err := u.Handle(t.Context(), call)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(reply.Body); string(body) != "hello" || err != nil {
			t.Errorf("got %q, %v", body, err)
		}
		reply.Close()
	})
}

// A connection whose call was cancelled is not used again, even where its reply
// had come whole.
func TestCancelledTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := open(t, &server{play: says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")}, Settings{})
		defer u.Close()
		ctx, cancel := context.WithCancel(t.Context())
		reply, err := u.Handle(ctx, newCall("GET"))
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		synctest.Wait()
		if body, err := io.ReadAll(reply.Body); string(body) != "hello" || err != nil {
			t.Errorf("got %q, %v", body, err)
		}
		reply.Close()
		if open, _ := count(u); open != 0 {
			t.Errorf("%d connections are open", open)
		}
	})
}

// A wait that is set after the interruption does not undo it.
func TestInterruption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		e, err := newEndpoint("http://orders", Settings{}, new(Options))
		if err != nil {
			t.Fatal(err)
		}
		c := newConn(e, near)
		defer c.close()
		start := time.Now()
		c.interrupt()
		c.within(time.Hour)
		if err := c.fill(); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) > 0 {
			t.Errorf("got %v after %s", err, time.Since(start))
		}
	})
}

// closing is a connection whose peer has answered, and takes no more than a few
// bytes of what is written.
type closing struct {
	canned
	takes int
}

func (c *closing) Write(p []byte) (int, error) {
	n := min(c.takes, len(p))
	c.takes -= n
	if n < len(p) {
		return n, syscall.EPIPE
	}
	return n, nil
}

// An answer counts though the request could not be written whole. Its connection
// is not used again; and what was never sent is said to be so.
func TestBrokenWrite(t *testing.T) {
	const refusal = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig"
	for _, test := range []struct {
		name   string
		body   gateway.Body
		takes  int
		status int
		sent   bool
	}{
		{"a buffered body", gateway.Body{Bytes: kilobyte}, 500, 413, true},
		{"a streamed body", gateway.Body{Reader: io.LimitReader(zeros{}, 1<<20), Length: -1}, 100_000, 413, true},
		{"nothing of it", gateway.Body{Bytes: kilobyte}, 0, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			u, err := New("orders", Settings{URL: "http://orders"}, Options{Dial: func(context.Context, string, string) (net.Conn, error) {
				return &closing{canned{bytes: []byte(refusal)}, test.takes}, nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
			call := newCall("POST")
			call.Body = test.body
			reply, err := u.Handle(t.Context(), call)
			if (err == nil) != (test.status > 0) || call.Attempt.Status != test.status || call.Attempt.Sent != test.sent {
				t.Errorf("got %v; the attempt is %+v", err, call.Attempt)
			}
			if err == nil {
				if body, err := io.ReadAll(reply.Body); string(body) != "big" || err != nil {
					t.Errorf("got %q, %v", body, err)
				}
				reply.Close()
			} else if !strings.Contains(err.Error(), syscall.EPIPE.Error()) {
				t.Errorf("got %v", err)
			}
			if open, _ := count(u); open != 0 {
				t.Errorf("%d connections are open", open)
			}
		})
	}
}
