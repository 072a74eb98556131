package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanway/spanway/internal/gateway"
)

// What upstreams do wrong, what comes of it, and whether the connection is used
// again. Time is not the machine's. A goroutine left behind would fail the bubble.
func TestFaults(t *testing.T) {
	hang := func(text string) func(*server, net.Conn) {
		return func(s *server, c net.Conn) {
			r := bufio.NewReader(c)
			if s.read(r) == nil {
				return
			}
			if text != "" {
				_, _ = io.WriteString(c, text)
			}
			_, _ = r.ReadByte() // until it is closed
		}
	}
	const ok = "HTTP/1.1 200 OK\r\n"
	const interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
	for _, test := range []struct {
		name   string
		method string
		play   func(*server, net.Conn)
		code   gateway.Code // of what Handle returns
		status int
		body   string
		broken gateway.Code // of what the body ends with
		reused bool
	}{
		{name: "a plain answer", play: says(ok + "Content-Length: 5\r\n\r\nhello"), status: 200, body: "hello", reused: true},
		{name: "no body", play: says(ok + "Content-Length: 0\r\n\r\n"), status: 200, reused: true},
		{name: "chunks", play: says(ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n"), status: 200, body: "hello!", reused: true},
		{name: "chunked in capitals", play: says(ok + "transfer-ENCODING: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n"), status: 200, body: "0123456789", reused: true},
		{name: "until it closes", play: saysAndCloses(ok + "\r\nhello"), status: 200, body: "hello"},
		{name: "Connection: close", play: says(ok + "Content-Length: 5\r\nConnection: close\r\n\r\nhello"), status: 200, body: "hello"},
		{name: "HTTP/1.0", play: says("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"), status: 200, body: "hello"},
		{name: "HTTP/1.0 that keeps alive", play: says("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello"), status: 200, body: "hello", reused: true},
		{name: "no reason phrase", play: says("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), status: 200, reused: true},
		{name: "the same length twice", play: says(ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"), status: 200, body: "hello", reused: true},
		{name: "HEAD with a length", method: "HEAD", play: says(ok + "Content-Length: 5\r\n\r\n"), status: 200, reused: true},
		{name: "304 with a length", play: says("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"), status: 304, reused: true},
		{name: "204", play: says("HTTP/1.1 204 No Content\r\n\r\n"), status: 204, reused: true},
		{name: "204 with a body", play: says("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"), status: 204},
		{name: "204 that announces a body", play: says("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), status: 204},
		{name: "204 that announces chunks", play: says("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"), status: 204},
		{name: "204 with a body that it does not announce", play: says("HTTP/1.1 204 No Content\r\n\r\nhello"), status: 204},
		{name: "304 with a body", play: says("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello"), status: 304},
		{name: "HEAD with a body", method: "HEAD", play: says(ok + "Content-Length: 5\r\n\r\nhello"), status: 200},
		{name: "a redirect is passed on", play: says("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"), status: 307, reused: true},
		{name: "503 is an answer", play: says("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"), status: 503, reused: true},
		{name: "one interim answer", play: says(interim + ok + "Content-Length: 0\r\n\r\n"), status: 200, reused: true},
		{name: "five interim answers", play: says(strings.Repeat(interim, 5) + ok + "Content-Length: 0\r\n\r\n"), status: 200, reused: true},
		{name: "six interim answers", play: says(strings.Repeat(interim, 6) + ok + "Content-Length: 0\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "1000 fields", play: says(ok + strings.Repeat("X-A: b\r\n", 1000) + "Content-Length: 0\r\n\r\n"), status: 200, reused: true},

		{name: "it closes without a word", play: saysAndCloses(""), code: gateway.UpstreamFailed},
		{name: "it closes amid the head", play: saysAndCloses(ok + "Content-Le"), code: gateway.UpstreamFailed},
		{name: "garbage", play: hang("SSH-2.0-OpenSSH_9.2"), code: gateway.UpstreamFailed},
		{name: "half a version and silence", play: hang("HTT"), code: gateway.UpstreamTimeout},
		{name: "silence", play: hang(""), code: gateway.UpstreamTimeout},
		{name: "silence amid the head", play: hang(ok), code: gateway.UpstreamTimeout},
		{name: "HTTP/2.0", play: says("HTTP/2.0 200 OK\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "HTTP/1.2", play: says("HTTP/1.2 200 OK\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "no status", play: says("HTTP/1.1 OK\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "a status of four digits", play: says("HTTP/1.1 2000 OK\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "status 99", play: says("HTTP/1.1 099 OK\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "status 999", play: says("HTTP/1.1 999 OK\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "101 unasked", play: says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "bare line feeds", play: hang("HTTP/1.1 200 OK\nContent-Length: 0\n\n"), code: gateway.UpstreamFailed},
		{name: "one bare line feed", play: says(ok + "A: b\nContent-Length: 0\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "a folded line", play: says(ok + "A: b\r\n c\r\nContent-Length: 0\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "NUL", play: says(ok + "A: b\x00c\r\nContent-Length: 0\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "a bare carriage return", play: says(ok + "A: b\rc\r\nContent-Length: 0\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "a space before the colon", play: says(ok + "Content-Length : 0\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "no colon", play: says(ok + "A\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "no name", play: says(ok + ": b\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "two lengths", play: says(ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"), code: gateway.UpstreamFailed},
		{name: "two lengths in one field", play: says(ok + "Content-Length: 5, 5\r\n\r\nhello"), code: gateway.UpstreamFailed},
		{name: "a length with a sign", play: says(ok + "Content-Length: +5\r\n\r\nhello"), code: gateway.UpstreamFailed},
		{name: "a length of twenty digits", play: says(ok + "Content-Length: 00000000000000000005\r\n\r\nhello"), code: gateway.UpstreamFailed},
		{name: "a length and chunks", play: says(ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "chunked twice", play: says(ok + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "chunked in two fields", play: says(ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "gzip as a transfer encoding", play: says(ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "chunks in HTTP/1.0", play: says("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "a head that is too large", play: says(ok + "A: " + strings.Repeat("b", 64<<10) + "\r\n\r\n"), code: gateway.UpstreamFailed},
		{name: "a head of many fields that is too large", play: says(ok + strings.Repeat("A: 0123456789\r\n", 5000) + "\r\n"), code: gateway.UpstreamFailed},

		{name: "a length that is too short", play: says(ok + "Content-Length: 5\r\n\r\nhello, world"), status: 200, body: "hello"},
		{name: "a length that is too long", play: saysAndCloses(ok + "Content-Length: 10\r\n\r\nhello"), status: 200, body: "hello", broken: gateway.UpstreamFailed},
		{name: "silence amid the body", play: hang(ok + "Content-Length: 10\r\n\r\nhello"), status: 200, body: "hello", broken: gateway.UpstreamTimeout},
		{name: "silence amid the chunks", play: hang(ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), status: 200, body: "hello", broken: gateway.UpstreamTimeout},
		{name: "silence until it closes", play: hang(ok + "\r\nhello"), status: 200, body: "hello", broken: gateway.UpstreamTimeout},
		{name: "chunks without an end", play: saysAndCloses(ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), status: 200, body: "hello", broken: gateway.UpstreamFailed},
		{name: "a chunk cut off", play: saysAndCloses(ok + "Transfer-Encoding: chunked\r\n\r\n9\r\nhello"), status: 200, body: "hello", broken: gateway.UpstreamFailed},
		{name: "a chunk longer than it says", play: says(ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n"), status: 200, body: "hell", broken: gateway.UpstreamFailed},
		{name: "a size that is no number", play: says(ok + "Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n"), status: 200, broken: gateway.UpstreamFailed},
		{name: "a size with a space", play: says(ok + "Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n"), status: 200, broken: gateway.UpstreamFailed},
		{name: "a size of sixteen digits", play: says(ok + "Transfer-Encoding: chunked\r\n\r\n0000000000000005\r\nhello\r\n0\r\n\r\n"), status: 200, broken: gateway.UpstreamFailed},
		{name: "no size", play: says(ok + "Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n"), status: 200, broken: gateway.UpstreamFailed},
		{name: "a size that ends in a bare line feed", play: says(ok + "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n"), status: 200, broken: gateway.UpstreamFailed},
		{name: "an extension that goes on and on", play: says(ok + "Transfer-Encoding: chunked\r\n\r\n5;" + strings.Repeat("x", 300) + "\r\nhello\r\n0\r\n\r\n"), status: 200, broken: gateway.UpstreamFailed},
		{name: "bytes behind the chunks", play: says(ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n"), status: 200, body: "hello"},
		{name: "trailers without an end", play: saysAndCloses(ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n"), status: 200, broken: gateway.UpstreamFailed},
		{name: "trailers that are too large", play: says(ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("A: 0123456789\r\n", 2000) + "\r\n"), status: 200, broken: gateway.UpstreamFailed},
		{name: "a folded trailer", play: says(ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n c\r\n\r\n"), status: 200, broken: gateway.UpstreamFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{play: test.play}
				u := open(t, s, Settings{Health: Health{FailAfter: 1, ReviveIn: time.Minute}})
				defer u.Close()
				call := newCall(max("GET", test.method))
				call.Attempt.Timeouts = gateway.Timeouts{FirstToken: 2 * time.Second, Idle: 3 * time.Second}
				reply, err := u.Handle(t.Context(), call)
				if got := codeOf(err); got != test.code {
					t.Fatalf("Handle: %v; want code %q", err, test.code)
				}
				fault := test.code != "" || test.broken != ""
				if err == nil {
					if reply.Status != test.status || call.Attempt.Status != test.status {
						t.Errorf("status %d, attempt's %d; want %d", reply.Status, call.Attempt.Status, test.status)
					}
					body, err := io.ReadAll(reply.Body)
					if got := codeOf(err); string(body) != test.body || got != test.broken {
						t.Errorf("body %q, then %v; want %q, then %q", body, err, test.body, test.broken)
					}
					if (reply.Err != nil) != (test.broken != "") || (reply.Outcome != "") != (test.broken != "") {
						t.Errorf("the reply's outcome is %q, %v", reply.Outcome, reply.Err)
					}
					reply.Close()
				}
				if got := !u.pool.endpoints[0].in(); got != fault {
					t.Errorf("it counts as a fault: %t; want %t", got, fault)
				}
				open, idle := count(u)
				if (idle == 1) != test.reused || open != idle {
					t.Errorf("%d connections are open and %d wait; want it used again: %t", open, idle, test.reused)
				}
				if !test.reused {
					return
				}
				again := newCall("GET")
				reply, err = u.Handle(t.Context(), again)
				if err != nil {
					t.Fatal(err)
				}
				reply.Close()
				if !again.Attempt.Reused || s.dials != 1 {
					t.Errorf("the second call made a connection of its own")
				}
			})
		})
	}
}

// Each wait has its bound and its message, which names no address.
func TestWaits(t *testing.T) {
	silent := func(s *server, c net.Conn) { _, _ = io.Copy(io.Discard, c) }
	drip := func(s *server, c net.Conn) {
		if s.read(bufio.NewReader(c)) == nil {
			return
		}
		for _, b := range []byte("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n") {
			_, _ = c.Write([]byte{b})
		}
		for {
			if _, err := c.Write([]byte("x")); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	}
	deaf := func(*server, net.Conn) { time.Sleep(time.Hour) } // it does not even read
	blackHole := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for _, test := range []struct {
		name    string
		play    func(*server, net.Conn)
		dial    func(context.Context, string, string) (net.Conn, error)
		waits   gateway.Timeouts
		total   time.Duration
		message string
		after   time.Duration
		fault   bool
	}{
		{"connecting", nil, blackHole, gateway.Timeouts{Connect: time.Second}, 0, "orders could not be reached within 1s", time.Second, true},
		{"connecting, by default", nil, blackHole, gateway.Timeouts{}, 0, "orders could not be reached within 10s", 10 * time.Second, true},
		{"connecting, in all", nil, blackHole, gateway.Timeouts{}, time.Second, "orders took longer than the call may take", time.Second, true},
		{"the head", silent, nil, gateway.Timeouts{FirstToken: 2 * time.Second}, 0, "orders did not answer within 2s", 2 * time.Second, true},
		{"the head, where not even the request is read", deaf, nil, gateway.Timeouts{FirstToken: 2 * time.Second}, 0, "orders did not answer within 2s", 2 * time.Second, true},
		{"the head, in all", silent, nil, gateway.Timeouts{FirstToken: 9 * time.Second}, time.Second, "orders took longer than the call may take", time.Second, true},
		{"a drip, in all", drip, nil, gateway.Timeouts{Idle: 2 * time.Second}, 10500 * time.Millisecond, "orders took longer than the call may take", 10500 * time.Millisecond, true},
		{"a drip", drip, nil, gateway.Timeouts{Idle: 500 * time.Millisecond}, 0, "orders sent nothing for 500ms", 500 * time.Millisecond, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{play: test.play}
				if test.dial == nil {
					test.dial = s.dial
				}
				u, err := New("orders", Settings{URL: "http://10.1.2.3:8080", Health: Health{FailAfter: 1, ReviveIn: time.Minute}}, Options{Dial: test.dial})
				if err != nil {
					t.Fatal(err)
				}
				defer u.Close()
				ctx := t.Context()
				if test.total > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.total)
					defer cancel()
				}
				call := newCall("GET")
				call.Attempt.Timeouts = test.waits
				start := time.Now()
				reply, err := u.Handle(ctx, call)
				if err == nil {
					_, err = io.Copy(io.Discard, reply.Body)
					reply.Close()
				}
				if e := gateway.AsError(err); e.Code != gateway.UpstreamTimeout || e.Message != test.message {
					t.Errorf("%s %q; want %q", e.Code, e.Message, test.message)
				}
				if took := time.Since(start); took != test.after {
					t.Errorf("it took %s; want %s", took, test.after)
				}
				if u.pool.endpoints[0].in() == test.fault {
					t.Errorf("it counts as a fault: %t", !test.fault)
				}
				if open, _ := count(u); open != 0 {
					t.Errorf("%d connections are open", open)
				}
				time.Sleep(time.Hour) // until the deaf one is gone
			})
		})
	}
}

// A client that leaves ends the exchange wherever it stands, and no endpoint is
// blamed for it.
func TestClientLeaves(t *testing.T) {
	for name, text := range map[string]string{
		"before the head": "",
		"amid the body":   "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{play: func(s *server, c net.Conn) {
					r := bufio.NewReader(c)
					s.read(r)
					if text != "" {
						_, _ = io.WriteString(c, text)
					}
					_, _ = r.ReadByte()
				}}
				u := open(t, s, Settings{Health: Health{FailAfter: 1, ReviveIn: time.Minute}})
				defer u.Close()
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				call := newCall("GET")
				call.Attempt.Timeouts.Idle = time.Minute
				reply, err := u.Handle(ctx, call)
				if err == nil {
					_, err = io.ReadAll(reply.Body)
					reply.Close()
				}
				if codeOf(err) != gateway.Canceled || !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
				if !u.pool.endpoints[0].in() {
					t.Error("the endpoint was blamed")
				}
				if open, _ := count(u); open != 0 {
					t.Errorf("%d connections are open", open)
				}
			})
		})
	}
}

// A server that accepts and then says nothing of TLS cannot be reached.
func TestHandshakeStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{play: func(_ *server, c net.Conn) { _, _ = io.Copy(io.Discard, c) }}
		u := open(t, s, Settings{URL: "https://orders"})
		defer u.Close()
		call := newCall("GET")
		call.Attempt.Timeouts.Connect = time.Second
		_, err := u.Handle(t.Context(), call)
		if e := gateway.AsError(err); e.Code != gateway.UpstreamTimeout || e.Message != "orders could not be reached within 1s" || call.Attempt.Sent {
			t.Errorf("got %v", err)
		}
	})
}

// Whoever bounds a call may say what its end means; it is no fault of the endpoint.
func TestCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := open(t, &server{play: func(_ *server, c net.Conn) { _, _ = io.Copy(io.Discard, c) }},
			Settings{Health: Health{FailAfter: 1, ReviveIn: time.Minute}})
		defer u.Close()
		want := gateway.Errorf(gateway.UpstreamTimeout, "no answer within 1s in all")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, want)
		defer cancel()
		if _, err := u.Handle(ctx, newCall("GET")); err != error(want) {
			t.Errorf("got %v", err)
		}
		if ok, state := u.State(); !ok {
			t.Errorf("a caller's haste has put out an endpoint: %s", state)
		}
	})
}

// A body that the client breaks is the client's fault, whenever it breaks.
func TestClientBody(t *testing.T) {
	for _, length := range []int64{-1, 100} {
		for _, first := range []string{"", "some"} {
			t.Run(fmt.Sprintf("length %d after %q", length, first), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &server{play: func(_ *server, c net.Conn) { _, _ = io.Copy(io.Discard, c) }}
					u := open(t, s, Settings{Health: Health{FailAfter: 1, ReviveIn: time.Minute}})
					defer u.Close()
					call := newCall("POST")
					call.Body = gateway.Body{Reader: &oneRead{first, errClient}, Length: length}
					_, err := u.Handle(t.Context(), call)
					if !errors.Is(err, errClient) {
						t.Errorf("got %v", err)
					}
					if s.dials > 0 && first == "" {
						t.Error("a body that was broken from the start took up a connection")
					}
					if !u.pool.endpoints[0].in() {
						t.Error("the endpoint was blamed")
					}
					if open, _ := count(u); open != 0 {
						t.Errorf("%d connections are open", open)
					}
				})
			})
		}
	}
	synctest.Test(t, func(t *testing.T) {
		u := open(t, &server{play: func(_ *server, c net.Conn) { _, _ = io.Copy(io.Discard, c) }}, Settings{})
		defer u.Close()
		call := newCall("POST")
		call.Body = gateway.Body{Reader: strings.NewReader("short"), Length: 100}
		if _, err := u.Handle(t.Context(), call); codeOf(err) != gateway.Invalid {
			t.Errorf("a body shorter than its length: %v", err)
		}
	})
}
