package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// Options are what the program says about itself. The zero value works; OTEL_*
// variables win over it.
type Options struct {
	Service  string               // service.name
	Version  string               // service.version
	Resource []attribute.KeyValue // more facts about the process

	// Getenv stands in for [os.Getenv]. The OTLP exporters and the metric SDK
	// read the process environment nevertheless.
	Getenv func(string) string

	// Log gets what is wrong with a variable, once, when telemetry is opened; and
	// a line when exporting begins to fail and when it works again. OTEL_LOG_LEVEL
	// sets the level of these lines.
	Log zerolog.Logger

	// Terminal, if there is one, is where finished traces are drawn when nothing
	// says where else they should go. Hand in stderr if it is a terminal.
	Terminal io.Writer

	// Console is where the exporters named "console" write; stdout if nil.
	Console io.Writer

	// Prometheus serves the metrics by [Telemetry.MetricsHandler], whatever
	// OTEL_METRICS_EXPORTER says.
	Prometheus bool

	// LinesDropped, if set, counts the lines that a [LogQueue] has lost.
	LinesDropped func() int64

	// QueueBytes bounds the spans that wait to be sent; 16 MiB if zero.
	QueueBytes int

	// Record, for tests, gets each sampled span as an encoded OTLP Span, on the
	// goroutine that ended it, in place of any exporter. It must copy what it
	// keeps and be safe for concurrent use. Reader likewise makes what collects
	// metrics; it must hand the producer to it.
	Record func(span []byte)
	Reader func(sdkmetric.Producer) sdkmetric.Reader
}

// The instrumentation scope of Telemetry.Tracer and Telemetry.Meter.
const scopeOfOurs = "github.com/spanway/spanway"

// shutdownMost bounds a shutdown whose context has no deadline.
const shutdownMost = 5 * time.Second

// Telemetry hands out what a service measures itself with. It is safe for
// concurrent use.
type Telemetry struct {
	traces     trace.TracerProvider
	meters     metric.MeterProvider
	tracer     trace.Tracer
	meter      metric.Meter
	propagator propagation.TextMapPropagator
	w3c        bool
	handler    http.Handler

	exporter    string // by its name, for State
	queue       *queue // nil if spans are not exported
	metrics     *sdkmetric.MeterProvider
	instruments *instruments // nil if telemetry is off

	stop    sync.Once
	stopped error
}

// Open reads the environment and starts what it asks for. A bad value is a
// warning; an error is only what leaves no sensible default, such as a
// certificate that cannot be read. No collector needs to be there.
func Open(ctx context.Context, o Options) (*Telemetry, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Console == nil {
		o.Console = os.Stdout
	}
	if o.QueueBytes <= 0 {
		o.QueueBytes = 16 << 20
	}
	log := levelled(o.Log, o.Getenv("OTEL_LOG_LEVEL"))
	env := environment{get: o.Getenv, warn: func(text string) { log.Warn().Msg(text) }}

	t := Off()
	t.propagator, t.w3c = env.propagator()
	if env.boolean("OTEL_SDK_DISABLED") {
		t.exporter = "disabled"
		return t, nil
	}
	reportSDKErrors(log)

	r := env.resource(&o)
	ours := &instruments{scope: instrumentation.Scope{Name: scopeOfOurs, Version: o.Version}, exemplars: env.exemplars()}
	provider, handler, err := openMetrics(ctx, env, &o, r, ours)
	if err != nil {
		return nil, err
	}
	t.metrics, t.meters, t.handler, t.instruments = provider, provider, handler, ours
	t.meter = provider.Meter(scopeOfOurs, metric.WithInstrumentationVersion(o.Version))

	var out sink
	if o.Record != nil {
		t.exporter, out = "test", recordSink(o.Record)
	} else {
		name, exporter, delay, err := openTraces(ctx, env, &o, r)
		if err != nil {
			return nil, errors.Join(err, provider.Shutdown(ctx))
		}
		t.exporter = name
		if exporter != nil {
			t.queue = newQueue(env.queue(o.QueueBytes, delay), exporter, outcomes(log, name))
			out = t.queue
		}
	}
	if err := countDrops(t.meter, t.Dropped, o.LinesDropped); err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}
	t.traces = newProvider(env.sampler(), env.limits(), out)
	t.tracer = t.traces.Tracer(scopeOfOurs, trace.WithInstrumentationVersion(o.Version))
	return t, nil
}

// Off measures nothing and sends nothing; contexts still travel through it.
func Off() *Telemetry {
	t := &Telemetry{
		traces:   tracenoop.NewTracerProvider(),
		meters:   metricnoop.NewMeterProvider(),
		handler:  http.NotFoundHandler(),
		exporter: "off",
	}
	t.propagator, t.w3c = environment{get: func(string) string { return "" }}.propagator()
	t.tracer, t.meter = t.traces.Tracer(scopeOfOurs), t.meters.Meter(scopeOfOurs)
	return t
}

// Tracer makes this program's own spans.
func (t *Telemetry) Tracer() trace.Tracer { return t.tracer }

// TracerProvider makes tracers for libraries.
func (t *Telemetry) TracerProvider() trace.TracerProvider { return t.traces }

// Meter makes instruments that are asked, such as gauges. What is recorded at
// each call belongs in a [Telemetry.Histogram] or a [Telemetry.Counter].
func (t *Telemetry) Meter() metric.Meter { return t.meter }

// MeterProvider makes meters for libraries.
func (t *Telemetry) MeterProvider() metric.MeterProvider { return t.meters }

// Propagator reads and writes the headers that OTEL_PROPAGATORS names.
func (t *Telemetry) Propagator() propagation.TextMapPropagator { return t.propagator }

// W3C reports whether traceparent is the only trace header in use, so that
// [ParseTraceparent] and [AppendTraceparent] do what Propagator does.
func (t *Telemetry) W3C() bool { return t.w3c }

// MetricsHandler answers Prometheus, with exemplars if it asks for OpenMetrics.
// Without Prometheus it is a 404.
func (t *Telemetry) MetricsHandler() http.Handler { return t.handler }

// Dropped counts the spans that were lost, by reason: queue_full, export_failed,
// rejected, shutdown.
func (t *Telemetry) Dropped() map[string]int64 {
	if t.queue == nil {
		return map[string]int64{}
	}
	return t.queue.drops.counts()
}

// State says in a word or two where spans go and whether the last export worked.
func (t *Telemetry) State() string {
	switch {
	case t.queue == nil:
		return t.exporter
	case t.queue.failing.Load():
		return t.exporter + " failing"
	}
	return t.exporter + " ok"
}

// Shutdown sends what is still queued, for as long as ctx allows, five seconds
// at most if it sets no deadline. What is left then is dropped and counted.
// Only the first call does anything.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	t.stop.Do(func() { t.stopped = t.shutdown(ctx) })
	return t.stopped
}

func (t *Telemetry) shutdown(ctx context.Context) error {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, shutdownMost)
		defer cancel()
	}
	metrics := make(chan error, 1)
	go func() { // beside the spans: a slow exporter of one takes no time from the other
		if t.metrics == nil {
			metrics <- nil
			return
		}
		metrics <- t.metrics.Shutdown(ctx)
	}()
	var spans error
	if t.queue != nil {
		spans = t.queue.shutdown(ctx)
	}
	select {
	case err := <-metrics:
		return errors.Join(spans, err)
	case <-ctx.Done():
		return errors.Join(spans, ctx.Err())
	}
}

// recordSink is what tests set in place of the queue.
type recordSink func([]byte)

func (f recordSink) add(_ *scope, encoded []byte) { f(encoded) }

// outcomes logs when exporting begins to fail and when it works again, and not
// each time. The queue calls it from one goroutine.
func outcomes(log zerolog.Logger, exporter string) func(error) {
	failing := false
	return func(err error) {
		switch {
		case err != nil && !failing:
			log.Warn().Err(err).Str("exporter", exporter).Msg("traces cannot be exported; dropping them until it works again")
		case err == nil && failing:
			log.Info().Str("exporter", exporter).Msg("traces are exported again")
		}
		failing = err != nil
	}
}

// reportSDKErrors sends what the metric SDK complains of to the log, at most
// once a minute. OpenTelemetry has one such handler for the whole process.
func reportSDKErrors(log zerolog.Logger) {
	var mu sync.Mutex
	var last time.Time
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); last.IsZero() || now.Sub(last) >= time.Minute {
			last = now
			log.Warn().Str("error", cut(fmt.Sprint(err), 500)).Msg("telemetry")
		}
	}))
}
