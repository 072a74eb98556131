package policy

import (
	"context"

	"github.com/spanway/spanway/internal/gateway"
)

// Unread stands in front of a route on which a call's body is not read, so that
// nobody knows which model is asked for: it refuses keys that may not ask for all.
func Unread(callers *Callers) gateway.Policy {
	return func(next gateway.Handler) gateway.Handler {
		return gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
			if key := callers.byName[call.Caller]; key != nil && len(key.Models) > 0 {
				call.Note("scope", "refused")
				return nil, gateway.Errorf(gateway.Forbidden, "this API key is for some models only, and at this path the model is not read")
			}
			return next.Handle(ctx, call)
		})
	}
}
