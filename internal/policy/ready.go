package policy

import (
	"github.com/sony/gobreaker/v2"

	"github.com/spanway/spanway/internal/gateway"
)

// Ready returns what says, in a word, why a target is not to be had now, and ""
// where it is; nil where it always is. It is asked before a target is chosen, so
// that a call goes straight to one that may answer.
func (a Attempt) Ready(target *gateway.Target, tools Tools) func() string {
	if a.Breaker == nil {
		return nil
	}
	state := tools.Breakers.of(target, *a.Breaker, func() *breaker { return a.Breaker.make(target) })
	return func() string {
		if state.gate.State() == gobreaker.StateOpen {
			return string(gateway.BreakerOpen)
		}
		return ""
	}
}

// Resends reports whether a call may be sent more than once.
func (a Attempt) Resends() bool {
	return a.Hedge != nil || a.Retry != nil && a.Retry.Attempts > 1
}
