package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/sdk/resource"
)

// openTraces chooses the exporter by OTEL_TRACES_EXPORTER. Without that
// variable it is otlp if an endpoint is set, else the terminal if there is one,
// else none; none is nil.
func openTraces(ctx context.Context, env environment, o *Options, r *resource.Resource) (name string, e exporter, delay time.Duration, err error) {
	asked := env.list("OTEL_TRACES_EXPORTER")
	name = "none"
	switch {
	case len(asked) > 0:
		name = asked[0]
		if len(asked) > 1 {
			env.warnf("OTEL_TRACES_EXPORTER: spans go to one exporter; using %s", name)
		}
	case env.endpoint("TRACES") != "":
		name = "otlp"
	case o.Terminal != nil:
		name = "terminal"
	}
	switch name {
	case "otlp":
		protocol := env.protocol("TRACES")
		encoded, err := encodeResource(r)
		if err != nil {
			return "", nil, 0, err
		}
		e, err := newOTLPExporter(ctx, protocol, encoded)
		if err != nil {
			return "", nil, 0, err
		}
		return "otlp " + protocol, e, time.Second, nil
	case "console":
		return name, NewDrawer(o.Console, false, o.Getenv), drawDelay, nil
	case "terminal":
		if o.Terminal == nil {
			return "console", NewDrawer(o.Console, false, o.Getenv), drawDelay, nil
		}
		return name, NewDrawer(o.Terminal, true, o.Getenv), drawDelay, nil
	case "none":
	default:
		env.warnf("OTEL_TRACES_EXPORTER: there is no exporter %q; exporting no spans", name)
	}
	return "none", nil, 0, nil
}

// drawDelay is short: somebody looks at the screen.
const drawDelay = 100 * time.Millisecond
