package policy

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/gateway"
)

// Breaker leaves a target alone for a while that keeps failing.
type Breaker struct {
	Rate   float64       `yaml:"rate"`   // the share of failures that opens it
	Volume int           `yaml:"volume"` // of so many attempts at least
	Window time.Duration `yaml:"window"` // that ended within so long
	Open   time.Duration `yaml:"open"`   // how long the target is left alone
	Probes int           `yaml:"probes"` // then so many attempts go through, and all must succeed
}

// DefaultBreaker opens when half of the attempts fail.
func DefaultBreaker() *Breaker {
	return &Breaker{Rate: 0.5, Volume: 20, Window: 30 * time.Second, Open: 10 * time.Second, Probes: 3}
}

// Check reports what is wrong with the settings.
func (b Breaker) Check(p check.Problems) {
	if !(b.Rate > 0 && b.Rate <= 1) { // not the other way round: it may be no number
		p.Addf("rate", "must be more than 0 and at most 1, is %v", b.Rate)
	}
	for _, count := range []struct {
		field string
		value int
	}{{"volume", b.Volume}, {"probes", b.Probes}} {
		if count.value < 1 || count.value > 1_000_000 {
			p.Addf(count.field, "must be from 1 to 1000000, is %d", count.value)
		}
	}
	for _, wait := range []struct {
		field string
		value time.Duration
	}{{"window", b.Window}, {"open", b.Open}} {
		if wait.value < time.Second {
			p.Addf(wait.field, "must be at least 1s, is %s", wait.value)
		}
	}
}

// Breakers are the breakers of a process, by target.
type Breakers struct{ targets[*breaker] }

// breaker is what is known of one target.
type breaker struct {
	target gateway.Target
	gate   *gobreaker.TwoStepCircuitBreaker[struct{}]
	opened atomic.Bool  // and nobody has noted it yet
	probed atomic.Int64 // when it lets probes through, once it is open
	busy   atomic.Uint64
}

// buckets is in how many steps the window moves.
const buckets = 10

func (b *Breaker) make(target *gateway.Target) *breaker {
	made := &breaker{target: *target}
	made.gate = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:  uint32(b.Probes),
		Interval:     b.Window,
		BucketPeriod: b.Window / buckets,
		Timeout:      b.Open,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			ended := c.TotalSuccesses + c.TotalFailures
			return int(ended) >= b.Volume && float64(c.TotalFailures) >= b.Rate*float64(ended)
		},
		OnStateChange: func(_ string, _, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				made.probed.Store(time.Now().Add(b.Open).UnixNano())
				made.opened.Store(true)
			}
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errNoBlame) },
	})
	return made
}

// What the gate is told of an attempt that did not succeed.
var (
	errBlame   = errors.New("the target has failed")
	errNoBlame = errors.New("the target is not to blame")
)

// Policy refuses attempts at a target that keeps failing. An attempt has
// succeeded when its reply begins: a stream may take minutes, and probes are few.
// One that breaks off later counts once more, as a failure.
func (b *Breaker) Policy(target *gateway.Target, tools Tools) gateway.Policy {
	state := tools.Breakers.of(target, *b, func() *breaker { return b.make(target) })
	return func(next gateway.Handler) gateway.Handler {
		return gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
			done, err := state.gate.Allow()
			if err != nil {
				return nil, state.refuse(call)
			}
			reply, err := next.Handle(ctx, call)
			done(state.verdict(ctx, reply, err))
			state.tell(call)
			if err != nil {
				return nil, err
			}
			reply.OnDone(func(reply *gateway.Reply) {
				if reply.Status >= http.StatusBadRequest || !broken(reply.Outcome) {
					return // it has been counted, or came whole
				}
				if done, err := state.gate.Allow(); err == nil {
					done(errBlame)
					state.tell(call)
				}
			})
			return reply, nil
		})
	}
}

func (b *breaker) refuse(call *gateway.Call) error {
	call.Note("breaker", "refused", gateway.Fact{Key: "upstream", Value: b.target.Upstream})
	e := gateway.Errorf(gateway.BreakerOpen, "%s has failed too often and is left alone for now", b.target.Upstream)
	e.RetryAfter = max(time.Until(time.Unix(0, b.probed.Load())), retrySoon)
	return e
}

// tell notes on the call that opened it that it did.
func (b *breaker) tell(call *gateway.Call) {
	if b.opened.Load() && b.opened.Swap(false) {
		call.Note("breaker", "opened", gateway.Fact{Key: "upstream", Value: b.target.Upstream})
	}
}

// verdict says who is to blame. A client that left, what is wrong with a call or
// a key, and what the gateway itself refused, say nothing of the target. One that
// is busy is alive: of such answers every second one counts as a failure.
func (b *breaker) verdict(ctx context.Context, reply *gateway.Reply, err error) error {
	if err != nil && ctx.Err() != nil {
		return errNoBlame // it was the call's own time that was over
	}
	switch gateway.FailureOf(reply, err) {
	case "":
		if err != nil {
			return errNoBlame // of the gateway itself
		}
		return nil
	case gateway.FailRateLimited, gateway.FailOverloaded:
		if b.busy.Add(1)%2 == 0 {
			return errBlame
		}
		return nil
	case gateway.FailAuth, gateway.FailBilling, gateway.FailBadRequest, gateway.FailContextWindow, gateway.FailContentPolicy,
		gateway.FailClientGone, gateway.FailRefused:
		return errNoBlame
	}
	return errBlame
}

// broken reports whether a reply that had begun broke off, and not because of who
// read it.
func broken(outcome gateway.Outcome) bool {
	return outcome == gateway.Truncated || outcome == gateway.Stalled || outcome == gateway.UpstreamError
}

// BreakerState is one breaker as the metric shows it.
type BreakerState struct {
	Target gateway.Target
	State  int // 0 is closed, 1 half open, 2 open
}

// maxShown bounds the series of the metric.
const maxShown = 200

// States returns the state of every breaker, or of the first so many.
func (b *Breakers) States() []BreakerState {
	all := b.all()
	slices.SortFunc(all, func(a, b *breaker) int {
		return cmp.Or(cmp.Compare(a.target.Upstream, b.target.Upstream), cmp.Compare(a.target.Model, b.target.Model))
	})
	states := make([]BreakerState, 0, min(len(all), maxShown))
	for _, b := range all[:min(len(all), maxShown)] {
		now := BreakerState{b.target, int(b.gate.State())}
		if n := len(states); n > 0 && states[n-1].Target == now.Target {
			states[n-1].State = max(states[n-1].State, now.State) // two pipelines lead there, with settings of their own
			continue
		}
		states = append(states, now)
	}
	return states
}
