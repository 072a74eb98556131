package telemetry

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// consoleMetrics writes metrics as lines of text, for OTEL_METRICS_EXPORTER=console.
type consoleMetrics struct{ w io.Writer }

func (consoleMetrics) Temporality(k sdkmetric.InstrumentKind) metricdata.Temporality {
	return sdkmetric.DefaultTemporalitySelector(k)
}

func (consoleMetrics) Aggregation(k sdkmetric.InstrumentKind) sdkmetric.Aggregation {
	return sdkmetric.DefaultAggregationSelector(k)
}

func (c consoleMetrics) Export(_ context.Context, all *metricdata.ResourceMetrics) error {
	_, err := io.WriteString(c.w, strings.Join(MetricLines(all), "\n")+"\n")
	return err
}

func (consoleMetrics) ForceFlush(context.Context) error { return nil }

func (consoleMetrics) Shutdown(context.Context) error { return nil }

// MetricLines prints each point as `name {attributes} value`, sorted; a
// histogram's value is its count.
func MetricLines(all *metricdata.ResourceMetrics) []string {
	var lines []string
	add := func(name string, set attribute.Set, value any) {
		var b strings.Builder
		b.WriteString(name)
		b.WriteString(" {")
		for i, kv := range set.ToSlice() {
			if i > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(&b, "%s=%s", kv.Key, kv.Value.String())
		}
		fmt.Fprintf(&b, "} %v", value)
		lines = append(lines, b.String())
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, p.Value)
				}
			case metricdata.Sum[float64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, p.Value)
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, p.Value)
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, p.Value)
				}
			case metricdata.Histogram[int64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, p.Count)
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, p.Count)
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}
