// Package policy holds the policies: a file each, and in each the same parts in
// the same order, settings, defaults, Check, Policy. A policy answers in a
// call's place, sends it on, or looks at what comes back. It says what it
// decided with call.Note and imports neither telemetry nor a logger.
package policy

import (
	"cmp"
	"context"
	"time"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// Admission holds the policies that a call meets once, in the order in which it
// meets them. The file turns them on and sets them; it does not reorder them.
type Admission struct {
	Auth         *Auth   `yaml:"auth"`
	Redact       *Redact `yaml:"redact"`
	OnClientGone Leaving `yaml:"on_client_gone"`
}

// Attempt holds the policies that stand around each attempt, outermost first.
type Attempt struct {
	Hedge       *Hedge       `yaml:"hedge"`
	Retry       *Retry       `yaml:"retry"`
	Breaker     *Breaker     `yaml:"breaker"`
	Concurrency *Concurrency `yaml:"concurrency"`
	Timeout     *Timeout     `yaml:"timeout"`
	Fault       *Fault       `yaml:"fault"`
}

// Tools is what policies need from outside. Tests fill in what they use.
type Tools struct {
	Callers *Callers // whose keys are known
	Memory  *Memory  // the room for request bodies, shared by all calls
	Faults  *Faults  // the experiments that are running

	// What is known of targets, by target. All of it lives as long as the process.
	Budgets  *Budgets
	Breakers *Breakers
	Limiters *Limiters
	Paces    *Paces

	// Jitter gives the wait before a retry that is at most so long: [Jitter], but in tests.
	Jitter func(most time.Duration) time.Duration
	// Wait waits on behalf of a call, and shows it; on error the call is over.
	Wait func(ctx context.Context, call *gateway.Call, reason, source string, d time.Duration) error
	// Queue shows that a call waits for room at its target, until end. It may be nil.
	Queue func(ctx context.Context, call *gateway.Call) (end func())
}

// Admit returns the admission stretch of a route.
//
// The order is an argument: auth before anything is read, counted or kept; read
// before anything asks what the body says; scope as soon as the model is known; redact
// before anything is kept or sent; the client's leaving last, because what comes before it
// is for the client alone.
func (a Admission) Admit(route *gateway.Route, tools Tools) []gateway.Policy {
	var policies []gateway.Policy
	auth := a.Auth != nil && a.Auth.On
	if auth {
		policies = append(policies, a.Auth.Policy(tools))
	}
	if route.Operation != "" {
		policies = append(policies, Read(route.Operation, tools.Memory))
		if auth {
			policies = append(policies, Scope(tools.Callers))
		}
		if a.Redact != nil && route.Operation != llm.Models {
			policies = append(policies, a.Redact.Policy(route.Operation))
		}
	}
	if a.OnClientGone != "" && a.OnClientGone != LeavingCancels {
		policies = append(policies, a.OnClientGone.Policy())
	}
	return policies
}

// Around returns the policies around each attempt at a target, outermost first:
// those outside of the joint that opens the attempt's span, those within it, and
// those between the target's dialect and the wire.
//
// The order is an argument: hedge outermost, so that each of two attempts has
// what all others have; breaker within retry, so that each attempt is counted;
// concurrency within the breaker, which knows that a full queue is no failure;
// fault innermost, so that all that reacts to failures can be tried out.
func (a Attempt) Around(target *gateway.Target, tools Tools) (outside, within, wire []gateway.Policy) {
	if a.Hedge != nil {
		outside = append(outside, a.Hedge.Policy(target, tools))
	}
	outside = append(outside, cmp.Or(a.Retry, noRetry).Policy(target, tools))
	if a.Breaker != nil {
		outside = append(outside, a.Breaker.Policy(target, tools))
	}
	if a.Concurrency != nil {
		outside = append(outside, a.Concurrency.Policy(target, tools))
	}
	if a.Timeout != nil {
		outside = append(outside, a.Timeout.Policy())
	}
	if a.Fault != nil {
		within = append(within, a.Fault.Policy(tools))
		wire = append(wire, a.Fault.Wire())
	}
	return outside, within, wire
}
