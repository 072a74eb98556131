package policy_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/gatewaytest"
	"github.com/spanway/spanway/internal/llm"
	"github.com/spanway/spanway/internal/policy"
)

// waits are the backoffs of a test.
type waits []string

func (w *waits) wait(ctx ctx, _ *gateway.Call, reason, source string, d time.Duration) error {
	*w = append(*w, reason+" "+source+" "+d.String())
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// whole is chance in these tests: a backoff is as long as it may be.
func whole(most time.Duration) time.Duration { return most }

func retrying(r *policy.Retry, w *waits) gateway.Policy {
	return r.Policy(&gateway.Target{Upstream: "openai", Model: "gpt-5"}, policy.Tools{Budgets: new(policy.Budgets), Wait: w.wait, Jitter: whole})
}

func chatCall() *gateway.Call {
	call := gateway.NewCall(http.MethodPost, "/v1/chat/completions", nil)
	call.Route = &gateway.Route{Name: "chat", Operation: llm.Chat}
	call.Body = gateway.Body{Bytes: []byte("{}"), Length: 2}
	return call
}

func postCall() *gateway.Call {
	call := gateway.NewCall(http.MethodPost, "/orders", nil)
	call.Route = &gateway.Route{Name: "orders"}
	call.Body = gateway.Body{Bytes: []byte("{}"), Length: 2}
	return call
}

func saying(status int, header ...string) func(ctx, *gateway.Call) (*gateway.Reply, error) {
	return func(ctx, *gateway.Call) (*gateway.Reply, error) {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return gateway.NewReply(status, h, strings.NewReader("no"), 2, nil), nil
	}
}

func failing(failure gateway.Failure, attempt gateway.Attempt) error {
	e := gateway.Errorf(gateway.UpstreamFailed, "%s", failure)
	e.Failure, e.Attempt = failure, &attempt
	return e
}

var (
	executed    = failing(gateway.FailTransport, gateway.Attempt{Sent: true, Reused: true})
	undelivered = failing(gateway.FailTransport, gateway.Attempt{})
	stale       = failing(gateway.FailTransport, gateway.Attempt{Reused: true})
)

func TestRetry(t *testing.T) {
	three := *policy.DefaultRetry()
	five := three
	five.Attempts, five.MaxBackoff = 5, 500*time.Millisecond
	stream := postCall()
	stream.Body = gateway.Body{Reader: strings.NewReader("{}"), Length: 2}
	idempotent := postCall()
	idempotent.Route = &gateway.Route{Name: "orders", Idempotent: true}
	put := postCall()
	put.Method = http.MethodPut
	for _, c := range []struct {
		name    string
		retry   policy.Retry
		call    *gateway.Call
		answers []any
		want    any
		tries   int
		waits   waits
	}{
		{"an answer is an answer", three, chatCall(), []any{200}, 200, 1, nil},
		{"the second try is good", three, chatCall(), []any{503, 200}, 200, 2, waits{"overloaded computed 200ms"}},
		{"each wait is twice the last, to a bound", five, chatCall(), []any{500}, 500, 5, waits{
			"server computed 200ms", "server computed 400ms", "server computed 500ms", "server computed 500ms"}},
		{"the last answer is what the caller gets", three, chatCall(), []any{500, 503, 502}, 502, 3, waits{
			"server computed 200ms", "overloaded computed 400ms"}},
		{"the upstream says how long", three, chatCall(), []any{saying(429, "Retry-After", "3"), 200}, 200, 2, waits{"rate_limited server 3s"}},
		{"and says it too long", three, chatCall(), []any{saying(429, "Retry-After", "31"), 200}, 429, 1, nil},
		{"a rate limit that says nothing", three, chatCall(), []any{429, 200}, 200, 2, waits{"rate_limited computed 200ms"}},
		{"an upstream that does not want to be asked again", three, chatCall(), []any{saying(503, "X-Should-Retry", "false"), 200}, 503, 1, nil},
		{"a call that is wrong", three, chatCall(), []any{404, 200}, 404, 1, nil},
		{"a key that is not taken", three, chatCall(), []any{401, 200}, 401, 1, nil},
		{"a service that broke off a GET", three, gateway.NewCall(http.MethodGet, "/", nil), []any{executed, 200}, 200, 2, waits{"transport computed 200ms"}},
		{"and a PUT", three, put, []any{executed, 200}, 200, 2, waits{"transport computed 200ms"}},
		{"and a POST, which may have been done", three, postCall(), []any{executed, 200}, gateway.UpstreamFailed, 1, nil},
		{"which does no harm twice", three, idempotent, []any{executed, 200}, 200, 2, waits{"transport computed 200ms"}},
		{"a service that failed at a POST", three, postCall(), []any{503, 200}, 503, 1, nil},
		{"one that would not begin with it", three, postCall(), []any{429, 200}, 200, 2, waits{"rate_limited computed 200ms"}},
		{"a POST that was not delivered", three, postCall(), []any{undelivered, 200}, 200, 2, waits{"transport computed 200ms"}},
		{"one whose body is gone", three, stream, []any{undelivered, 200}, gateway.UpstreamFailed, 1, nil},
		{"a connection that was closed while it rested", three, postCall(), []any{stale, 200}, 200, 2, nil},
		{"four of them count for nothing", three, postCall(), []any{stale, stale, stale, stale, undelivered, undelivered, 200}, 200, 7, waits{
			"transport computed 200ms", "transport computed 400ms"}},
		{"they have an end, too", three, postCall(), []any{stale}, gateway.UpstreamFailed, 13, waits{
			"transport computed 200ms", "transport computed 400ms"}},
		{"a gateway's own mistake", three, chatCall(), []any{errors.New("unforeseen"), 200}, gateway.Internal, 1, nil},
		{"an open breaker", three, chatCall(), []any{gateway.Errorf(gateway.BreakerOpen, "open"), 200}, gateway.BreakerOpen, 1, nil},
		{"a breaker that opened between two tries", three, chatCall(), []any{503, gateway.Errorf(gateway.BreakerOpen, "open")}, 503, 2, waits{"overloaded computed 200ms"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var w waits
				target := gatewaytest.Answers(c.answers...)
				began := time.Now()
				answer := gatewaytest.DoCall(t.Context(), gateway.Chain(target, retrying(&c.retry, &w)), c.call)
				if code := codeOf(answer); code != "" {
					answer = code
				}
				if answer != c.want || target.Tries() != c.tries {
					t.Errorf("%v after %d tries, want %v after %d", answer, target.Tries(), c.want, c.tries)
				}
				if strings.Join(w, ", ") != strings.Join(c.waits, ", ") {
					t.Errorf("waited %q, want %q", w, c.waits)
				}
				var sum time.Duration
				for _, wait := range c.waits {
					d, _ := time.ParseDuration(wait[strings.LastIndexByte(wait, ' ')+1:])
					sum += d
				}
				if took := time.Since(began); took != sum {
					t.Errorf("took %s, want %s", took, sum)
				}
			})
		})
	}
}

func TestABackoffIsARandomPartOfItsBound(t *testing.T) {
	var least, most time.Duration = time.Hour, 0
	for range 1000 {
		d := policy.Jitter(100 * time.Millisecond)
		least, most = min(least, d), max(most, d)
	}
	if least < 0 || least > 20*time.Millisecond || most < 80*time.Millisecond || most > 100*time.Millisecond {
		t.Errorf("of 100ms, waits are from %s to %s", least, most)
	}
	if policy.Jitter(0) != 0 {
		t.Error("of nothing, there is a wait")
	}
}

func TestNobodyWaitsBeyondTheCallersDeadline(t *testing.T) {
	for _, c := range []struct {
		patience time.Duration
		tries    int
	}{{3 * time.Second, 1}, {3*time.Second + 1, 2}} {
		synctest.Test(t, func(t *testing.T) {
			var w waits
			call := chatCall()
			call.Deadline = time.Now().Add(c.patience)
			target := gatewaytest.Answers(saying(429, "Retry-After", "3"), 200)
			began := time.Now()
			gatewaytest.DoCall(t.Context(), gateway.Chain(target, retrying(policy.DefaultRetry(), &w)), call)
			if target.Tries() != c.tries {
				t.Errorf("within %s there were %d tries, want %d", c.patience, target.Tries(), c.tries)
			}
			if c.tries == 1 && time.Since(began) != 0 {
				t.Errorf("it took %s to say so", time.Since(began))
			}
		})
	}
}

func TestAClientThatLeavesEndsTheBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w waits
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		target := gatewaytest.Answers(503, 200)
		answer := gatewaytest.DoCall(ctx, gateway.Chain(target, retrying(policy.DefaultRetry(), &w)), chatCall())
		if codeOf(answer) != gateway.Canceled || target.Tries() != 1 {
			t.Errorf("%v after %d tries", answer, target.Tries())
		}
	})
}

func TestAnotherKeyIsTriedAtOnce(t *testing.T) {
	for _, status := range []int{401, 402, 403, 429} {
		var w waits
		target := gatewaytest.Answers(gateway.HandlerFunc(func(ctx, *gateway.Call) (*gateway.Reply, error) {
			reply := gateway.NewReply(status, nil, nil, 0, nil)
			reply.Attempt = &gateway.Attempt{OtherKey: true}
			return reply, nil
		}), 200)
		answer := gatewaytest.DoCall(t.Context(), gateway.Chain(target, retrying(policy.DefaultRetry(), &w)), chatCall())
		if answer != 200 || len(w) > 0 {
			t.Errorf("%d: %v after %q", status, answer, w)
		}
	}
}

func TestAnAttemptThatIsGivenUpEndsAtOnce(t *testing.T) {
	var w waits
	closed := 0
	target := gatewaytest.Answers(gateway.HandlerFunc(func(ctx, *gateway.Call) (*gateway.Reply, error) {
		reply := gateway.NewReply(503, nil, strings.NewReader("no"), 2, nil)
		reply.OnDone(func(*gateway.Reply) { closed++ })
		return reply, nil
	}), gateway.HandlerFunc(func(ctx, *gateway.Call) (*gateway.Reply, error) {
		if closed != 1 {
			t.Error("the second attempt begins before the first has ended")
		}
		return gateway.NewReply(200, nil, nil, 0, nil), nil
	}))
	gatewaytest.DoCall(t.Context(), gateway.Chain(target, retrying(&policy.Retry{Attempts: 2, Budget: 20, Floor: 10}, &w)), chatCall())
	if len(w) > 0 {
		t.Errorf("a backoff of nothing is a wait: %q", w)
	}
}

func TestTheCallerCanStillReadWhatAFailedAttemptSaid(t *testing.T) {
	var w waits
	target := gatewaytest.Answers(saying(500), gateway.Errorf(gateway.BreakerOpen, "open"))
	reply, err := gateway.Chain(target, retrying(policy.DefaultRetry(), &w)).Handle(t.Context(), chatCall())
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Close()
	if body, err := io.ReadAll(reply.Body); string(body) != "no" || err != nil || reply.Status != 500 {
		t.Errorf("%d %q %v", reply.Status, body, err)
	}
}

// TestRetriesStayWithinTheirBudget also reloads: pipelines are built anew, and the
// budgets are those of the process.
func TestRetriesStayWithinTheirBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w waits
		tools := policy.Tools{Budgets: new(policy.Budgets), Wait: w.wait, Jitter: whole}
		target := gatewaytest.Answers(503)
		retry := &policy.Retry{Attempts: 5, Budget: 20, Floor: 10}
		build := func() gateway.Handler {
			return gateway.Chain(target, retry.Policy(&gateway.Target{Upstream: "openai", Model: "gpt-5"}, tools))
		}
		const calls = 400
		h := build()
		exhausted := 0
		for i := range calls {
			if i == calls/2 {
				h = build()
			}
			call := chatCall()
			gatewaytest.DoCall(t.Context(), h, call)
			for _, note := range call.Notes() {
				if note.Policy == "retry" && note.Decision == "exhausted" {
					exhausted++
				}
			}
		}
		if retries := target.Tries() - calls; retries != 10+calls*20/100 {
			t.Errorf("%d calls had %d retries, want %d", calls, retries, 10+calls*20/100)
		}
		if exhausted == 0 {
			t.Error("that the budget was spent is noted nowhere")
		}
		before := target.Tries()
		time.Sleep(11 * time.Second)
		gatewaytest.DoCall(t.Context(), h, chatCall())
		if got := target.Tries() - before; got != 5 {
			t.Errorf("after ten seconds there are %d tries, want 5", got)
		}
		other := gatewaytest.Answers(503)
		gatewaytest.DoCall(t.Context(), gateway.Chain(other, retry.Policy(&gateway.Target{Upstream: "anthropic"}, tools)), chatCall())
		if other.Tries() != 5 {
			t.Errorf("another target had %d tries, want 5", other.Tries())
		}
	})
}
