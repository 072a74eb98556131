package observe

import (
	"context"

	"github.com/spanway/spanway/internal/gateway"
)

// Queue is the joint around the wait for room at a target.
func (o *Observer) Queue(ctx context.Context, _ *gateway.Call) (end func()) {
	_, span := o.tracer.Start(ctx, "queue")
	return func() { span.End() }
}
