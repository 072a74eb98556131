package gateway

import (
	"context"
	"slices"
)

// Handler answers a call. On return, either the reply or the error is nil,
// never both. Whoever gets a reply closes it.
type Handler interface {
	Handle(ctx context.Context, call *Call) (*Reply, error)
}

// HandlerFunc is a function that is a Handler.
type HandlerFunc func(context.Context, *Call) (*Reply, error)

// Handle implements [Handler].
func (f HandlerFunc) Handle(ctx context.Context, call *Call) (*Reply, error) { return f(ctx, call) }

// Policy puts a step in front of the next handler.
type Policy func(next Handler) Handler

// Chain puts policies in front of h. A call meets them in the order written.
func Chain(h Handler, policies ...Policy) Handler {
	for _, policy := range slices.Backward(policies) {
		h = policy(h)
	}
	return h
}
