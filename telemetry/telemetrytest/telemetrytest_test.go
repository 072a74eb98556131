package telemetrytest_test

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/spanway/spanway/telemetry"
	"github.com/spanway/spanway/telemetry/telemetrytest"
)

const want = `SERVER POST /v1/chat/completions {http.response.status_code=200 server.port=<port> spanway.outcome=ok}  [route.decided {spanway.upstream=mock}]
  CLIENT chat mock {error.type=503 gen_ai.response.finish_reasons=[stop length] url.full=http://127.0.0.1:<port>/v1 status=Error}
  CLIENT EVALSHA settle
(new trace) INTERNAL shadow  link -> POST /v1/chat/completions
`

// tell makes the spans of the tree above.
func tell(tel *telemetry.Telemetry) {
	ctx, server := tel.Tracer().Start(context.Background(), "POST /v1/chat/completions", trace.WithSpanKind(trace.SpanKindServer))
	server.SetAttributes(telemetry.SpanwayOutcome.String("ok"), telemetry.HTTPResponseStatusCode.Int(200), telemetry.ServerPort.Int(40123))
	server.AddEvent(telemetry.EventRouteDecided, trace.WithAttributes(telemetry.SpanwayUpstream.String("mock")))
	_, chat := tel.Tracer().Start(ctx, "chat mock", trace.WithSpanKind(trace.SpanKindClient))
	chat.SetAttributes(telemetry.GenAIResponseFinishReasons.StringSlice([]string{"stop", "length"}), telemetry.ErrorType.String("503"), telemetry.URLFull.String("http://127.0.0.1:40123/v1"))
	chat.SetStatus(codes.Error, "")
	chat.End()
	server.End()
	_, settle := tel.Tracer().Start(ctx, "EVALSHA settle", trace.WithSpanKind(trace.SpanKindClient))
	settle.End()
	_, shadow := tel.Tracer().Start(ctx, "shadow", trace.WithNewRoot(), trace.WithLinks(trace.LinkFromContext(ctx)))
	shadow.End()
}

func TestATraceIsPrintedAsTheContractWritesIt(t *testing.T) {
	tel, got := telemetrytest.New(t)
	tell(tel)
	if got.Tree() != want {
		t.Errorf("got:\n%s\nwant:\n%s", got.Tree(), want)
	}
	got.Reset()
	if got.Tree() != "" {
		t.Error("Reset left spans behind")
	}
}

func TestJaegersAnswerIsPrintedTheSame(t *testing.T) {
	answer := `{"result":{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{"name":"x"},"spans":[
		{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b8","parentSpanId":"00f067aa0ba902b7","name":"chat mock","kind":3,
		 "startTimeUnixNano":"2","endTimeUnixNano":"3","status":{"code":2},"newField":1},
		{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"POST /v1/chat/completions","kind":2,
		 "startTimeUnixNano":"1","endTimeUnixNano":"4","events":[{"timeUnixNano":"1","name":"route.decided"}],
		 "attributes":[{"key":"http.response.status_code","value":{"intValue":"200"}},{"key":"@jaeger@format","value":{"stringValue":"x"}}]}
	]}]}]}}`
	const want = `SERVER POST /v1/chat/completions {http.response.status_code=200}  [route.decided]
  CLIENT chat mock {status=Error}
`
	got, err := telemetrytest.FromJSON([]byte(answer))
	if err != nil || got != want {
		t.Errorf("%v, got:\n%s", err, got)
	}
	if _, err := telemetrytest.FromJSON([]byte("no")); err == nil {
		t.Error("it read what is not JSON")
	}
}

func TestMetricsArePrintedSorted(t *testing.T) {
	tel, got := telemetrytest.New(t)
	attempts, err := tel.Meter().Int64Counter(telemetry.MetricAttempts)
	if err != nil {
		t.Fatal(err)
	}
	durations, err := tel.Meter().Float64Histogram(telemetry.MetricHTTPClientDuration)
	if err != nil {
		t.Fatal(err)
	}
	durations.Record(t.Context(), 0.2, metric.WithAttributes(telemetry.ServerPort.Int(40123), telemetry.ServerAddress.String("a")))
	attempts.Add(t.Context(), 2)
	const want = "http.client.request.duration {server.address=a server.port=<port>} 1\nspanway.attempts {} 2\n"
	if got.Metrics() != want {
		t.Errorf("got:\n%s\nwant:\n%s", got.Metrics(), want)
	}
	if strings.Contains(got.Metrics(), "go.") {
		t.Error("runtime metrics are in the way")
	}
}
