package policy

import (
	"context"
	"time"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/gateway"
)

// Concurrency bounds how many attempts are under way at a target at once: a slow
// target then holds up its own calls, and not all there are. A stream is under
// way until it is closed.
type Concurrency struct {
	Max      int           `yaml:"max"`      // attempts at once
	Queue    int           `yaml:"queue"`    // attempts that wait for another to end; 0 refuses at once
	Wait     time.Duration `yaml:"wait"`     // for so long
	Adaptive bool          `yaml:"adaptive"` // finds the bound between min and max by itself, by how long replies take
	Min      int           `yaml:"min"`
}

// DefaultConcurrency keeps one target from taking all there is.
func DefaultConcurrency() *Concurrency {
	return &Concurrency{Max: 1000, Wait: time.Second, Min: 4}
}

// Check reports what is wrong with the settings.
func (c Concurrency) Check(p check.Problems) {
	if c.Max < 1 {
		p.Addf("max", "must be at least 1, is %d", c.Max)
	}
	if c.Queue < 0 {
		p.Addf("queue", "must not be negative, is %d", c.Queue)
	}
	if c.Queue > 0 && c.Wait <= 0 {
		p.Addf("wait", "must be more than 0s where there is a queue, is %s", c.Wait)
	}
	if c.Adaptive && (c.Min < 1 || c.Min > c.Max) {
		p.Addf("min", "must be at least 1 and at most max, is %d", c.Min)
	}
}

// Limiters are the bounds of a process, by target.
type Limiters struct{ targets[*limiter] }

// Policy lets an attempt through if there is room at the target, or comes to be
// while it waits.
func (c *Concurrency) Policy(target *gateway.Target, tools Tools) gateway.Policy {
	room := tools.Limiters.of(target, *c, func() *limiter { return newLimiter(*c) })
	return func(next gateway.Handler) gateway.Handler {
		return gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
			if err := room.enter(ctx, call, target, tools); err != nil {
				return nil, err
			}
			began := time.Now()
			reply, err := next.Handle(ctx, call)
			took, told := time.Since(began), sampleOf(gateway.FailureOf(reply, err), err)
			if ctx.Err() != nil {
				told = noSample // it was the call's own time that was over
			}
			if err != nil {
				room.leave(took, told)
				return nil, err
			}
			reply.OnDone(func(*gateway.Reply) { room.leave(took, told) })
			return reply, nil
		})
	}
}

// sample says what the end of an attempt tells of its target's load.
type sample int

const (
	noSample sample = iota
	fine            // its latency counts
	overload
)

func sampleOf(failure gateway.Failure, err error) sample {
	switch failure {
	case "":
		if err == nil {
			return fine
		}
	case gateway.FailRateLimited, gateway.FailOverloaded, gateway.FailConnect, gateway.FailFirstToken, gateway.FailIdle, gateway.FailTotal:
		return overload
	}
	return noSample
}

// enter takes a place, or says that there is none.
func (l *limiter) enter(ctx context.Context, call *gateway.Call, target *gateway.Target, tools Tools) error {
	place, waits := l.take()
	switch {
	case place:
		return nil
	case waits == nil:
		return full(call, target)
	}
	if tools.Queue != nil {
		defer tools.Queue(ctx, call)()
	}
	due := time.NewTimer(l.settings.Wait)
	defer due.Stop()
	select {
	case <-waits:
		return nil
	case <-due.C:
	case <-ctx.Done():
	}
	if l.gone(waits) { // no place came in the same moment
		if ctx.Err() != nil {
			return gateway.AsError(context.Cause(ctx))
		}
		return full(call, target)
	}
	return nil
}

func full(call *gateway.Call, target *gateway.Target) error {
	call.Note("concurrency", "refused", gateway.Fact{Key: "upstream", Value: target.Upstream})
	e := gateway.Errorf(gateway.Overloaded, "too many calls to %s are under way; try again shortly", target.Upstream)
	e.RetryAfter = retrySoon
	return e
}
