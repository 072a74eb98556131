package policy_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/policy"
)

// BenchmarkAroundAnAttempt is what each policy adds to an attempt that goes well.
func BenchmarkAroundAnAttempt(b *testing.B) {
	tools := policy.Tools{
		Faults: policy.NewFaults(1), Breakers: new(policy.Breakers), Limiters: new(policy.Limiters), Paces: new(policy.Paces),
	}
	fault := new(policy.Fault)
	for _, c := range []struct {
		name   string
		policy gateway.Policy
	}{
		{"nothing", func(next gateway.Handler) gateway.Handler { return next }},
		{"fault", func(next gateway.Handler) gateway.Handler {
			return gateway.Chain(next, fault.Policy(tools), fault.Wire())
		}},
		{"breaker", policy.DefaultBreaker().Policy(smart, tools)},
		{"concurrency", policy.DefaultConcurrency().Policy(smart, tools)},
		{"adaptive", (&policy.Concurrency{Max: 1000, Min: 4, Adaptive: true}).Policy(smart, tools)},
		{"hedge", (&policy.Hedge{After: time.Hour, Share: 1}).Policy(smart, tools)},
	} {
		b.Run(c.name, func(b *testing.B) {
			h := gateway.Chain(gateway.HandlerFunc(func(context.Context, *gateway.Call) (*gateway.Reply, error) {
				return gateway.NewReply(http.StatusOK, http.Header{}, nil, 0, nil), nil
			}), c.policy)
			call := attempt(false)
			b.ReportAllocs()
			for b.Loop() {
				reply, err := h.Handle(b.Context(), call)
				if err != nil {
					b.Fatal(err)
				}
				reply.Close()
			}
		})
	}
}
