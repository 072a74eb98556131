package telemetry

import (
	"context"
	"io"
	"syscall"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// discard is an exporter that throws its batches away.
type discard struct{}

func (discard) export(context.Context, *batch) (int, error) { return 0, nil }
func (discard) shutdown(context.Context) error              { return nil }

// benchTracer makes a tracer with limits as they are by default.
func benchTracer(b *testing.B, sampler sdktrace.Sampler) (trace.Tracer, *queue) {
	b.Helper()
	env := environment{get: func(string) string { return "" }}
	q := newQueue(env.queue(16<<20, time.Second), discard{}, func(error) {})
	b.Cleanup(func() { _ = q.shutdown(context.Background()) })
	return newProvider(sampler, env.limits(), q).Tracer("bench"), q
}

var (
	serverOptions = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}
	clientOptions = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient)}
)

// request is a SERVER and a CLIENT span, as a chat makes them.
func request(tracer trace.Tracer, ctx context.Context, status int) {
	ctx, server := tracer.Start(ctx, "POST /v1/chat/completions", serverOptions...)
	_, client := tracer.Start(ctx, "chat gpt-5", clientOptions...)
	if client.IsRecording() {
		client.SetAttributes(
			GenAIOperationName.String("chat"), GenAIProviderName.String("openai"),
			GenAIRequestModel.String("gpt-5"), GenAIResponseModel.String("gpt-5-2026-01"),
			GenAIUsageInputTokens.Int(11), GenAIUsageOutputTokens.Int(7),
			HTTPRequestMethod.String("POST"), HTTPResponseStatusCode.Int(status),
			ServerAddress.String("api.openai.com"), ServerPort.Int(443),
			PeerService.String("openai"), ServicePeerName.String("openai"),
		)
	}
	client.End()
	if server.IsRecording() {
		server.SetAttributes(
			HTTPRequestMethod.String("POST"), HTTPRoute.String("/v1/chat/completions"),
			URLPath.String("/v1/chat/completions"), URLScheme.String("http"),
			HTTPResponseStatusCode.Int(status), ClientAddress.String("127.0.0.1"),
			NetworkProtocolVersion.String("1.1"), UserAgentOriginal.String("openai/5.0"),
			SpanwayOutcome.String("ok"), SpanwayUpstream.String("openai"),
			SpanwayCostUSD.Float64(0.000123), SpanwayRequestID.String("0c1f7c1a-4f3f-4a53-9d2d-6c8a4f1f2b3c"),
		)
	}
	server.End()
}

func BenchmarkServerAndClientSpan(b *testing.B) {
	remote, _ := ParseTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	ctx := trace.ContextWithRemoteSpanContext(context.Background(), remote)
	b.Run("sampled", func(b *testing.B) {
		tracer, q := benchTracer(b, sdktrace.ParentBased(sdktrace.AlwaysSample()))
		b.ReportAllocs()
		before := cpu()
		for b.Loop() {
			request(tracer, ctx, 200)
		}
		b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
		b.ReportMetric(float64(q.drops.queueFull.Load())/float64(2*b.N), "dropped/span")
	})
	b.Run("unsampled", func(b *testing.B) {
		tracer, _ := benchTracer(b, sdktrace.NeverSample())
		b.ReportAllocs()
		for b.Loop() {
			request(tracer, ctx, 200)
		}
	})
}

// cpu is what the process has used, all threads and the collector included: on a
// busy machine it says more than the clock.
func cpu() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func BenchmarkTraceparent(b *testing.B) {
	b.ReportAllocs()
	buffer := make([]byte, 0, 55)
	for b.Loop() {
		c, _ := ParseTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		buffer = AppendTraceparent(buffer[:0], c)
	}
}

func BenchmarkLogLine(b *testing.B) {
	log := Logger(io.Discard, 0)
	c, _ := ParseTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	b.ReportAllocs()
	for b.Loop() {
		TraceFields(log.Info(), c).Msg("call")
	}
}

// The allocations of a span are promised: its own, its context's and the
// argument list of SetAttributes, for each of two spans.
func TestASampledRequestAllocatesSixTimes(t *testing.T) {
	q := recordSink(func([]byte) {})
	env := environment{get: func(string) string { return "" }}
	tracer := newProvider(sdktrace.AlwaysSample(), env.limits(), q).Tracer("test")
	got := testing.AllocsPerRun(1000, func() { request(tracer, context.Background(), 200) })
	if got > 6 && !raceDetector {
		t.Errorf("%v allocations for two spans, want 6 at most", got)
	}
}
