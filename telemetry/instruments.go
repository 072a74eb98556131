package telemetry

import (
	"context"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"
)

// instruments are the histograms and counters whose series are bound: who
// measures finds its series once and then pays a few atomic operations. The
// SDK's would look the attributes up, filter and sample at each measurement. Its
// readers collect these by a [producer], beside what they collect themselves.
type instruments struct {
	scope     instrumentation.Scope
	exemplars func(trace.SpanContext) bool // nil: none

	mu   sync.Mutex
	list []instrument
}

// instrument is a histogram or a counter.
type instrument interface {
	named() *about
	// data is what p gives of it now; nil if nothing was measured.
	data(p *producer, now time.Time) metricdata.Aggregation
}

// about is what readers are told of an instrument.
type about struct {
	name, unit, description string
	kind                    sdkmetric.InstrumentKind
	made                    time.Time
}

func (a *about) named() *about { return a }

// instrumentOf returns the instrument of that name and type; the first to ask
// makes it. An empty name gives none: a version of the conventions may lack a
// metric. Neither does telemetry that is off.
func instrumentOf[T instrument](all *instruments, a about, build func(about) T) (found T) {
	if all == nil || a.name == "" {
		return found
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, i := range all.list {
		if same, ok := i.(T); ok && i.named().name == a.name {
			return same
		}
	}
	a.made = time.Now()
	found = build(a)
	all.list = append(all.list, found)
	return found
}

// mostSeries bounds the series of an instrument as the SDK does, the one for
// what is over the bound among them.
const mostSeries = 2000

var overflow = attribute.NewSet(attribute.Bool("otel.metric.overflow", true))

// bound are the series of an instrument, by their attributes.
type bound[S any] struct {
	mu    sync.Mutex
	known map[attribute.Distinct]*S
	list  []*S
}

func (b *bound[S]) of(attributes []attribute.KeyValue, build func(attribute.Set) *S) *S {
	set := attribute.NewSet(attributes...)
	b.mu.Lock()
	defer b.mu.Unlock()
	if s, ok := b.known[set.Equivalent()]; ok {
		return s
	}
	if len(b.known) >= mostSeries-1 {
		set = overflow
		if s, ok := b.known[set.Equivalent()]; ok {
			return s
		}
	}
	if b.known == nil {
		b.known = map[attribute.Distinct]*S{}
	}
	s := build(set)
	b.known[set.Equivalent()] = s
	b.list = append(b.list, s)
	return s
}

// all may be read without the lock: series are only ever appended.
func (b *bound[S]) all() []*S {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.list
}

// producer gives the instruments to one reader, and keeps what it gave last if
// that reader wants the difference.
type producer struct {
	from        *instruments
	temporality sdkmetric.TemporalitySelector

	mu         sync.Mutex
	last       time.Time
	histograms map[*HistogramSeries]reading
	counters   map[*CounterSeries]int64
}

// producer makes one for a reader.
func (all *instruments) producer(temporality sdkmetric.TemporalitySelector) *producer {
	return &producer{from: all, temporality: temporality, histograms: map[*HistogramSeries]reading{}, counters: map[*CounterSeries]int64{}}
}

// Produce implements [sdkmetric.Producer]. Nothing in its answer is kept: the
// SDK writes its next answer over it.
func (p *producer) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.from.mu.Lock()
	list := p.from.list
	p.from.mu.Unlock()
	now := time.Now()
	ours := metricdata.ScopeMetrics{Scope: p.from.scope}
	for _, i := range list {
		if data := i.data(p, now); data != nil {
			a := i.named()
			ours.Metrics = append(ours.Metrics, metricdata.Metrics{Name: a.name, Description: a.description, Unit: a.unit, Data: data})
		}
	}
	p.last = now
	if len(ours.Metrics) == 0 {
		return nil, nil
	}
	return []metricdata.ScopeMetrics{ours}, nil
}

// stretch is the time that the next points are about.
func (p *producer) stretch(a *about) (since time.Time, temporality metricdata.Temporality) {
	temporality = p.temporality(a.kind)
	if temporality == metricdata.DeltaTemporality && p.last.After(a.made) {
		return p.last, temporality
	}
	return a.made, temporality
}

// exemplars says which measurements may become exemplars.
func (e environment) exemplars() func(trace.SpanContext) bool {
	switch name := strings.ToLower(e.text("OTEL_METRICS_EXEMPLAR_FILTER")); name {
	case "always_on":
		return func(trace.SpanContext) bool { return true }
	case "always_off":
		return nil
	case "", "trace_based":
	default:
		e.warnf("OTEL_METRICS_EXEMPLAR_FILTER: there is no filter %q; using trace_based", name)
	}
	return trace.SpanContext.IsSampled
}
