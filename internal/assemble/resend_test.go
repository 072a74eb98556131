package assemble_test

import (
	"bufio"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/rs/zerolog"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/gatewaytest"
	"github.com/spanway/spanway/internal/observe"
	"github.com/spanway/spanway/internal/policy"
	"github.com/spanway/spanway/internal/upstream"
	"github.com/spanway/spanway/telemetry"
	"github.com/spanway/spanway/telemetry/telemetrytest"
)

// dying is a service that closes its connections when it likes to: after an
// answer, or, if it is rude, in place of one. It counts what was delivered.
type dying struct {
	rude      bool
	delivered []atomic.Int32
	closed    atomic.Int32
	failed    []atomic.Int32 // calls that ended with an error
}

// serve takes the requests of one connection.
func (d *dying) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, 100))
		if err != nil {
			return
		}
		id, err := strconv.Atoi(string(body))
		if err != nil {
			return
		}
		d.delivered[id].Add(1)
		closes := rand.IntN(3) == 0
		if closes {
			d.closed.Add(1)
		}
		if closes && d.rude {
			return
		}
		if _, err := io.WriteString(c, "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok"); err != nil || closes {
			return
		}
	}
}

// post sends POSTs to a service that ln accepts for, sixteen at a time, through
// the real pool, joint and policy.
func (d *dying) post(t *testing.T, calls int, ln net.Listener, dial func(context.Context, string, string) (net.Conn, error)) {
	t.Helper()
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			served.Go(func() { d.serve(c) })
		}
	})
	measured, _ := telemetrytest.New(t)
	observer := observe.New(observe.Options{Telemetry: measured, Log: zerolog.Nop(), Names: telemetry.GenAI("v1.41")})
	pools := upstream.NewPools(upstream.Options{Dial: dial})
	wire, err := pools.Open("orders", upstream.Settings{URL: "http://" + ln.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	target := &gateway.Target{Upstream: "orders"}
	tools := policy.Tools{Budgets: new(policy.Budgets), Wait: observer.Wait, Jitter: policy.Jitter}
	h := gateway.Chain(wire, policy.DefaultRetry().Policy(target, tools), observer.Attempt(target))

	d.delivered, d.failed = make([]atomic.Int32, calls), make([]atomic.Int32, calls)
	var next atomic.Int32
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for id := int(next.Add(1)) - 1; id < calls; id = int(next.Add(1)) - 1 {
				body := []byte(strconv.Itoa(id))
				call := gateway.NewCall(http.MethodPost, "/orders", nil)
				call.Route = &gateway.Route{Name: "orders"}
				call.Body = gateway.Body{Bytes: body, Length: int64(len(body))}
				if status := gatewaytest.DoCall(t.Context(), h, call); status != http.StatusCreated {
					d.failed[id].Add(1)
				}
			}
		})
	}
	callers.Wait()
	wire.Close()
	pools.Close()
	_ = ln.Close()
	served.Wait()
}

// check compares what was delivered with what callers were told.
func (d *dying) check(t *testing.T) (undelivered int) {
	t.Helper()
	for id := range d.delivered {
		delivered, failed := d.delivered[id].Load(), d.failed[id].Load()
		switch {
		case delivered > 1:
			t.Errorf("POST %d was delivered %d times", id, delivered)
		case delivered == 0 && failed == 0:
			t.Errorf("POST %d has been answered and was not delivered", id)
		case delivered == 0:
			undelivered++
		case failed > 0 && !d.rude:
			t.Errorf("POST %d was delivered and answered, and its caller got an error", id)
		}
	}
	if int(d.closed.Load()) < len(d.delivered)/10 {
		t.Errorf("only %d connections were closed", d.closed.Load())
	}
	return undelivered
}

const posts = 6400

// In memory, a write to a connection that is closed always fails, and nobody can
// have read it.
func TestPOSTsOverDyingConnectionsAreAllDeliveredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, ln := new(dying), gatewaytest.NewListener()
		d.post(t, posts, ln, func(context.Context, string, string) (net.Conn, error) { return ln.Dial(netip.Addr{}) })
		if n := d.check(t); n > 0 {
			t.Errorf("%d POSTs were not delivered", n)
		}
	})
}

// Over sockets, a request may come to a peer's system and not to the peer, which
// closes just then. That cannot be told from a peer that has done it, so its
// caller gets an error: a few in ten thousand.
func TestPOSTsOverDyingSocketsAreDeliveredAtMostOnce(t *testing.T) {
	d := new(dying)
	d.post(t, posts, loopback(t), nil)
	if n := d.check(t); n > posts/100 {
		t.Errorf("%d POSTs were not delivered", n)
	}
}

// A service that reads the whole of a POST and then closes may have done it.
func TestAPOSTThatMayHaveBeenDoneIsDeliveredOnce(t *testing.T) {
	d := &dying{rude: true}
	d.post(t, posts/10, loopback(t), nil)
	d.check(t)
	failed := 0
	for id := range d.failed {
		failed += int(d.failed[id].Load())
	}
	if failed < int(d.closed.Load()) {
		t.Errorf("%d connections were closed in place of an answer, and %d callers know", d.closed.Load(), failed)
	}
}

func loopback(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}
