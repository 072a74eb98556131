package policy

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/gateway"
)

// Retry sends a call again to the target where it failed, if that may help.
type Retry struct {
	Attempts   int           `yaml:"attempts"`    // in all, the first one with them
	Backoff    time.Duration `yaml:"backoff"`     // the longest wait before the second; it doubles with each
	MaxBackoff time.Duration `yaml:"max_backoff"` // and is no longer than this
	MaxWait    time.Duration `yaml:"max_wait"`    // the longest that a target may ask for with Retry-After
	Budget     int           `yaml:"budget"`      // at most so many retries for a hundred calls to the target, ...
	Floor      int           `yaml:"floor"`       // ... and so many more in ten seconds
}

// DefaultRetry is what a retry that says nothing of itself does.
func DefaultRetry() *Retry {
	return &Retry{
		Attempts: 3, Backoff: 200 * time.Millisecond, MaxBackoff: 5 * time.Second, MaxWait: 30 * time.Second,
		Budget: 20, Floor: 10,
	}
}

// noRetry is in force where no retry is written: what met a connection that had
// been closed while it rested is sent again all the same, as it is no failure of
// anybody.
var noRetry = &Retry{Attempts: 1}

const (
	maxAttempts = 10

	// mostStale is how many connections in a row may turn out to be dead as a
	// call is written to them. Nothing of it has been delivered then, so these
	// attempts count against neither attempts nor budget.
	mostStale = 10
)

// Check reports what is wrong with the settings.
func (r Retry) Check(p check.Problems) {
	if r.Attempts < 1 || r.Attempts > maxAttempts {
		p.Addf("attempts", "must be between 1 and %d, is %d", maxAttempts, r.Attempts)
	}
	for _, wait := range []struct {
		field string
		value time.Duration
	}{{"backoff", r.Backoff}, {"max_backoff", r.MaxBackoff}, {"max_wait", r.MaxWait}} {
		if wait.value < 0 {
			p.Addf(wait.field, "must not be negative, is %s", wait.value)
		}
	}
	if r.Budget < 0 || r.Budget > 100 {
		p.Addf("budget", "must be between 0 and 100, retries for a hundred calls, is %d", r.Budget)
	}
	if r.Floor < 0 {
		p.Addf("floor", "must not be negative, is %d", r.Floor)
	}
}

// Policy sends calls again. The budget is that of the target, whoever asks it.
func (r *Retry) Policy(target *gateway.Target, tools Tools) gateway.Policy {
	budget := tools.Budgets.of(target, nil, func() *budget { return new(budget) })
	return func(next gateway.Handler) gateway.Handler {
		return gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
			if r.Attempts > 1 {
				budget.called(time.Now())
			}
			var before setAside
			for n, stale := 1, 0; ; {
				reply, err := next.Handle(ctx, call)
				failure := gateway.FailureOf(reply, err)
				if failure == gateway.FailRefused && n+stale > 1 {
					return before.outcome() // it tells the caller more
				}
				o := outcome{reply, err, failure}
				if failure == "" || ctx.Err() != nil || !o.resendable(call) {
					return reply, err
				}
				if o.stale() && stale < mostStale {
					stale++
					before = o.aside()
					continue
				}
				wait, source, ok := r.wait(call, o, n, tools.Jitter)
				if !ok {
					return reply, err
				}
				if !budget.take(r, time.Now()) {
					call.Note("retry", "exhausted", gateway.Fact{Key: "target", Value: nameOf(target)}, gateway.Fact{Key: "why", Value: string(failure)})
					return reply, err
				}
				n++
				before = o.aside()
				if wait == 0 {
					continue
				}
				if err := tools.Wait(ctx, call, string(failure), source, wait); err != nil {
					return nil, err
				}
			}
		})
	}
}

// The sources of a wait, as its span says them.
const (
	computed = "computed"
	server   = "server"
)

// wait says how long to wait after attempt n, and whether it makes sense at all:
// neither where another attempt would end like this one, nor where the caller
// will not wait so long.
func (r *Retry) wait(call *gateway.Call, o outcome, n int, spread func(time.Duration) time.Duration) (wait time.Duration, source string, ok bool) {
	if n >= r.Attempts || o.forbidsRetry() {
		return 0, "", false
	}
	switch o.failure {
	case gateway.FailAuth, gateway.FailBilling:
		return 0, computed, o.otherKey()
	case gateway.FailRateLimited:
		if o.otherKey() {
			return 0, computed, true
		}
	case gateway.FailOverloaded, gateway.FailServer, gateway.FailStreamError, gateway.FailTransport, gateway.FailProtocol,
		gateway.FailConnect, gateway.FailFirstToken, gateway.FailIdle, gateway.FailTotal:
	default:
		return 0, "", false
	}
	now := time.Now()
	wait, asked := o.retryAfter(now)
	switch {
	case asked && wait > r.MaxWait:
		return 0, "", false
	case asked:
		source = server
	default:
		wait, source = spread(min(r.Backoff<<(n-1), r.MaxBackoff)), computed
	}
	if !call.Deadline.IsZero() && !now.Add(wait).Before(call.Deadline) {
		return 0, "", false
	}
	return wait, source, true
}

// Jitter spreads those who failed together over the whole of a wait.
func Jitter(most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	return rand.N(most + 1)
}
