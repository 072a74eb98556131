package policy

import (
	"context"

	"github.com/spanway/spanway/internal/gateway"
)

// Scope refuses a model that the caller's key may not ask for.
func Scope(callers *Callers) gateway.Policy {
	return func(next gateway.Handler) gateway.Handler {
		return gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
			if call.LLM != nil && !callers.May(call.Caller, call.LLM.Model) {
				call.Note("scope", "refused")
				e := gateway.Errorf(gateway.Forbidden, "this API key may not use the model %q", call.LLM.Model)
				e.Param = "model"
				return nil, e
			}
			return next.Handle(ctx, call)
		})
	}
}
