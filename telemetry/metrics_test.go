package telemetry_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/spanway/spanway/telemetry"
	"github.com/spanway/spanway/telemetry/telemetrytest"
)

// scrape asks as a Prometheus that wants exemplars does.
func scrape(tel *telemetry.Telemetry) string {
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	w := httptest.NewRecorder()
	tel.MetricsHandler().ServeHTTP(w, r)
	return w.Body.String()
}

func TestPrometheusGetsExemplarsAndLongBuckets(t *testing.T) {
	var drawn strings.Builder
	tel, err := telemetry.Open(context.Background(), telemetry.Options{
		Service: "orders", Prometheus: true, Terminal: &drawn, Getenv: func(string) string { return "" },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := tel.Tracer().Start(context.Background(), "GET /orders")
	durations, err := tel.Meter().Float64Histogram(telemetry.MetricHTTPServerDuration, metric.WithUnit("s"))
	if err != nil {
		t.Fatal(err)
	}
	durations.Record(ctx, 45, metric.WithAttributes(telemetry.HTTPRoute.String("/orders")))
	text := scrape(tel)
	for _, part := range []string{
		`http_server_request_duration_seconds_bucket{http_route="/orders",le="300.0"} 1`,
		`http_server_request_duration_seconds_bucket{http_route="/orders",le="30.0"} 0`,
		`trace_id="` + span.SpanContext().TraceID().String() + `"`,
		`span_id="` + span.SpanContext().SpanID().String() + `"`,
		`"} 45.0`,
		`target_info{`, `go_goroutine_count`,
	} {
		if !strings.Contains(text, part) {
			t.Errorf("no %s in\n%s", part, text)
		}
	}

	if err := tel.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	span.End() // too late
	if got := tel.Dropped()["shutdown"]; got != 1 {
		t.Errorf("%d spans dropped at shutdown, want 1", got)
	}
}

func TestDroppedSpansAreAMetric(t *testing.T) {
	blocked := make(chan struct{})
	tel, err := telemetry.Open(context.Background(), telemetry.Options{
		Prometheus: true, Terminal: writer(func([]byte) { <-blocked }),
		Getenv: func(name string) string {
			return map[string]string{"OTEL_BSP_MAX_QUEUE_SIZE": "10"}[name]
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 30 {
		_, span := tel.Tracer().Start(context.Background(), "s")
		span.End()
	}
	if text := scrape(tel); !strings.Contains(text, `spanway_telemetry_dropped_total{reason="queue_full",signal="traces"} 20.0`) {
		t.Errorf("got\n%s", text)
	}
	close(blocked)
	if err := tel.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

type writer func([]byte)

func (f writer) Write(b []byte) (int, error) { f(b); return len(b), nil }

func TestMetricsAreWrittenToTheConsole(t *testing.T) {
	var b strings.Builder
	tel, err := telemetry.Open(context.Background(), telemetry.Options{
		Console: &b, Getenv: func(name string) string {
			return map[string]string{"OTEL_METRICS_EXPORTER": "console"}[name]
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	attempts, _ := tel.Meter().Int64Counter(telemetry.MetricAttempts)
	attempts.Add(context.Background(), 3, metric.WithAttributes(attribute.String("outcome", "ok")))
	if err := tel.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(b.String(), "spanway.attempts {outcome=ok} 3\n") {
		t.Errorf("got %s", b.String())
	}
}

func TestGenAINamesOfEachVersion(t *testing.T) {
	released, latest := telemetry.GenAI("v1.41"), telemetry.GenAI("latest")
	if released.CacheCreationTokens != "gen_ai.usage.cache_creation.input_tokens" || latest.CacheCreationTokens != "gen_ai.usage.cache_write.input_tokens" {
		t.Errorf("got %q and %q", released.CacheCreationTokens, latest.CacheCreationTokens)
	}
	if telemetry.GenAI("") != released {
		t.Error("the default is not the released version")
	}
	tel, got := telemetrytest.New(t)
	for _, name := range []string{released.OperationDuration, latest.OperationDuration} {
		h, err := tel.Meter().Float64Histogram(name)
		if err != nil {
			t.Fatal(err)
		}
		h.Record(t.Context(), 1)
	}
	if text := got.Metrics(); text != "gen_ai.client.inference.duration {} 1\ngen_ai.client.operation.duration {} 1\n" {
		t.Errorf("got %s", text)
	}
}
