package telemetry

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
)

// Bucket boundaries. The conventions' HTTP ones end at 10 s; answers of models
// take minutes.
var (
	httpBuckets  = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 120, 300}
	genAIBuckets = []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68}
	tokenBuckets = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}
	dbBuckets    = []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10}
	ownBuckets   = []float64{0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1}
)

// otherBuckets are the SDK's own, for what the table does not name.
var otherBuckets = []float64{0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000}

// boundaries are the buckets of each histogram, whoever makes the instrument.
var boundaries = func() map[string][]float64 {
	table := map[string][]float64{
		MetricHTTPServerDuration: httpBuckets,
		MetricHTTPClientDuration: httpBuckets,
		MetricDBClientDuration:   dbBuckets,
		MetricOverheadDuration:   ownBuckets,
	}
	for _, version := range []string{GenAIReleased, GenAILatest} {
		names := GenAI(version)
		for _, name := range []string{names.OperationDuration, names.EmbeddingsDuration, names.TimeToFirstChunk, names.TimePerOutputChunk} {
			table[name] = genAIBuckets
		}
		for _, name := range []string{names.TokenUsage, names.InputTokens, names.OutputTokens} {
			if name != "" {
				table[name] = tokenBuckets
			}
		}
	}
	return table
}()

// view gives the SDK's histograms their boundaries.
func view(i sdkmetric.Instrument) (sdkmetric.Stream, bool) {
	buckets, ok := boundaries[i.Name]
	if !ok || i.Kind != sdkmetric.InstrumentKindHistogram {
		return sdkmetric.Stream{}, false
	}
	return sdkmetric.Stream{
		Name: i.Name, Description: i.Description, Unit: i.Unit,
		Aggregation: sdkmetric.AggregationExplicitBucketHistogram{Boundaries: buckets},
	}, true
}

// metricExporters says which exporters OTEL_METRICS_EXPORTER asks for.
func (e environment) metricExporters(o *Options) []string {
	asked := e.list("OTEL_METRICS_EXPORTER")
	if len(asked) == 0 && e.endpoint("METRICS") != "" {
		asked = []string{"otlp"}
	}
	var known []string
	for _, name := range asked {
		switch name {
		case "otlp", "console", "prometheus":
			known = append(known, name)
		case "none":
		default:
			e.warnf("OTEL_METRICS_EXPORTER: there is no exporter %q; leaving it out", name)
		}
	}
	if o.Prometheus {
		known = append(known, "prometheus")
	}
	slices.Sort(known)
	return slices.Compact(known)
}

// openMetrics makes the meter provider and, if Prometheus is on, the handler
// that its scrapes ask. Each reader collects ours beside the SDK's.
func openMetrics(ctx context.Context, env environment, o *Options, r *resource.Resource, ours *instruments) (*sdkmetric.MeterProvider, http.Handler, error) {
	options := []sdkmetric.Option{sdkmetric.WithResource(r), sdkmetric.WithView(view)}
	handler := http.NotFoundHandler()
	for _, name := range env.metricExporters(o) {
		switch name {
		case "prometheus":
			registry := prometheus.NewRegistry()
			reader, err := promexporter.New(promexporter.WithRegisterer(registry), promexporter.WithoutScopeInfo(),
				promexporter.WithProducer(ours.producer(sdkmetric.DefaultTemporalitySelector)))
			if err != nil {
				return nil, nil, fmt.Errorf("prometheus exporter: %w", err)
			}
			options = append(options, sdkmetric.WithReader(reader))
			handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
		case "otlp":
			exporter, err := newOTLPMetrics(ctx, env.protocol("METRICS"))
			if err != nil {
				return nil, nil, fmt.Errorf("metric exporter: %w", err)
			}
			options = append(options, periodic(exporter, ours))
		case "console":
			options = append(options, periodic(consoleMetrics{o.Console}, ours))
		}
	}
	if o.Reader != nil {
		options = append(options, sdkmetric.WithReader(o.Reader(ours.producer(sdkmetric.DefaultTemporalitySelector))))
	}
	provider := sdkmetric.NewMeterProvider(options...)
	if o.Reader == nil { // a test wants to see its own metrics only
		if err := runtime.Start(runtime.WithMeterProvider(provider)); err != nil {
			return nil, nil, fmt.Errorf("runtime metrics: %w", err)
		}
	}
	return provider, handler, nil
}

// periodic reads for an exporter, in the temporality that it wants:
// OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE is its to read.
func periodic(exporter sdkmetric.Exporter, ours *instruments) sdkmetric.Option {
	return sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter, sdkmetric.WithProducer(ours.producer(exporter.Temporality))))
}

// newOTLPMetrics makes a stock exporter; OTEL_METRIC_EXPORT_INTERVAL and the
// like are read by the SDK's reader around it.
func newOTLPMetrics(ctx context.Context, protocol string) (sdkmetric.Exporter, error) {
	if protocol == protocolGRPC {
		return otlpmetricgrpc.New(ctx)
	}
	return otlpmetrichttp.New(ctx, otlpmetrichttp.WithMaxResponseSize(maxReply))
}

// countDrops makes the counter of lost spans and log lines, which is read from
// their queues.
func countDrops(m metric.Meter, spans func() map[string]int64, lines func() int64) error {
	_, err := m.Int64ObservableCounter(MetricTelemetryDropped,
		metric.WithUnit("{item}"),
		metric.WithDescription("Telemetry that was dropped, by signal and reason."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			observe := func(n int64, signal, reason string) {
				if n > 0 {
					o.Observe(n, metric.WithAttributeSet(attribute.NewSet(
						SpanwayTelemetrySignal.String(signal), SpanwayTelemetryReason.String(reason))))
				}
			}
			for reason, n := range spans() {
				observe(n, "traces", reason)
			}
			if lines != nil {
				observe(lines(), "logs", "queue_full")
			}
			return nil
		}))
	return err
}
