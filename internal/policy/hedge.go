package policy

import (
	"context"
	"net/http"
	"time"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/gateway"
)

// Hedge sends a call a second time, beside the first, where the first is slow to
// begin its reply; the reply that begins first is the call's. What a second
// attempt costs is not known here, so it is the share of calls that is bounded.
type Hedge struct {
	After time.Duration `yaml:"after"` // by default what 95 of 100 replies of the target took of late
	Share float64       `yaml:"share"` // of the calls to a target that may be sent twice
}

// DefaultHedge sends at most one call in twenty twice.
func DefaultHedge() *Hedge { return &Hedge{Share: 0.05} }

// Check reports what is wrong with the settings.
func (h Hedge) Check(p check.Problems) {
	if h.After < 0 {
		p.Addf("after", "must not be negative; 0s is what most replies take; is %s", h.After)
	}
	if !(h.Share > 0 && h.Share <= 1) { // not the other way round: it may be no number
		p.Addf("share", "must be more than 0 and at most 1, is %v", h.Share)
	}
}

// Paces are what a process knows of how fast targets are, by target.
type Paces struct{ targets[*pace] }

// Policy races a slow attempt against a second one. A stream begins with its
// first token and a whole answer with its last, so what is slow is known of each.
func (h *Hedge) Policy(target *gateway.Target, tools Tools) gateway.Policy {
	streams := tools.Paces.of(target, struct {
		Hedge
		stream bool
	}{*h, true}, newPace)
	wholes := tools.Paces.of(target, *h, newPace)
	return func(next gateway.Handler) gateway.Handler {
		return gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
			if !harmless(call) {
				return next.Handle(ctx, call)
			}
			known := wholes
			if call.LLM != nil && call.LLM.Stream {
				known = streams
			}
			after := known.call(h.Share)
			if h.After > 0 {
				after = h.After
			}
			if after > 0 {
				return (&race{ctx: ctx, call: call, next: next, known: known, after: after}).run()
			}
			began := time.Now()
			reply, err := next.Handle(ctx, call)
			if decisive(reply, err) {
				known.took(time.Since(began))
			}
			return reply, err
		})
	}
}

// harmless reports whether a call may be under way twice at once.
func harmless(call *gateway.Call) bool {
	if !call.Body.Replayable() {
		return false
	}
	switch call.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	return call.LLM != nil || call.Route != nil && call.Route.Idempotent
}

// decisive reports whether an attempt has found out what the call gets: an
// answer, or that the call is wrong. Where it failed, the other one is waited for.
func decisive(reply *gateway.Reply, err error) bool {
	if err != nil {
		return false
	}
	switch gateway.FailureOf(reply, nil) {
	case "", gateway.FailBadRequest, gateway.FailContextWindow, gateway.FailContentPolicy:
		return true
	}
	return false
}
