package telemetry

import (
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Counter adds up whole numbers, by attributes. A nil one counts nothing.
type Counter struct {
	about
	parts  float64 // of which one unit is made; 0 is one
	series bound[CounterSeries]
}

// CounterSeries are the measurements of a [Counter] that have the same
// attributes. A nil one counts nothing.
type CounterSeries struct {
	attributes attribute.Set
	used       atomic.Bool // so that a series appears with its first measurement, be it zero
	n          atomic.Int64
}

// Counter returns the counter of that name, which only grows. It is nil if the
// name is empty or telemetry is off.
func (t *Telemetry) Counter(name, unit, description string) *Counter {
	return t.counter(about{name: name, unit: unit, description: description, kind: sdkmetric.InstrumentKindCounter})
}

// UpDownCounter returns the counter of that name, which may also fall.
func (t *Telemetry) UpDownCounter(name, unit, description string) *Counter {
	return t.counter(about{name: name, unit: unit, description: description, kind: sdkmetric.InstrumentKindUpDownCounter})
}

// CounterInParts returns a counter that only grows, of what has fractions: it
// adds up whole parts, so that nothing is lost, and tells how many units of so
// many parts they are.
func (t *Telemetry) CounterInParts(name, unit, description string, parts float64) *Counter {
	a := about{name: name, unit: unit, description: description, kind: sdkmetric.InstrumentKindCounter}
	return instrumentOf(t.instruments, a, func(a about) *Counter { return &Counter{about: a, parts: parts} })
}

func (t *Telemetry) counter(a about) *Counter {
	return instrumentOf(t.instruments, a, func(a about) *Counter { return &Counter{about: a} })
}

// Series returns the series of these attributes, to be kept by who adds to it:
// finding it is what costs. What exceeds 2000 series shares one.
func (c *Counter) Series(attributes ...attribute.KeyValue) *CounterSeries {
	if c == nil {
		return nil
	}
	return c.series.of(attributes, func(set attribute.Set) *CounterSeries { return &CounterSeries{attributes: set} })
}

// Add adds n.
func (s *CounterSeries) Add(n int64) {
	if s == nil {
		return
	}
	s.n.Add(n)
	if !s.used.Load() {
		s.used.Store(true)
	}
}

func (c *Counter) data(p *producer, now time.Time) metricdata.Aggregation {
	since, temporality := p.stretch(&c.about)
	sum := metricdata.Sum[int64]{Temporality: temporality, IsMonotonic: c.kind == sdkmetric.InstrumentKindCounter}
	for _, s := range c.series.all() {
		if !s.used.Load() {
			continue
		}
		n := s.n.Load()
		if temporality == metricdata.DeltaTemporality {
			before, given := p.counters[s]
			if p.counters[s] = n; given && n == before {
				continue
			}
			n -= before
		}
		sum.DataPoints = append(sum.DataPoints, metricdata.DataPoint[int64]{Attributes: s.attributes, StartTime: since, Time: now, Value: n})
	}
	switch {
	case len(sum.DataPoints) == 0:
		return nil
	case c.parts != 0:
		return c.inUnits(sum)
	}
	return sum
}

// inUnits makes units of parts.
func (c *Counter) inUnits(parts metricdata.Sum[int64]) metricdata.Sum[float64] {
	units := metricdata.Sum[float64]{Temporality: parts.Temporality, IsMonotonic: parts.IsMonotonic}
	for _, p := range parts.DataPoints {
		units.DataPoints = append(units.DataPoints, metricdata.DataPoint[float64]{
			Attributes: p.Attributes, StartTime: p.StartTime, Time: p.Time, Value: float64(p.Value) / c.parts,
		})
	}
	return units
}
