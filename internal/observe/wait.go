package observe

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/telemetry"
)

// Wait is the joint around a wait that the gateway itself decided on. It is a
// span beside the attempts: reason is the kind of failure that it follows,
// source says who set its length. On error the call is over.
func (o *Observer) Wait(ctx context.Context, call *gateway.Call, reason, source string, d time.Duration) error {
	began := time.Now()
	_, span := o.tracer.Start(ctx, "backoff", internal, trace.WithAttributes(
		telemetry.SpanwayBackoffReason.String(reason), telemetry.SpanwayBackoffSource.String(source)))
	defer func() {
		call.Waited(time.Since(began))
		span.End()
	}()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
