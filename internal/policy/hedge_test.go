package policy_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/gatewaytest"
	"github.com/spanway/spanway/internal/llm"
	"github.com/spanway/spanway/internal/policy"
)

// runner is one attempt as a test writes it: after so long it answers with a
// status, or fails.
type runner struct {
	after    time.Duration
	answer   any  // a status or an error
	stubborn bool // it answers although nobody wants it
}

// track gives runners their attempts in order, and keeps what came of each.
type track struct {
	mu      sync.Mutex
	runners []runner
	begun   int
	seen    []*gateway.Attempt
	causes  []error // why the context of an attempt ended while it ran; nil where it did not
	closed  int
}

func (t *track) Handle(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
	t.mu.Lock()
	r, n := t.runners[min(t.begun, len(t.runners)-1)], t.begun
	t.begun++
	attempt := &gateway.Attempt{Number: n + 1, Target: smart}
	t.seen = append(t.seen, attempt)
	t.causes = append(t.causes, nil)
	t.mu.Unlock()
	call.Caller = strconv.Itoa(n) // two that had the same call would be found out
	due := ctx.Done()
	if r.stubborn {
		due = nil
	}
	select {
	case <-time.After(r.after):
	case <-due:
		t.mu.Lock()
		t.causes[n] = context.Cause(ctx)
		t.mu.Unlock()
		return nil, gateway.AsError(context.Cause(ctx))
	}
	status, ok := r.answer.(int)
	if !ok {
		return nil, r.answer.(error)
	}
	reply := gateway.NewReply(status, nil, strings.NewReader("hello"), 5, closer(func() {
		t.mu.Lock()
		t.closed++
		t.mu.Unlock()
	}))
	reply.Attempt = attempt
	return reply, nil
}

type closer func()

func (c closer) Close() error { c(); return nil }

// aChat is a call that may be sent twice.
func aChat() *gateway.Call {
	call := gateway.NewCall(http.MethodPost, "/v1/chat/completions", nil)
	call.LLM = &llm.Request{Model: "smart"}
	return call
}

func hedged(h policy.Hedge, target gateway.Handler) gateway.Handler {
	return gateway.Chain(target, h.Policy(smart, policy.Tools{Paces: new(policy.Paces)}))
}

var afterASecond = policy.Hedge{After: time.Second, Share: 1}

func TestTheFirstOfTwoRepliesIsTheCalls(t *testing.T) {
	const won, cancelled, none = gateway.Won, gateway.Cancelled, gateway.Race("")
	for _, c := range []struct {
		name    string
		runners []runner
		answer  any // a status or a code
		takes   time.Duration
		races   []gateway.Race // of each attempt that has begun; of those that were cut before their reply, none
		cut     []int          // attempts that were cut because another one was first
	}{
		{"a fast one is alone", []runner{{after: 500 * time.Millisecond, answer: 200}}, 200, 500 * time.Millisecond, []gateway.Race{none}, nil},
		{"the second is faster", []runner{{after: time.Minute, answer: 200}, {after: time.Second, answer: 200}}, 200, 2 * time.Second, []gateway.Race{none, won}, []int{0}},
		{"the first is faster", []runner{{after: 3 * time.Second, answer: 200}, {after: time.Minute, answer: 200}}, 200, 3 * time.Second, []gateway.Race{won, none}, []int{1}},
		{"the first fails early, and is not hedged", []runner{{after: 0, answer: 503}}, 503, 0, []gateway.Race{none}, nil},
		{"the first fails, the second is waited for", []runner{{after: 2 * time.Second, answer: errDown}, {after: 4 * time.Second, answer: 200}}, 200, 5 * time.Second, []gateway.Race{none, won}, nil},
		{"the first answers 503, the second is waited for", []runner{{after: 2 * time.Second, answer: 503}, {after: 4 * time.Second, answer: 200}}, 200, 5 * time.Second, []gateway.Race{cancelled, won}, nil},
		{"the second fails, the first is waited for", []runner{{after: 9 * time.Second, answer: 200}, {after: time.Second, answer: errDown}}, 200, 9 * time.Second, []gateway.Race{won, none}, nil},
		{"the second answers 503, the first is waited for", []runner{{after: 9 * time.Second, answer: 200}, {after: time.Second, answer: 503}}, 200, 9 * time.Second, []gateway.Race{won, cancelled}, nil},
		{"both fail", []runner{{after: 5 * time.Second, answer: errDown}, {after: time.Second, answer: 503}}, gateway.UpstreamFailed, 5 * time.Second, []gateway.Race{none, cancelled}, nil},
		{"both fail, the second last", []runner{{after: 2 * time.Second, answer: 503}, {after: 9 * time.Second, answer: errDown}}, 503, 10 * time.Second, []gateway.Race{none, none}, nil},
		{"the first wins, and the second answers all the same", []runner{{after: 3 * time.Second, answer: 200}, {after: 9 * time.Second, answer: 200, stubborn: true}}, 200, 3 * time.Second, []gateway.Race{won, cancelled}, nil},
		{"the second wins, and the first answers all the same", []runner{{after: 9 * time.Second, answer: 200, stubborn: true}, {after: time.Second, answer: 200}}, 200, 9 * time.Second, []gateway.Race{cancelled, won}, nil},
		{"the caller's mistake is an answer", []runner{{after: time.Minute, answer: 200}, {after: time.Second, answer: 400}}, 400, 2 * time.Second, []gateway.Race{none, won}, []int{0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				track := &track{runners: c.runners}
				call, began := aChat(), time.Now()
				answer := gatewaytest.DoCall(t.Context(), hedged(afterASecond, track), call)
				if code := codeOf(answer); code != "" {
					answer = code
				}
				if answer != c.answer || time.Since(began) != c.takes {
					t.Errorf("%v after %s, want %v after %s", answer, time.Since(began), c.answer, c.takes)
				}
				time.Sleep(time.Hour) // what nobody waits for ends later
				track.mu.Lock()
				defer track.mu.Unlock()
				var races []gateway.Race
				replies := 0
				for i, a := range track.seen {
					races = append(races, a.Race)
					_, isReply := c.runners[i].answer.(int)
					if cut := slices.Contains(c.cut, i); cut != (track.causes[i] == gateway.Superseded) || cut != (track.causes[i] != nil) {
						t.Errorf("attempt %d ended with %v", i+1, track.causes[i])
					} else if isReply && !cut {
						replies++
					}
				}
				if !slices.Equal(races, c.races) {
					t.Errorf("the attempts came out as %q, want %q", races, c.races)
				}
				if track.closed != replies {
					t.Errorf("%d of %d replies were closed", track.closed, replies)
				}
				if notes := call.Notes(); len(notes) != len(c.races)-1 {
					t.Errorf("noted %v", notes)
				}
			})
		})
	}
}

func TestARaceEndsWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		track := &track{runners: []runner{{after: time.Hour, answer: 200}}}
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, leave)
		began := time.Now()
		answer := gatewaytest.DoCall(ctx, hedged(afterASecond, track), aChat())
		if codeOf(answer) != gateway.Canceled || time.Since(began) != 5*time.Second || track.begun != 2 {
			t.Errorf("%v after %s and %d attempts", answer, time.Since(began), track.begun)
		}
	}) // which fails if a goroutine stays behind
}

func TestAPanicOfTheSecondAttemptIsItsFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := gatewaytest.Answers(takes(3*time.Second), gateway.HandlerFunc(func(context.Context, *gateway.Call) (*gateway.Reply, error) {
			panic("a bug")
		}))
		if answer := gatewaytest.DoCall(t.Context(), hedged(afterASecond, target), aChat()); answer != 200 || target.Tries() != 2 {
			t.Errorf("%v after %d attempts", answer, target.Tries())
		}
	})
}

func TestTheWinnersContextLivesAsLongAsItsReply(t *testing.T) {
	for name, runners := range map[string][]runner{
		"alone": {{after: 0, answer: 200}}, "first": {{after: 2 * time.Second, answer: 200}, {after: time.Hour, answer: 200}}, "second": {{after: time.Hour, answer: 200}, {after: 0, answer: 200}},
	} {
		synctest.Test(t, func(t *testing.T) {
			var last []context.Context
			track := &track{runners: runners}
			h := hedged(afterASecond, gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
				reply, err := track.Handle(ctx, call)
				if err == nil {
					last = append(last, ctx)
				}
				return reply, err
			}))
			reply, err := h.Handle(t.Context(), aChat())
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if len(last) != 1 || last[0].Err() != nil {
				t.Errorf("%s: the context has ended, and the body is not read yet", name)
			}
			if _, err := io.ReadAll(reply.Body); err != nil {
				t.Error(err)
			}
			reply.Close()
			if last[0].Err() == nil {
				t.Errorf("%s: the context outlives its reply", name)
			}
		})
	}
}

func TestOnlyCallsThatDoNoHarmTwiceAreHedged(t *testing.T) {
	for _, c := range []struct {
		name  string
		call  func() *gateway.Call
		twice bool
	}{
		{"a chat", aChat, true},
		{"a GET", func() *gateway.Call { return gateway.NewCall(http.MethodGet, "/", nil) }, true},
		{"a PUT", func() *gateway.Call { return gateway.NewCall(http.MethodPut, "/", nil) }, false},
		{"a POST", func() *gateway.Call { return gateway.NewCall(http.MethodPost, "/", nil) }, false},
		{"a POST on a route that is idempotent", func() *gateway.Call {
			call := gateway.NewCall(http.MethodPost, "/", nil)
			call.Route = &gateway.Route{Idempotent: true}
			return call
		}, true},
		{"a body that streams", func() *gateway.Call {
			call := aChat()
			call.Body.Reader = strings.NewReader("{}")
			return call
		}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			track := &track{runners: []runner{{after: time.Minute, answer: 200}}}
			gatewaytest.DoCall(t.Context(), hedged(afterASecond, track), c.call())
			if twice := track.begun == 2; twice != c.twice {
				t.Errorf("%s: %d attempts", c.name, track.begun)
			}
		})
	}
}

func TestHedgingIsBoundedByItsShareOfTheCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		track := &track{runners: []runner{{after: time.Minute, answer: 200}}}
		h := hedged(policy.Hedge{After: time.Second, Share: 0.05}, track)
		for range 1000 {
			gatewaytest.DoCall(t.Context(), h, aChat())
		}
		if second := track.begun - 1000; second < 45 || second > 51 {
			t.Errorf("%d of 1000 calls were sent twice, want a twentieth", second)
		}
	})
}

// TestWithoutATimeHedgingLearnsWhatIsSlow plays a target of which one reply in a
// hundred takes a minute.
func TestWithoutATimeHedgingLearnsWhatIsSlow(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, seed))
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var begun int
		h := hedged(policy.Hedge{Share: 0.05}, gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
			mu.Lock()
			begun++
			after := 500*time.Millisecond + time.Duration(dice.IntN(500))*time.Millisecond
			if begun > 200 && dice.IntN(100) == 0 {
				after = time.Minute
			}
			mu.Unlock()
			return (&track{runners: []runner{{after: after, answer: 200}}}).Handle(ctx, call)
		}))
		var waits []time.Duration
		for range 2000 {
			began := time.Now()
			if answer := gatewaytest.DoCall(t.Context(), h, aChat()); answer != 200 {
				t.Fatal(answer)
			}
			waits = append(waits, time.Since(began))
			synctest.Wait()
		}
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(waits)
		if slow := waits[len(waits)*995/1000]; slow > 3*time.Second {
			t.Errorf("995 of 1000 replies took up to %s", slow)
		}
		if second := begun - 2000; second == 0 || second > 2000*5/100+10 {
			t.Errorf("%d of 2000 calls were sent twice", second)
		}
	})
}

// TestWhatIsSlowForAStreamIsKnownOfStreams sends streams and whole answers to one
// target, of which the whole ones take long.
func TestWhatIsSlowForAStreamIsKnownOfStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		begun, next := 0, []time.Duration{}
		h := hedged(policy.Hedge{Share: 1}, gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
			mu.Lock()
			after := next[0]
			next, begun = next[1:], begun+1
			mu.Unlock()
			return takes(after)(ctx, call)
		}))
		ask := func(stream bool, after ...time.Duration) time.Duration {
			mu.Lock()
			next = after
			mu.Unlock()
			call := aChat()
			call.LLM.Stream = stream
			began := time.Now()
			gatewaytest.DoCall(t.Context(), h, call)
			return time.Since(began)
		}
		for range 100 {
			ask(false, time.Minute, time.Minute)
			ask(true, time.Second, time.Second)
		}
		begun = 0
		if took := ask(true, 30*time.Second, time.Second); took != 2*time.Second || begun != 2 {
			t.Errorf("a slow stream took %s and %d attempts", took, begun)
		}
		begun = 0
		if took := ask(false, 59*time.Second); took != 59*time.Second || begun != 1 {
			t.Errorf("a whole answer took %s and %d attempts", took, begun)
		}
	})
}
