package policy

import (
	"context"
	"time"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/gateway"
)

// Timeout bounds the waits of one attempt. 0 is no bound.
type Timeout struct {
	Connect    time.Duration `yaml:"connect"`     // until a connection stands
	FirstToken time.Duration `yaml:"first_token"` // until the reply begins
	Idle       time.Duration `yaml:"idle"`        // between two pieces of a reply
	Total      time.Duration `yaml:"total"`       // from the start to the last byte
}

// DefaultTimeout bounds what a file leaves unbounded. Models may think for
// minutes; a hung upstream must not hold a call for ever.
func DefaultTimeout() *Timeout {
	return &Timeout{Connect: 10 * time.Second, FirstToken: 10 * time.Minute, Idle: 5 * time.Minute}
}

// Check reports what is wrong with the settings.
func (t Timeout) Check(p check.Problems) {
	for _, wait := range []struct {
		field string
		value time.Duration
	}{{"connect", t.Connect}, {"first_token", t.FirstToken}, {"idle", t.Idle}, {"total", t.Total}} {
		if wait.value < 0 {
			p.Addf(wait.field, "must not be negative; 0s is no bound; is %s", wait.value)
		}
	}
}

// Policy hands the bounds of single waits to whoever waits, and bounds the whole
// by the context. That context lives as long as the reply's body.
func (t *Timeout) Policy() gateway.Policy {
	return func(next gateway.Handler) gateway.Handler {
		return gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
			bounded := *call
			bounded.Timeouts = gateway.Timeouts{Connect: t.Connect, FirstToken: t.FirstToken, Idle: t.Idle}
			if t.Total == 0 {
				return next.Handle(ctx, &bounded)
			}
			ctx, cancel := context.WithTimeout(ctx, t.Total)
			reply, err := next.Handle(ctx, &bounded)
			if err != nil {
				cancel()
				return nil, err
			}
			reply.OnDone(func(*gateway.Reply) { cancel() })
			return reply, nil
		})
	}
}
