package policy_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/gatewaytest"
	"github.com/spanway/spanway/internal/policy"
)

// takes answers after so long.
func takes(d time.Duration) gateway.HandlerFunc {
	return func(ctx context.Context, _ *gateway.Call) (*gateway.Reply, error) {
		select {
		case <-time.After(d):
			return gateway.NewReply(http.StatusOK, nil, nil, 0, nil), nil
		case <-ctx.Done():
			return nil, gateway.AsError(context.Cause(ctx))
		}
	}
}

func bounded(c policy.Concurrency, target gateway.Handler) gateway.Handler {
	return gateway.Chain(target, c.Policy(smart, policy.Tools{Limiters: new(policy.Limiters)}))
}

// together sends so many calls at once and returns how many got each answer.
func together(t *testing.T, h gateway.Handler, n int) map[any]int {
	t.Helper()
	answers := make(chan any, n)
	for range n {
		go func() {
			answer := gatewaytest.Do(t.Context(), h)
			if code := codeOf(answer); code != "" {
				answer = code
			}
			answers <- answer
		}()
	}
	counted := map[any]int{}
	for range n {
		counted[<-answers]++
	}
	return counted
}

func TestConcurrencyBoundsWhatIsUnderWayAtATarget(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings policy.Concurrency
		refused  int // of ten at once, each of which takes a second
		takes    time.Duration
	}{
		{"room for all", policy.Concurrency{Max: 10}, 0, time.Second},
		{"no queue", policy.Concurrency{Max: 4}, 6, time.Second},
		{"a queue", policy.Concurrency{Max: 4, Queue: 2, Wait: time.Minute}, 4, 2 * time.Second},
		{"a queue for all", policy.Concurrency{Max: 4, Queue: 6, Wait: time.Minute}, 0, 3 * time.Second},
		{"a short wait", policy.Concurrency{Max: 4, Queue: 6, Wait: 1500 * time.Millisecond}, 2, 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				h := bounded(c.settings, takes(time.Second))
				answers := together(t, h, 10)
				if answers[gateway.Overloaded] != c.refused || answers[200] != 10-c.refused || time.Since(began) != c.takes {
					t.Errorf("%v after %s, want %d refused after %s", answers, time.Since(began), c.refused, c.takes)
				}
				if again := together(t, h, c.settings.Max); again[200] != c.settings.Max {
					t.Errorf("places were lost: %v", again)
				}
			})
		})
	}
}

func TestARefusalForWantOfRoomComesAtOnceAndNamesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := bounded(policy.Concurrency{Max: 1}, takes(time.Second))
		go gatewaytest.Do(t.Context(), h)
		synctest.Wait()
		began, call := time.Now(), gateway.NewCall(http.MethodGet, "/", nil)
		err, _ := gatewaytest.DoCall(t.Context(), h, call).(error)
		if e := gateway.AsError(err); e.Code != gateway.Overloaded || e.RetryAfter == 0 || time.Since(began) != 0 {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if gateway.FailureOf(nil, err) != gateway.FailRefused {
			t.Error("it is taken for a failure of the target")
		}
		if notes := call.Notes(); len(notes) != 1 || notes[0].Policy != "concurrency" || notes[0].Decision != "refused" {
			t.Errorf("noted %v", notes)
		}
	})
}

func TestAStreamKeepsItsPlaceUntilItIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := bounded(policy.Concurrency{Max: 1}, takes(0))
		reply, err := h.Handle(t.Context(), gateway.NewCall(http.MethodGet, "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		if answer := gatewaytest.Do(t.Context(), h); codeOf(answer) != gateway.Overloaded {
			t.Errorf("beside an open stream: %v", answer)
		}
		reply.Close()
		if answer := gatewaytest.Do(t.Context(), h); answer != 200 {
			t.Errorf("after it: %v", answer)
		}
	})
}

func TestWhoLeavesTheQueueTakesNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := bounded(policy.Concurrency{Max: 1, Queue: 1, Wait: time.Minute}, takes(10*time.Second))
		go gatewaytest.Do(t.Context(), h)
		synctest.Wait()
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		if answer := gatewaytest.Do(ctx, h); codeOf(answer) != gateway.Canceled {
			t.Errorf("whoever left got %v", answer)
		}
		if answer := gatewaytest.Do(t.Context(), h); answer != 200 { // in the place in the queue
			t.Errorf("whoever came after got %v", answer)
		}
		if answer := gatewaytest.Do(t.Context(), h); answer != 200 {
			t.Errorf("a place was lost: %v", answer)
		}
	})
}

// TestAPlaceThatComesAsTheWaitEndsIsNotLost lets both happen in the same moment,
// often enough for either to be seen first.
func TestAPlaceThatComesAsTheWaitEndsIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := bounded(policy.Concurrency{Max: 1, Queue: 1, Wait: time.Second}, takes(time.Second))
		for range 100 {
			together(t, h, 2)
			if answer := gatewaytest.Do(t.Context(), h); answer != 200 {
				t.Fatalf("a place was lost: %v", answer)
			}
		}
	})
}

func TestAWaitInTheQueueIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []time.Duration
		tools := policy.Tools{Limiters: new(policy.Limiters), Queue: func(context.Context, *gateway.Call) func() {
			began := time.Now()
			return func() { waits = append(waits, time.Since(began)) }
		}}
		c := &policy.Concurrency{Max: 1, Queue: 1, Wait: time.Minute}
		h := gateway.Chain(takes(3*time.Second), c.Policy(smart, tools))
		together(t, h, 2)
		if len(waits) != 1 || waits[0] != 3*time.Second {
			t.Errorf("shown were %v", waits)
		}
	})
}

// crowd is a target that has room for so many attempts; the more there are
// beyond, the longer each takes.
type crowd struct {
	room    int
	refuses bool // what is beyond, instead

	mu   sync.Mutex
	used int
	most int
	all  int
	told int // to come later
}

func (c *crowd) Handle(context.Context, *gateway.Call) (*gateway.Reply, error) {
	c.mu.Lock()
	c.used++
	c.most = max(c.most, c.used)
	c.all++
	used := c.used
	c.mu.Unlock()
	status := http.StatusOK
	if !c.refuses {
		time.Sleep(100 * time.Millisecond * time.Duration(max(used, c.room)) / time.Duration(c.room))
	} else if time.Sleep(100 * time.Millisecond); used > c.room {
		status = 529
	}
	c.mu.Lock()
	if c.used--; status == 529 {
		c.told++
	}
	c.mu.Unlock()
	return gateway.NewReply(status, nil, nil, 0, nil), nil
}

// TestTheAdaptiveBoundFindsTheRoomThatATargetHas keeps many more callers asking
// than the target bears, for a minute, and looks at its second half.
func TestTheAdaptiveBoundFindsTheRoomThatATargetHas(t *testing.T) {
	for _, c := range []struct {
		name        string
		target      *crowd
		least, most int
	}{
		{"slow when it is full", &crowd{room: 50}, 50, 200},
		{"refuses when it is full", &crowd{room: 50, refuses: true}, 40, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := bounded(policy.Concurrency{Max: 1000, Min: 4, Adaptive: true}, c.target)
				began := time.Now()
				var callers sync.WaitGroup
				for range 400 {
					callers.Go(func() {
						for time.Since(began) < time.Minute {
							gatewaytest.Do(t.Context(), h)
							time.Sleep(50 * time.Millisecond)
						}
					})
				}
				time.Sleep(30 * time.Second)
				c.target.mu.Lock()
				c.target.most, c.target.all, c.target.told = 0, 0, 0
				c.target.mu.Unlock()
				callers.Wait()
				if most := c.target.most; most < c.least || most > c.most {
					t.Errorf("at most %d were under way, want %d to %d", most, c.least, c.most)
				}
				if told, all := c.target.told, c.target.all; told > all/4 {
					t.Errorf("%d of %d were told to come later", told, all)
				}
			})
		})
	}
}

func TestTheAdaptiveBoundStaysWithinItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := bounded(policy.Concurrency{Max: 8, Min: 2, Adaptive: true}, gatewaytest.Answers(529))
		for range 100 {
			gatewaytest.Do(t.Context(), h)
		}
		h2 := bounded(policy.Concurrency{Max: 8, Min: 2, Adaptive: true}, takes(time.Second))
		for range 100 {
			if answers := together(t, h2, 8); answers[200] < 2 {
				t.Fatalf("%v", answers)
			}
		}
		if answers := together(t, h2, 20); answers[200] != 8 {
			t.Errorf("of twenty at once, more than max or fewer than a calm target bears: %v", answers)
		}
	})
}

func TestACallersHasteDoesNotLowerTheAdaptiveBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := gateway.HandlerFunc(func(ctx context.Context, _ *gateway.Call) (*gateway.Reply, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		})
		tools := policy.Tools{Limiters: new(policy.Limiters)}
		limit := policy.Concurrency{Max: 6, Min: 1, Adaptive: true}
		h := gateway.Chain(slow, limit.Policy(smart, tools))
		for range 20 {
			hasty, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, gateway.Errorf(gateway.UpstreamTimeout, "the caller waits no longer"))
			_, _ = h.Handle(hasty, aChat())
			cancel()
		}
		patient, cancel := context.WithCancel(t.Context())
		defer cancel()
		for i := range 6 {
			go func() {
				if _, err := h.Handle(patient, aChat()); gateway.AsError(err).Code == gateway.Overloaded {
					t.Errorf("there is no room for call %d", i+1)
				}
			}()
			synctest.Wait()
		}
	})
}
