// Package policy holds the policies: a file each, and in each the same parts in
// the same order, settings, defaults, Check, Policy. A policy answers in a
// call's place, sends it on, or looks at what comes back. It says what it
// decided with call.Note and imports neither telemetry nor a logger.
package policy

import "github.com/spanway/spanway/internal/gateway"

// Admission holds the policies that a call meets once, in the order in which it
// meets them. The file turns them on and sets them; it does not reorder them.
type Admission struct {
	Auth         *Auth   `yaml:"auth"`
	OnClientGone Leaving `yaml:"on_client_gone"`
}

// Attempt holds the policies that stand around each attempt, outermost first.
type Attempt struct {
	Timeout *Timeout `yaml:"timeout"`
}

// Tools is what policies need from outside. Tests fill in what they use.
type Tools struct {
	Callers *Callers // whose keys are known
	Memory  *Memory  // the room for request bodies, shared by all calls
}

// Admit returns the admission stretch of a route.
//
// The order is an argument: auth before anything is read, counted or kept; read
// before anything asks what the body says; scope as soon as the model is known;
// the client's leaving last, because what comes before it is for the client alone.
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
	}
	if a.OnClientGone != "" && a.OnClientGone != LeavingCancels {
		policies = append(policies, a.OnClientGone.Policy())
	}
	return policies
}

// Around returns the policies around each attempt, outermost first. The joint
// that opens the attempt's span comes after them.
func (a Attempt) Around() []gateway.Policy {
	var policies []gateway.Policy
	if a.Timeout != nil {
		policies = append(policies, a.Timeout.Policy())
	}
	return policies
}
