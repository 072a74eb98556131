package policy_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/gatewaytest"
	"github.com/spanway/spanway/internal/policy"
)

type ctx = context.Context

func TestTimeoutHandsOnTheBoundsOfSingleWaits(t *testing.T) {
	timeout := &policy.Timeout{Connect: 1, FirstToken: 2, Idle: 3}
	call := gateway.NewCall(http.MethodGet, "/", nil)
	next := gatewaytest.Answers(http.StatusOK)
	gatewaytest.DoCall(t.Context(), gateway.Chain(next, timeout.Policy()), call)
	if got, want := next.Calls()[0].Timeouts, (gateway.Timeouts{Connect: 1, FirstToken: 2, Idle: 3}); got != want {
		t.Errorf("the bounds are %v, want %v", got, want)
	}
	if call.Timeouts != (gateway.Timeouts{}) {
		t.Error("the caller's own call has changed: another target may have other bounds")
	}
}

// slow answers after one wait and gives its body after another, unless the
// context ends first.
func slow(head, body time.Duration) gateway.HandlerFunc {
	wait := func(ctx ctx, d time.Duration) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return func(ctx ctx, _ *gateway.Call) (*gateway.Reply, error) {
		if err := wait(ctx, head); err != nil {
			return nil, err
		}
		return gateway.NewReply(http.StatusOK, nil, readerFunc(func([]byte) (int, error) {
			if err := wait(ctx, body); err != nil {
				return 0, err
			}
			return 0, io.EOF
		}), -1, nil), nil
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestTotalBoundsTheWholeOfAnAttempt(t *testing.T) {
	for _, c := range []struct {
		name       string
		head, body time.Duration
		total      time.Duration
		code       gateway.Code
		takes      time.Duration
	}{
		{"in time", time.Second, 2 * time.Second, 4 * time.Second, "", 3 * time.Second},
		{"no answer", time.Hour, 0, 4 * time.Second, gateway.UpstreamTimeout, 4 * time.Second},
		{"an answer that does not end", time.Second, time.Hour, 4 * time.Second, gateway.UpstreamTimeout, 4 * time.Second},
		{"no bound", time.Hour, time.Hour, 0, "", 2 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				timeout := &policy.Timeout{Total: c.total}
				answer := gatewaytest.Do(t.Context(), gateway.Chain(slow(c.head, c.body), timeout.Policy()))
				if codeOf(answer) != c.code || time.Since(began) != c.takes {
					t.Errorf("answer %v after %s, want %q after %s", answer, time.Since(began), c.code, c.takes)
				}
			})
		})
	}
}

func TestTheContextOfAnAttemptEndsWithItsReply(t *testing.T) {
	over := func() error { return nil }
	timeout := &policy.Timeout{Total: time.Hour}
	h := gateway.Chain(gateway.HandlerFunc(func(ctx ctx, _ *gateway.Call) (*gateway.Reply, error) {
		over = ctx.Err
		return gateway.NewReply(http.StatusOK, nil, nil, 0, nil), nil
	}), timeout.Policy())
	reply, err := h.Handle(t.Context(), gateway.NewCall(http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	if over() != nil {
		t.Error("the context has ended, and the body is not read yet")
	}
	reply.Close()
	if over() == nil {
		t.Error("the context outlives its reply")
	}
}
