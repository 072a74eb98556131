package policy_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/gatewaytest"
	"github.com/spanway/spanway/internal/policy"
)

var (
	errDown = gateway.Errorf(gateway.UpstreamFailed, "down")
	// quick opens when half of four attempts have failed, for ten seconds; then
	// two must succeed.
	quick = &policy.Breaker{Rate: 0.5, Volume: 4, Window: 30 * time.Second, Open: 10 * time.Second, Probes: 2}
)

// broke is a reply that has begun and breaks off.
func broke(outcome gateway.Outcome) gateway.HandlerFunc {
	return func(context.Context, *gateway.Call) (*gateway.Reply, error) {
		reply := gateway.NewReply(http.StatusOK, nil, nil, -1, nil)
		reply.Outcome = outcome
		return reply, nil
	}
}

// canceled ends with its caller.
func canceled(context.Context, *gateway.Call) (*gateway.Reply, error) {
	return nil, gateway.AsError(context.Canceled)
}

func TestABreakerOpensOnWhatItsTargetIsToBlameFor(t *testing.T) {
	busy := func(failure gateway.Failure) gateway.HandlerFunc {
		return func(context.Context, *gateway.Call) (*gateway.Reply, error) {
			reply := gateway.NewReply(http.StatusServiceUnavailable, nil, nil, 0, nil)
			reply.Failure = failure
			return reply, nil
		}
	}
	full := gateway.Errorf(gateway.Overloaded, "no room")
	for _, c := range []struct {
		name    string
		answers []any // then it answers 200
		opens   bool
	}{
		{"all fail", []any{errDown, errDown, errDown, errDown}, true},
		{"too few to say", []any{errDown, errDown, errDown}, true}, // of four with the fifth, asked below
		{"less than half", []any{200, 200, 200, errDown, errDown}, false},
		{"500", []any{500, 500, 500, 500}, true},
		{"late", []any{gateway.Errorf(gateway.UpstreamTimeout, "late"), errDown, errDown, errDown}, true},
		{"errors inside a 200", []any{busy(gateway.FailStreamError), busy(gateway.FailStreamError), errDown, errDown}, true},
		{"streams that break off", []any{broke(gateway.Truncated), broke(gateway.Stalled), broke(gateway.UpstreamError), broke(gateway.Truncated)}, true},
		{"streams that clients leave", []any{broke(gateway.ClientGone), broke(gateway.Drained), broke(gateway.Unneeded), broke(gateway.ClientGone)}, false},
		{"clients that leave before", []any{canceled, canceled, canceled, canceled, canceled}, false},
		{"the caller's mistakes", []any{400, 404, 422, 413, 400}, false},
		{"our key", []any{401, 401, 403, 402, 401}, false},
		{"too long, or not to be spoken of", []any{busy(gateway.FailContextWindow), busy(gateway.FailContentPolicy), 400, 400, 400}, false},
		{"what the gateway refuses", []any{full, full, full, full, full}, false},
		{"what the gateway does wrong", []any{errors.New("x"), errors.New("x"), errors.New("x"), errors.New("x")}, false},
		{"busy: half a failure each", []any{429, 429, 429, 429}, true},
		{"busy for a few of them", []any{429, 200, 429, 529, 200, 429}, false},
		{"busy for most, down for one", []any{429, 429, 529, errDown}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := gateway.Chain(gatewaytest.Answers(append(c.answers, 200)...), quick.Policy(smart, policy.Tools{Breakers: new(policy.Breakers)}))
				for range c.answers {
					gatewaytest.Do(t.Context(), h)
				}
				if c.name == "too few to say" {
					if answer := gatewaytest.Do(t.Context(), h); answer != 200 {
						t.Errorf("it is open after three attempts: %v", answer)
					}
					return
				}
				answer := gatewaytest.Do(t.Context(), h)
				if opens := codeOf(answer) == gateway.BreakerOpen; opens != c.opens || !opens && answer != 200 {
					t.Errorf("the next answer is %v, want open %t", answer, c.opens)
				}
			})
		})
	}
}

func TestAnOpenBreakerRefusesAtOnceAndSaysForHowLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := gatewaytest.Answers(errDown)
		h := gateway.Chain(target, quick.Policy(smart, policy.Tools{Breakers: new(policy.Breakers)}))
		var last *gateway.Call
		for range 4 {
			last = gateway.NewCall(http.MethodGet, "/", nil)
			gatewaytest.DoCall(t.Context(), h, last)
		}
		if notes := last.Notes(); len(notes) != 1 || notes[0].Policy != "breaker" || notes[0].Decision != "opened" {
			t.Errorf("the call that opened it says %v", notes)
		}
		time.Sleep(4 * time.Second)
		call := gateway.NewCall(http.MethodGet, "/", nil)
		err, _ := gatewaytest.DoCall(t.Context(), h, call).(error)
		if e := gateway.AsError(err); e.Code != gateway.BreakerOpen || e.Code.Status() != 503 || e.RetryAfter != 6*time.Second {
			t.Errorf("refused with %v, to be asked again after %s", err, e.RetryAfter)
		}
		if gateway.FailureOf(nil, err) != gateway.FailRefused {
			t.Error("retry would ask again, and fallback would not pass over it")
		}
		if notes := call.Notes(); len(notes) != 1 || notes[0].Decision != "refused" {
			t.Errorf("noted %v", notes)
		}
		if target.Tries() != 4 {
			t.Errorf("%d attempts", target.Tries())
		}
	})
}

func TestAnOpenBreakerLetsProbesThroughAndClosesIfAllSucceed(t *testing.T) {
	for _, c := range []struct {
		name   string
		probes []any
		closes bool
	}{
		{"both succeed", []any{200, 200}, true},
		{"the second fails", []any{200, 500}, false},
		{"the first breaks off", []any{broke(gateway.Truncated)}, false},
		{"a failure", []any{errDown}, false},
		{"one is left by its client", []any{canceled, 200, 200}, true},
		{"one is the caller's mistake", []any{400, 200, 200}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				breakers := new(policy.Breakers)
				target := gatewaytest.Answers(append([]any{errDown, errDown, errDown, errDown}, append(c.probes, 200)...)...)
				h := gateway.Chain(target, quick.Policy(smart, policy.Tools{Breakers: breakers}))
				for range 4 {
					gatewaytest.Do(t.Context(), h)
				}
				state := func() int { return breakers.States()[0].State }
				if state() != 2 {
					t.Fatalf("its state is %d", state())
				}
				time.Sleep(quick.Open + time.Millisecond)
				if state() != 1 {
					t.Errorf("its state is %d when probes may pass", state())
				}
				for range c.probes {
					gatewaytest.Do(t.Context(), h)
				}
				answer := gatewaytest.Do(t.Context(), h)
				if closed := answer == 200; closed != c.closes {
					t.Errorf("the next answer is %v, want closed %t", answer, c.closes)
				}
			})
		})
	}
}

func TestNoMoreThanTheProbesAreUnderWayAtAHalfOpenTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		slow := func(context.Context, *gateway.Call) (*gateway.Reply, error) {
			<-release
			return gateway.NewReply(http.StatusOK, nil, nil, 0, nil), nil
		}
		h := gateway.Chain(gatewaytest.Answers(errDown, errDown, errDown, errDown, slow), quick.Policy(smart, policy.Tools{Breakers: new(policy.Breakers)}))
		for range 4 {
			gatewaytest.Do(t.Context(), h)
		}
		time.Sleep(quick.Open + time.Millisecond)
		answers := make(chan any, 5)
		for range cap(answers) {
			go func() { answers <- gatewaytest.Do(t.Context(), h) }()
		}
		synctest.Wait()
		if refused := len(answers); refused != 3 {
			t.Errorf("%d of 5 were refused, want all but two probes", refused)
		}
		close(release)
		synctest.Wait()
		if answer := gatewaytest.Do(t.Context(), h); answer != 200 {
			t.Errorf("the probes have succeeded: %v", answer)
		}
	})
}

func TestABreakerForgetsWhatIsLongAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := gateway.Chain(gatewaytest.Answers(errDown, errDown, 200, errDown, errDown, 200), quick.Policy(smart, policy.Tools{Breakers: new(policy.Breakers)}))
		for range 2 {
			gatewaytest.Do(t.Context(), h)
		}
		time.Sleep(quick.Window + time.Second)
		for range 3 {
			gatewaytest.Do(t.Context(), h)
		}
		if answer := gatewaytest.Do(t.Context(), h); answer != 200 {
			t.Errorf("four failures, of which two are long ago: %v", answer)
		}
	})
}

func TestABreakerSurvivesAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		breakers := new(policy.Breakers)
		build := func(b policy.Breaker, target gateway.Target) gateway.Handler {
			return gateway.Chain(gatewaytest.Answers(errDown), b.Policy(&target, policy.Tools{Breakers: breakers}))
		}
		first := build(*quick, *smart)
		for range 4 {
			gatewaytest.Do(t.Context(), first)
		}
		other, longer := *smart, *quick
		other.Model, longer.Open = "gpt-5-mini", time.Hour
		for name, c := range map[string]struct {
			h    gateway.Handler
			code gateway.Code
		}{
			"the same target and settings": {build(*quick, *smart), gateway.BreakerOpen},
			"another model":                {build(*quick, other), gateway.UpstreamFailed},
			"other settings":               {build(longer, *smart), gateway.UpstreamFailed},
		} {
			if answer := gatewaytest.Do(t.Context(), c.h); codeOf(answer) != c.code {
				t.Errorf("%s: %v", name, answer)
			}
		}
		if states := breakers.States(); len(states) != 2 || states[0].State != 2 || states[1].State != 0 {
			t.Errorf("the states of two targets are %v", states)
		}
	})
}

func TestTheTimeOfACallIsNotItsTargetsFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := gateway.Chain(gateway.HandlerFunc(func(ctx context.Context, _ *gateway.Call) (*gateway.Reply, error) {
			<-ctx.Done()
			return nil, gateway.Errorf(gateway.UpstreamTimeout, "late")
		}), quick.Policy(smart, policy.Tools{Breakers: new(policy.Breakers)}))
		for range 6 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if answer := gatewaytest.Do(ctx, h); codeOf(answer) != gateway.UpstreamTimeout {
				t.Errorf("answer %v", answer)
			}
			cancel()
		}
	})
}

// TestMadeUpTargetsTakeNoMoreThanTheirRoom makes up more models than there is
// room for.
func TestMadeUpTargetsTakeNoMoreThanTheirRoom(t *testing.T) {
	breakers := new(policy.Breakers)
	for i := range 5000 {
		quick.Policy(&gateway.Target{Upstream: "openai", Model: string(rune('a'+i%26)) + http.StatusText(400+i%100) + time.Duration(i).String()}, policy.Tools{Breakers: breakers})
	}
	if n := len(breakers.States()); n != 200 {
		t.Errorf("the metric has %d series", n)
	}
}
