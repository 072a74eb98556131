package upstream

import (
	"context"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/gateway"
)

// send makes a call, and reads and closes its reply.
func send(t *testing.T, u *Upstream) *gateway.Attempt {
	t.Helper()
	call := newCall("GET")
	if reply, err := u.Handle(t.Context(), call); err == nil {
		_, _ = io.Copy(io.Discard, reply.Body)
		reply.Close()
	}
	return call.Attempt
}

// An upstream that a reload did not change keeps its connections, also with
// another key; the last lease closes them.
func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{play: says(nothing)}
		pools := NewPools(Options{Dial: s.dial})
		lease := func(url, key string) *Upstream {
			u, err := pools.Open("orders", Settings{URL: url, Keys: []check.Secret{check.NewSecret(key)}})
			if err != nil {
				t.Fatal(err)
			}
			return u
		}
		before := lease("http://orders", "old")
		send(t, before)
		after := lease("http://orders", "new")
		other := lease("http://others", "new")
		before.Close()
		before.Close()
		if !send(t, after).Reused || send(t, other).Reused {
			t.Error("the new generation does not use the connections of the old one, or those of another origin")
		}
		if !strings.Contains(s.requests[1], "Bearer new") {
			t.Errorf("got %s", s.requests[1])
		}
		want := []Stat{{"http://orders", 1, 1}, {"http://others", 1, 1}}
		if got := pools.Stats(); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		late := send(t, before) // a call under way may still begin an attempt
		after.Close()
		other.Close()
		if late.Status != 200 || len(pools.Stats()) > 0 {
			t.Errorf("status %d; %v", late.Status, pools.Stats())
		}
		send(t, after)
		// No goroutine of the server waits any more, or the bubble would fail.
	})
}

// Closed pools keep nothing, whoever leases.
func TestPoolsClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{play: says(nothing)}
		pools := NewPools(Options{Dial: s.dial})
		u, err := pools.Open("orders", Settings{URL: "http://orders"})
		if err != nil {
			t.Fatal(err)
		}
		send(t, u)
		pools.Close()
		if open, _ := count(u); open != 0 {
			t.Errorf("%d connections are open", open)
		}
		send(t, u)
		if open, _ := count(u); open != 0 {
			t.Errorf("%d connections are open after a call", open)
		}
	})
}

// A connection is kept for a while, the last used one is taken first, and no
// more are kept than are wanted.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{play: says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")}
		u, err := New("orders", Settings{URL: "http://orders"}, Options{Dial: s.dial, IdlePerEndpoint: 2, IdleTimeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		defer u.Close()
		var replies []*gateway.Reply
		for range 3 {
			reply, err := u.Handle(t.Context(), newCall("GET"))
			if err != nil {
				t.Fatal(err)
			}
			replies = append(replies, reply)
		}
		for _, reply := range replies {
			_, _ = io.ReadAll(reply.Body)
			reply.Close()
		}
		if open, idle := count(u); open != 2 || idle != 2 {
			t.Errorf("%d connections are open and %d wait; want 2", open, idle)
		}
		time.Sleep(40 * time.Second)
		send(t, u)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if open, idle := count(u); open != 1 || idle != 1 {
			t.Errorf("%d connections are open and %d wait; want the one used last", open, idle)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if open, _ := count(u); open != 0 {
			t.Errorf("%d connections are open after the idle timeout", open)
		}
	})
}

// An endpoint that fails is left out for a while, then tried again; when all
// are out, they are used all the same.
func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, down := says(nothing), map[string]bool{"a:80": true}
		var asked []string
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			asked = append(asked, address)
			if down[address] {
				return nil, io.ErrClosedPipe
			}
			return (&server{play: up}).dial(ctx, network, address)
		}
		u, err := New("orders",
			Settings{Endpoints: []string{"http://a", "http://b"}, Health: Health{FailAfter: 2, ReviveIn: 5 * time.Second}}, Options{Dial: dial})
		if err != nil {
			t.Fatal(err)
		}
		defer u.Close()
		calls := func(n int) string {
			var to []string
			for range n {
				to = append(to, send(t, u).ServerAddress)
			}
			return strings.Join(to, " ")
		}
		for _, step := range []struct {
			what   string
			before func()
			n      int
			want   string
		}{
			{"in turn, until two failures", func() {}, 8, "a b a b b b b b"},
			{"on trial again, and out with the first failure", func() { time.Sleep(5 * time.Second) }, 5, "a b b b b"},
			{"well again", func() { down["a:80"] = false; time.Sleep(5 * time.Second) }, 4, "b a b a"},
		} {
			step.before()
			if got := calls(step.n); got != step.want {
				t.Errorf("%s: got %s, want %s", step.what, got, step.want)
			}
		}
		if ok, state := u.State(); !ok || state != "2 of 2 endpoints" {
			t.Errorf("state %s", state)
		}
		up = saysAndCloses("HTTP/1.1 600 Nonsense\r\n\r\n")
		u.pools.Close()
		calls(8)
		if ok, state := u.State(); ok || state != "0 of 2 endpoints" {
			t.Errorf("state %s", state)
		}
		if got := calls(4); strings.Count(got, "a") != 2 {
			t.Errorf("when all are out they are asked in turn: got %s", got)
		}
	})
}

// A call that nobody waits for any more costs no connection.
func TestTooLate(t *testing.T) {
	s := &server{play: says(nothing)}
	u := open(t, s, Settings{})
	defer u.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := u.Handle(ctx, newCall("GET")); codeOf(err) != gateway.Canceled || s.dials > 0 {
		t.Errorf("got %v, and %d connections", err, s.dials)
	}
}

// Settings that cannot work are refused, and the message shows no password.
func TestOpenRefuses(t *testing.T) {
	for _, url := range []string{"", "mock:", "ftp://a", "http://", "http://user:secret@a", "http://a?secret", "http://a:0", "http://a:99999", "unix://relative", "http://\x00secret"} {
		_, err := New("orders", Settings{URL: url}, Options{})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// The body says where it ends with its last bytes, and the trailers that may
// come so late are there then.
func TestTrailers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{play: says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: grpc-status, host\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nset-cookie: a\r\nSet-Cookie: b\r\n\r\n" +
			"5\r\nhello\r\n0\r\ngrpc-status: 0\r\nContent-Length: 3\r\nHost: evil\r\nAuthorization: x\r\nSet-Cookie: c=d\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n")}
		u := open(t, s, Settings{})
		defer u.Close()
		reply, err := u.Handle(t.Context(), newCall("GET"))
		if err != nil {
			t.Fatal(err)
		}
		if want := (http.Header{"Set-Cookie": {"a", "b"}}); !reflect.DeepEqual(reply.Header, want) || reply.Stream || reply.Length != -1 {
			t.Errorf("got %v, want %v", reply.Header, want)
		}
		p := make([]byte, 100)
		if n, err := reply.Body.Read(p); string(p[:n]) != "hello" || err != io.EOF {
			t.Errorf("got %q, %v", p[:n], err)
		}
		if want := (http.Header{"Grpc-Status": {"0"}, "X-Sum": {"1", "2"}}); !reflect.DeepEqual(reply.Trailer, want) {
			t.Errorf("got %v, want %v", reply.Trailer, want)
		}
		reply.Close()
	})
}
