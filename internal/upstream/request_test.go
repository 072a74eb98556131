package upstream

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/gateway"
)

const nothing = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

// What an upstream sees of a call, to the byte; only its fields are sorted here.
func TestRequest(t *testing.T) {
	hostile := http.Header{
		"Accept-Encoding":     {"br"},
		"Authorization":       {"Bearer the caller's"},
		"Connection":          {"traceparent, Authorization, Host, X-Forwarded-For"},
		"Content-Length":      {"3"},
		"Content-Type":        {"application/json"},
		"Cookie":              {"a=b"},
		"Expect":              {"100-continue"},
		"Host":                {"evil"},
		"Keep-Alive":          {"timeout=5"},
		"Proxy-Authorization": {"Basic eA=="},
		"Proxy-Connection":    {"keep-alive"},
		"Te":                  {"trailers"},
		"Traceparent":         {"the caller's"},
		"Trailer":             {"X"},
		"Transfer-Encoding":   {"chunked"},
		"Upgrade":             {"h2c"},
		"X-Api-Key":           {"the caller's"},
		"X-Forwarded-For":     {"192.0.2.1"},
		"X-Two":               {"1", "2"},
		"X_User_Id":           {"root"},
		"host":                {"evil"},
		"X Y":                 {"z"},
	}
	propagate := []gateway.Fact{{Key: "traceparent", Value: "00-ours"}}
	for _, test := range []struct {
		name     string
		settings Settings
		method   string
		query    string
		header   http.Header
		body     gateway.Body
		want     string
	}{
		{
			"a GET", Settings{URL: "http://orders:8080"}, "GET", "a=1;b=%zz", nil, gateway.Body{},
			"GET /v1/x?a=1;b=%zz HTTP/1.1\nHost: orders:8080\ntraceparent: 00-ours",
		},
		{
			"a POST without a body says so", Settings{URL: "http://orders/"}, "POST", "", nil, gateway.Body{},
			"POST /v1/x HTTP/1.1\nContent-Length: 0\nHost: orders\ntraceparent: 00-ours",
		},
		{
			"the path of the URL is a prefix", Settings{URL: "http://orders/a%20b/"}, "DELETE", "", nil, gateway.Body{},
			"DELETE /a%20b/v1/x HTTP/1.1\nHost: orders\ntraceparent: 00-ours",
		},
		{
			"a socket", Settings{URL: "unix:///run/orders.sock"}, "GET", "", nil, gateway.Body{},
			"GET /v1/x HTTP/1.1\nHost: localhost\ntraceparent: 00-ours",
		},
		{
			"an ordinary service gets no hop-by-hop field, no second host and no credentials",
			Settings{URL: "http://orders:8080"}, "POST", "", hostile, gateway.Body{Bytes: []byte("{}")},
			"POST /v1/x HTTP/1.1\nAccept-Encoding: br\nContent-Length: 2\nContent-Type: application/json\nCookie: a=b\nHost: orders:8080\n" +
				"X-Api-Key: the caller's\nX-Forwarded-For: 192.0.2.1\nX-Two: 1\nX-Two: 2\ntraceparent: 00-ours",
		},
		{
			"a provider gets our key, and neither the caller's nor its cookies",
			Settings{URL: "http://orders:8080", Dialect: "openai", Keys: []check.Secret{check.NewSecret("sk-ours")}},
			"POST", "", hostile, gateway.Body{Bytes: []byte("{}")},
			"POST /v1/x HTTP/1.1\nAccept-Encoding: br\nAuthorization: Bearer sk-ours\nContent-Length: 2\nContent-Type: application/json\n" +
				"Host: orders:8080\nX-Forwarded-For: 192.0.2.1\nX-Two: 1\nX-Two: 2\ntraceparent: 00-ours",
		},
		{
			"a streamed body of known length", Settings{URL: "http://orders:8080"}, "PUT", "", nil,
			gateway.Body{Reader: strings.NewReader("hello, and more"), Length: 5},
			"PUT /v1/x HTTP/1.1\nContent-Length: 5\nHost: orders:8080\ntraceparent: 00-ours",
		},
		{
			"a streamed body of unknown length", Settings{URL: "http://orders:8080"}, "PUT", "", nil,
			gateway.Body{Reader: strings.NewReader("hello"), Length: -1},
			"PUT /v1/x HTTP/1.1\nHost: orders:8080\nTransfer-Encoding: chunked\ntraceparent: 00-ours",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{play: says(nothing)}
				u := open(t, s, test.settings)
				defer u.Close()
				call := newCall(test.method)
				call.Query, call.Body = test.query, test.body
				call.Attempt.Propagate = propagate
				if test.header != nil {
					call.Header = test.header
				}
				reply, err := u.Handle(t.Context(), call)
				if err != nil {
					t.Fatal(err)
				}
				reply.Close()
				if got := s.requests[0]; got != test.want {
					t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
				}
				if !call.Attempt.Sent || call.Attempt.Reused || call.Attempt.PeerAddress != "pipe" || reply.Attempt != call.Attempt {
					t.Errorf("the attempt is %+v", call.Attempt)
				}
			})
		})
	}
}

// Nothing in a call can make two requests of it.
func TestSplit(t *testing.T) {
	for name, change := range map[string]func(*gateway.Call){
		"a line's end in a field":   func(c *gateway.Call) { c.Header.Set("A", "b\r\nHost: evil") },
		"a line feed in a field":    func(c *gateway.Call) { c.Header.Set("A", "b\nHost: evil") },
		"NUL in a field":            func(c *gateway.Call) { c.Header.Set("A", "b\x00") },
		"a space in the path":       func(c *gateway.Call) { c.Path = "/ HTTP/1.1" },
		"a line's end in the query": func(c *gateway.Call) { c.Query = "a HTTP/1.1\r\nHost: evil" },
		"a line's end in baggage": func(c *gateway.Call) {
			c.Attempt.Propagate = []gateway.Fact{{Key: "baggage", Value: "a\r\n\r\nGET / HTTP/1.1"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{play: says(nothing)}
			u := open(t, s, Settings{})
			defer u.Close()
			call := newCall("GET")
			change(call)
			if _, err := u.Handle(t.Context(), call); codeOf(err) != gateway.Internal || s.dials > 0 {
				t.Errorf("got %v, with %d connections", err, s.dials)
			}
		})
	}
	u := open(t, &server{}, Settings{})
	defer u.Close()
	if _, err := u.Handle(t.Context(), newCall("CONNECT")); codeOf(err) != gateway.MethodNotAllowed {
		t.Errorf("CONNECT: %v", err)
	}
}

// A call is one write, its body included, where the body is at hand.
func TestOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, body := range map[string]gateway.Body{
			"buffered": {Bytes: make([]byte, together)},
			"streamed": {Reader: strings.NewReader("hello"), Length: 5},
		} {
			s := &server{play: func(_ *server, c net.Conn) {
				_, _ = c.Read(make([]byte, 1<<20)) // a pipe hands over a write in one read; a second one would wait for ever
				_, _ = io.WriteString(c, nothing)
			}}
			u := open(t, s, Settings{})
			call := newCall("POST")
			call.Body = body
			reply, err := u.Handle(t.Context(), call)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			reply.Close()
			u.Close()
		}
	})
}

// However long a streamed body is, it arrives whole.
func TestStreamedBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, size := range []int{1, pieceSize - 16, pieceSize - 15, pieceSize, pieceSize + 1, 5*pieceSize + 7} {
			for _, length := range []int64{-1, int64(size)} {
				text := strings.Repeat("0123456789", size/10+1)[:size]
				got := make(chan string, 1)
				s := &server{}
				s.play = func(s *server, c net.Conn) {
					req, err := http.ReadRequest(bufio.NewReader(c))
					if err != nil {
						return
					}
					body, _ := io.ReadAll(req.Body)
					got <- string(body)
					_, _ = io.WriteString(c, nothing)
				}
				u := open(t, s, Settings{})
				call := newCall("POST")
				call.Body = gateway.Body{Reader: strings.NewReader(text), Length: length}
				reply, err := u.Handle(t.Context(), call)
				if err != nil {
					t.Fatal(err)
				}
				reply.Close()
				if <-got != text {
					t.Errorf("size %d, length %d: it did not arrive whole", size, length)
				}
				u.Close()
			}
		}
	})
}

// A server may refuse a large body long before it has read it; and one that
// reads it all may be used again.
func TestLargeBody(t *testing.T) {
	for name, reads := range map[string]bool{"refused early": false, "read": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{}
				s.play = func(s *server, c net.Conn) {
					r := bufio.NewReader(c)
					req := s.read(r)
					if !reads {
						_, _ = io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
						time.Sleep(time.Minute)
						return
					}
					_, _ = io.CopyN(io.Discard, r, req.ContentLength)
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes")
					_, _ = r.ReadByte()
				}
				u := open(t, s, Settings{})
				call := newCall("POST")
				call.Body.Bytes = make([]byte, 1<<20)
				reply, err := u.Handle(t.Context(), call)
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if body, err := io.ReadAll(reply.Body); err != nil || len(body) != 3 || (reply.Status == 200) != reads {
					t.Errorf("got %d %q, %v", reply.Status, body, err)
				}
				reply.Close()
				if _, idle := count(u); (idle == 1) != reads {
					t.Errorf("%d connections wait", idle)
				}
				u.Close()
				time.Sleep(time.Hour)
			})
		})
	}
}
