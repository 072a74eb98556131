// Package telemetry gives a Go service its traces, metrics and logs. It stands
// on its own: it knows nothing of the gateway, and any service may import it.
//
// [Open] reads the OTEL_* environment variables and returns a [Telemetry], which
// hands out a tracer, instruments, a propagator and an HTTP handler for metrics.
// Metrics are collected and exported by the OpenTelemetry SDK; what is recorded
// at each call is recorded by [Histogram] and [Counter], whose series are found
// once, because the SDK finds them anew at each measurement. Traces are not the
// SDK's: this package implements
// OpenTelemetry's tracing API itself, because the SDK writes a span three times
// (into its own structs, into protobuf structs, into bytes) and that costs more
// than carrying a request does. Here a span is written once:
//
//	Start ── attributes in a pooled slice, events and links already as bytes
//	End   ── encoded as an OTLP Span, copied into the batch under way
//	queue ── one goroutine hands full or ripe batches to an exporter
//
// The exporters are OpenTelemetry's own OTLP clients, so that every
// OTEL_EXPORTER_OTLP_* variable (TLS, headers, compression, timeouts) means what
// it means everywhere. They read the process environment themselves; all other
// variables are read through [Options.Getenv].
//
// Nothing here makes a request wait. Queues are bounded in spans and in bytes;
// what does not fit is dropped and counted ([Telemetry.Dropped]), by reason. A
// collector that is down, hangs or answers nonsense is invisible to callers.
//
// The names of all attributes and metrics stand in names.go.
package telemetry
