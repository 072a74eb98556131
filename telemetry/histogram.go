package telemetry

import (
	"math"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"
)

// Histogram sorts measurements into buckets, by attributes. A nil one records
// nothing.
type Histogram struct {
	about
	whole     bool
	bounds    []float64
	exemplars func(trace.SpanContext) bool
	series    bound[HistogramSeries]
}

// HistogramSeries are the measurements of a [Histogram] that have the same
// attributes. A nil one records nothing.
type HistogramSeries struct {
	of         *Histogram
	attributes attribute.Set
	buckets    []bucket
	sum        float
	least      float
	most       float

	mu        sync.Mutex // for exemplars; a measurement only ever tries it
	exemplars []exemplar // by bucket
}

type bucket struct {
	count atomic.Uint64
	shown atomic.Bool // there is an exemplar that no reader has read
}

// exemplar is a measurement and the span it was made in.
type exemplar struct {
	value float64
	at    time.Time // zero: there is none
	trace trace.TraceID
	span  trace.SpanID
}

// Histogram returns the histogram of that name, of numbers such as seconds. It
// is nil if the name is empty or telemetry is off.
func (t *Telemetry) Histogram(name, unit, description string) *Histogram {
	return t.histogram(about{name: name, unit: unit, description: description}, false)
}

// IntHistogram returns the histogram of that name, of whole numbers.
func (t *Telemetry) IntHistogram(name, unit, description string) *Histogram {
	return t.histogram(about{name: name, unit: unit, description: description}, true)
}

func (t *Telemetry) histogram(a about, whole bool) *Histogram {
	a.kind = sdkmetric.InstrumentKindHistogram
	return instrumentOf(t.instruments, a, func(a about) *Histogram {
		bounds, ok := boundaries[a.name]
		if !ok {
			bounds = otherBuckets
		}
		return &Histogram{about: a, whole: whole, bounds: bounds, exemplars: t.instruments.exemplars}
	})
}

// Series returns the series of these attributes, to be kept by who records in
// it: finding it is what costs. What exceeds 2000 series shares one.
func (h *Histogram) Series(attributes ...attribute.KeyValue) *HistogramSeries {
	if h == nil {
		return nil
	}
	return h.series.of(attributes, func(set attribute.Set) *HistogramSeries {
		n := len(h.bounds) + 1
		s := &HistogramSeries{of: h, attributes: set, buckets: make([]bucket, n), exemplars: make([]exemplar, n)}
		s.least.bits.Store(math.Float64bits(math.Inf(1)))
		s.most.bits.Store(math.Float64bits(math.Inf(-1)))
		return s
	})
}

// Record adds a measurement. The span may be shown as an example of its bucket,
// if OTEL_METRICS_EXEMPLAR_FILTER lets it; the zero value is none.
func (s *HistogramSeries) Record(value float64, span trace.SpanContext) {
	if s == nil {
		return
	}
	s.sum.add(value)
	s.least.lower(value)
	s.most.raise(value)
	i := sort.SearchFloat64s(s.of.bounds, value)
	b := &s.buckets[i]
	b.count.Add(1) // last: who sees it counted sees the rest
	if !b.shown.Load() && s.of.exemplars != nil && s.of.exemplars(span) {
		s.show(i, value, span)
	}
}

// show makes the first measurement of a bucket since the last reading its
// exemplar: recent enough for any reader, and the clock is asked rarely.
func (s *HistogramSeries) show(i int, value float64, span trace.SpanContext) {
	if s.mu.TryLock() {
		s.exemplars[i] = exemplar{value: value, at: time.Now(), trace: span.TraceID(), span: span.SpanID()}
		s.buckets[i].shown.Store(true)
		s.mu.Unlock()
	}
}

// reading is a series at one moment.
type reading struct {
	buckets   []uint64
	count     uint64 // of all buckets
	sum       float64
	exemplars []exemplar
}

// read reads the series. Measurements go on meanwhile: one may be in the sum and
// not yet in the count.
func (s *HistogramSeries) read(since time.Time) reading {
	r := reading{buckets: make([]uint64, len(s.buckets))}
	for i := range s.buckets {
		r.buckets[i] = s.buckets[i].count.Load()
		r.count += r.buckets[i]
	}
	r.sum = s.sum.load()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, e := range s.exemplars {
		if !e.at.IsZero() && !e.at.Before(since) {
			r.exemplars = append(r.exemplars, e)
		}
		s.buckets[i].shown.Store(false)
	}
	return r
}

// minus takes away what was read before.
func (r reading) minus(before reading) reading {
	r.buckets = slices.Clone(r.buckets)
	for i, n := range before.buckets {
		r.buckets[i] -= n
	}
	r.count -= before.count
	r.sum -= before.sum
	return r
}

func (h *Histogram) data(p *producer, now time.Time) metricdata.Aggregation {
	if h.whole {
		return histogramData[int64](h, p, now)
	}
	return histogramData[float64](h, p, now)
}

func histogramData[N int64 | float64](h *Histogram, p *producer, now time.Time) metricdata.Aggregation {
	since, temporality := p.stretch(&h.about)
	delta := temporality == metricdata.DeltaTemporality
	all := metricdata.Histogram[N]{Temporality: temporality}
	bounds := slices.Clone(h.bounds)
	for _, s := range h.series.all() {
		r := s.read(since)
		before := p.histograms[s] // nothing, unless the reader wants deltas
		if r.count == before.count {
			continue
		}
		if delta {
			p.histograms[s] = r
			r = r.minus(before)
		}
		point := metricdata.HistogramDataPoint[N]{
			Attributes: s.attributes, StartTime: since, Time: now,
			Count: r.count, Bounds: bounds, BucketCounts: r.buckets, Sum: N(r.sum),
		}
		if !delta { // of a stretch of time they are not known
			point.Min, point.Max = metricdata.NewExtrema(N(s.least.load())), metricdata.NewExtrema(N(s.most.load()))
		}
		for _, e := range r.exemplars {
			shown := metricdata.Exemplar[N]{Value: N(e.value), Time: e.at}
			if e.trace.IsValid() {
				shown.TraceID, shown.SpanID = slices.Clone(e.trace[:]), slices.Clone(e.span[:])
			}
			point.Exemplars = append(point.Exemplars, shown)
		}
		all.DataPoints = append(all.DataPoints, point)
	}
	if len(all.DataPoints) == 0 {
		return nil
	}
	return all
}

// float is a number that many change at once.
type float struct{ bits atomic.Uint64 }

func (f *float) load() float64 { return math.Float64frombits(f.bits.Load()) }

func (f *float) add(v float64) {
	for {
		old := f.bits.Load()
		if f.bits.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}

func (f *float) lower(v float64) {
	for {
		old := f.bits.Load()
		if v >= math.Float64frombits(old) || f.bits.CompareAndSwap(old, math.Float64bits(v)) {
			return
		}
	}
}

func (f *float) raise(v float64) {
	for {
		old := f.bits.Load()
		if v <= math.Float64frombits(old) || f.bits.CompareAndSwap(old, math.Float64bits(v)) {
			return
		}
	}
}
