package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/gatewaytest"
	"github.com/spanway/spanway/internal/server"
)

// plain is a dialect that says the code, and nothing else.
type plain struct{}

func (plain) Error(e *gateway.Error, _ string) (string, []byte) { return "text/plain", []byte(e.Code) }
func (plain) StreamError(e *gateway.Error, _ string) []byte {
	return []byte("event: " + string(e.Code))
}

// start serves a handler over pipes until the test ends.
func start(t *testing.T, h gateway.Handler) (*server.Server, *gatewaytest.Listener) {
	t.Helper()
	live := &server.Live{
		Handler: h, Dialect: plain{}, Limits: server.DefaultLimits(),
		Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	}
	s, ln := server.New(func() *server.Live { return live }, zerolog.Nop()), gatewaytest.NewListener()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		s.Drain(0, time.Millisecond)
		_ = ln.Close() // the drain has closed it
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s, ln
}

// dial connects a client; the zero address is that of one on a unix socket.
func dial(t *testing.T, ln *gatewaytest.Listener, from netip.Addr) net.Conn {
	t.Helper()
	conn, err := ln.Dial(from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

var (
	loopback = netip.MustParseAddr("127.0.0.1")
	proxy    = netip.MustParseAddr("10.1.2.3")
	stranger = netip.MustParseAddr("203.0.113.9")
	socket   netip.Addr
)

// callOf sends the head of a request and returns the call that comes of it, and
// the head of the answer.
func callOf(t *testing.T, from netip.Addr, headers string) (call *gateway.Call, answer *http.Response) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		_, ln := start(t, gateway.HandlerFunc(func(_ context.Context, c *gateway.Call) (*gateway.Reply, error) {
			call = c
			return gateway.NewReply(http.StatusNoContent, nil, nil, 0, nil), nil
		}))
		conn := dial(t, ln, from)
		go func() { _, _ = io.WriteString(conn, "GET /x HTTP/1.1\r\nHost: Gateway:8080\r\n"+headers+"\r\n") }()
		var err error
		if answer, err = http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
	})
	return call, answer
}

func TestWhoMayNameARequest(t *testing.T) {
	const given = "X-Request-Id: "
	for _, c := range []struct {
		name    string
		from    netip.Addr
		headers string
		kept    string
	}{
		{"a peer on this machine", loopback, given + "mine-1\r\n", "mine-1"},
		{"a trusted proxy", proxy, given + "mine-1\r\n", "mine-1"},
		{"a peer on a unix socket", socket, given + "mine-1\r\n", "mine-1"},
		{"the same in other letters", loopback, "x-request-ID: mine-1\r\n", "mine-1"},
		{"as long as may be", loopback, given + strings.Repeat("a", 128) + "\r\n", strings.Repeat("a", 128)},
		{"a stranger", stranger, given + "mine-1\r\n", ""},
		{"nobody", loopback, "", ""},
		{"an empty one", loopback, given + "\r\n", ""},
		{"two", loopback, given + "a\r\n" + given + "b\r\n", ""},
		{"too long", loopback, given + strings.Repeat("a", 129) + "\r\n", ""},
		{"with a space", loopback, given + "a b\r\n", ""},
		{"with a quote", loopback, given + "a\"b\r\n", ""},
		{"with a back slash", loopback, given + "a\\nb\r\n", ""},
		{"no ASCII", loopback, given + "ä\r\n", ""},
		{"which Connection would take away", loopback, "Connection: x-request-id\r\n" + given + "mine-1\r\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			call, answer := callOf(t, c.from, c.headers)
			if got := answer.Header.Get("X-Request-Id"); got != call.ID {
				t.Errorf("the answer says %q, the call %q", got, call.ID)
			}
			if got := call.Header["X-Request-Id"]; !slices.Equal(got, []string{call.ID}) {
				t.Errorf("the upstream would get %q, the call is %q", got, call.ID)
			}
			if c.kept != "" && call.ID != c.kept || c.kept == "" && (len(call.ID) != 32 || strings.Trim(call.ID, "0123456789abcdef") != "") {
				t.Errorf("the id is %q, want %q or a new one", call.ID, c.kept)
			}
		})
	}
	one, _ := callOf(t, loopback, "")
	other, _ := callOf(t, loopback, "")
	if one.ID == other.ID {
		t.Error("two calls have one id")
	}
}

func TestWhomACallIsForwardedFor(t *testing.T) {
	const lies = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Host: shop.example.com\r\nX-Forwarded-Proto: https\r\n" +
		"Forwarded: for=192.0.2.7\r\nX-Real-IP: 192.0.2.7\r\nX-Original-URL: /admin\r\nX-Rewrite-URL: /admin\r\nX-Forwarded-Prefix: /p\r\n"
	for _, c := range []struct {
		name    string
		from    netip.Addr
		headers string
		want    map[string]string
	}{
		{"a stranger", stranger, "", map[string]string{"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "Gateway:8080", "X-Forwarded-Proto": "http"}},
		{"a stranger who lies", stranger, lies, map[string]string{"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "Gateway:8080", "X-Forwarded-Proto": "http"}},
		{"a proxy", proxy, lies, map[string]string{
			"X-Forwarded-For": "192.0.2.7, 10.1.2.3", "X-Forwarded-Host": "shop.example.com", "X-Forwarded-Proto": "https",
			"Forwarded": "for=192.0.2.7", "X-Real-Ip": "192.0.2.7", "X-Original-Url": "/admin", "X-Rewrite-Url": "/admin", "X-Forwarded-Prefix": "/p",
		}},
		{"a proxy with two lines", proxy, "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-For: 192.0.2.8\r\n",
			map[string]string{"X-Forwarded-For": "192.0.2.7, 192.0.2.8, 10.1.2.3", "X-Forwarded-Host": "Gateway:8080", "X-Forwarded-Proto": "http"}},
		{"a unix socket", socket, "", map[string]string{"X-Forwarded-Host": "Gateway:8080", "X-Forwarded-Proto": "http"}},
		{"a peer whose address is IPv4 in IPv6", netip.MustParseAddr("::ffff:10.1.2.3"), "X-Forwarded-For: 192.0.2.7\r\n",
			map[string]string{"X-Forwarded-For": "192.0.2.7, 10.1.2.3", "X-Forwarded-Host": "Gateway:8080", "X-Forwarded-Proto": "http"}},
		{"a hostile Connection", stranger, "Connection: X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, close\r\n",
			map[string]string{"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "Gateway:8080", "X-Forwarded-Proto": "http"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			call, _ := callOf(t, c.from, c.headers)
			got := map[string]string{}
			for name, values := range call.Header {
				if name != "X-Request-Id" {
					got[name] = strings.Join(values, " | ")
				}
			}
			if !maps.Equal(got, c.want) {
				t.Errorf("the upstream would get %q, want %q", got, c.want)
			}
			if call.Host != "gateway" {
				t.Errorf("the host is %q", call.Host)
			}
		})
	}
}

func TestWhatDoesNotTravel(t *testing.T) {
	call, _ := callOf(t, loopback, strings.Join([]string{
		"Connection: X-Mine, keep-alive", "Connection: x-other,Authorization", "X-Mine: 1", "X-Other: 1", "Keep-Alive: timeout=5",
		"Proxy-Connection: keep-alive", "Proxy-Authorization: Basic x", "Proxy-Authenticate: Basic", "TE: trailers", "Trailer: X-Sum",
		"Upgrade: websocket", "HTTP2-Settings: AAMAAABk", "X_User_Id: 7", "X-User_Id: 7", "X-User-Id: 8", "Accept: */*", "",
	}, "\r\n"))
	var got []string
	for name := range call.Header {
		if !strings.HasPrefix(name, "X-Forwarded") && name != "X-Request-Id" {
			got = append(got, name+"="+strings.Join(call.Header[name], ","))
		}
	}
	slices.Sort(got)
	if want := []string{"Accept=*/*", "X-User-Id=8"}; !slices.Equal(got, want) {
		t.Errorf("the upstream would get %q, want %q", got, want)
	}
}

func TestCredentialsAreTakenOutOfTheHeaders(t *testing.T) {
	for _, c := range []struct{ headers, shown string }{
		{"Authorization: Bearer sk-a\r\n", "sk-a"},
		{"Authorization: bearer  sk-a\r\n", "sk-a"},
		{"Authorization: sk-a\r\n", "sk-a"},
		{"X-Api-Key: sk-a\r\n", "sk-a"},
		{"Api-Key: sk-a\r\n", "sk-a"},
		{"Authorization: Bearer sk-a\r\nX-Api-Key: sk-b\r\n", "sk-a"},
		{"Authorization: Basic c2stYQ==\r\n", "Basic c2stYQ=="},
		{"Authorization: Bearer sk-a\r\nAuthorization: Bearer sk-b\r\n", ""}, // which one, nobody can say
		{"Connection: Authorization\r\nAuthorization: Bearer sk-a\r\n", "sk-a"},
		{"", ""},
	} {
		call, _ := callOf(t, loopback, c.headers)
		if call.Credential != c.shown {
			t.Errorf("%q shows %q, want %q", c.headers, call.Credential, c.shown)
		}
		for _, name := range []string{"Authorization", "X-Api-Key", "Api-Key"} {
			if call.Header[name] != nil {
				t.Errorf("%q: %s goes on", c.headers, name)
			}
		}
	}
}

// endless never runs out.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, "more and more "), nil }

func TestAClientThatDoesNotReadIsLeft(t *testing.T) {
	for name, h := range map[string]gateway.Handler{
		"a long answer": gateway.HandlerFunc(func(context.Context, *gateway.Call) (*gateway.Reply, error) {
			return gateway.NewReply(http.StatusOK, nil, endless{}, -1, nil), nil
		}),
		"an error": gatewaytest.Answers(gateway.Errorf(gateway.NoRoute, "no")),
		"no content": gateway.HandlerFunc(func(context.Context, *gateway.Call) (*gateway.Reply, error) {
			return gateway.NewReply(http.StatusNoContent, nil, nil, 0, nil), nil
		}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ended gateway.Outcome
				s, ln := start(t, gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
					reply, err := h.Handle(ctx, call)
					if reply != nil {
						reply.OnDone(func(r *gateway.Reply) { ended = r.Outcome })
					}
					return reply, err
				}))
				conn := dial(t, ln, loopback)
				if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				time.Sleep(time.Minute) // the answer is there to be read, and nobody reads it
				synctest.Wait()
				if s.Active() != 0 {
					t.Errorf("after %s the call is still under way", time.Since(began))
				}
				if name == "a long answer" && ended != gateway.ClientGone {
					t.Errorf("the outcome is %q, want %q", ended, gateway.ClientGone)
				}
				if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
					t.Error("the connection is still there")
				}
			})
		})
	}
}

func TestAClientThatReadsSlowlyIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := strings.Repeat("x", 1<<20)
		_, ln := start(t, gateway.HandlerFunc(func(context.Context, *gateway.Call) (*gateway.Reply, error) {
			return gateway.NewReply(http.StatusOK, nil, strings.NewReader(text), int64(len(text)), nil), nil
		}))
		conn := dial(t, ln, loopback)
		go func() { _, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: gateway\r\n\r\n") }()
		answer, err := http.ReadResponse(bufio.NewReaderSize(conn, 16<<10), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		for buf := make([]byte, 16<<10); err == nil; {
			var n int
			n, err = answer.Body.Read(buf)
			got += n
			time.Sleep(5 * time.Second) // six minutes in all
		}
		if !errors.Is(err, io.EOF) || got != len(text) {
			t.Errorf("%d bytes and then %v, want %d", got, err, len(text))
		}
	})
}

func TestALiveConfigurationIsAskedForEachCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var status atomic.Int64
		limits := server.DefaultLimits()
		s := server.New(func() *server.Live {
			return &server.Live{Handler: gatewaytest.Answers(int(status.Load())), Dialect: plain{}, Limits: limits}
		}, zerolog.Nop())
		ln := gatewaytest.NewListener()
		served := make(chan error, 1)
		go func() { served <- s.Serve(ln) }()
		conn := dial(t, ln, loopback)
		in := bufio.NewReader(conn)
		for _, want := range []int{http.StatusOK, http.StatusNotFound} {
			status.Store(int64(want))
			go func() { _, _ = fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: gateway\r\n\r\n") }()
			answer, err := http.ReadResponse(in, nil)
			if err != nil || answer.StatusCode != want {
				t.Fatalf("answer %v, %v, want %d", answer, err, want)
			}
			_, _ = io.Copy(io.Discard, answer.Body)
		}
		s.Drain(0, time.Second)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}
