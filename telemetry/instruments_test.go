package telemetry

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"
)

var (
	sampled = trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	})
	unsampled = sampled.WithTraceFlags(0)
)

// openWith opens telemetry that a manual reader collects.
func openWith(t *testing.T, variables map[string]string) (*Telemetry, *sdkmetric.ManualReader) {
	t.Helper()
	var reader *sdkmetric.ManualReader
	tel, err := Open(t.Context(), Options{
		Version: "1.2.3",
		Getenv:  func(name string) string { return variables[name] },
		Record:  func([]byte) {},
		Reader: func(p sdkmetric.Producer) sdkmetric.Reader {
			reader = sdkmetric.NewManualReader(sdkmetric.WithProducer(p))
			return reader
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	return tel, reader
}

func collect(t *testing.T, reader sdkmetric.Reader) []metricdata.ScopeMetrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	return all.ScopeMetrics
}

// produce is what p gives, by name.
func produce(t *testing.T, p *producer) map[string]metricdata.Aggregation {
	t.Helper()
	scopes, err := p.Produce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]metricdata.Aggregation{}
	for _, scope := range scopes {
		for _, m := range scope.Metrics {
			byName[m.Name] = m.Data
		}
	}
	return byName
}

// one is the only point of a histogram of seconds.
func one(t *testing.T, data metricdata.Aggregation) metricdata.HistogramDataPoint[float64] {
	t.Helper()
	all, ok := data.(metricdata.Histogram[float64])
	if !ok || len(all.DataPoints) != 1 {
		t.Fatalf("got %+v, want a histogram with one point", data)
	}
	return all.DataPoints[0]
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestReadersGetWhatTheSDKWouldGiveThem(t *testing.T) {
	tel, reader := openWith(t, nil)
	seconds := must(tel.Meter().Float64Histogram(MetricHTTPServerDuration, metric.WithUnit("s"), metric.WithDescription("d")))
	tokens := must(tel.Meter().Int64Histogram(GenAI("v1.41").TokenUsage, metric.WithUnit("{token}")))
	attempts := must(tel.Meter().Int64Histogram(MetricAttempts))
	refusals := must(tel.Meter().Int64Counter(MetricRefusals, metric.WithUnit("{call}")))
	streams := must(tel.Meter().Int64UpDownCounter(MetricStreamsActive))

	for i, route := range []string{"/a", "/b"} {
		attributes := []attribute.KeyValue{HTTPRoute.String(route), HTTPResponseStatusCode.Int(200)}
		set := metric.WithAttributes(attributes...)
		ourSeconds := tel.Histogram(MetricHTTPServerDuration, "s", "d").Series(attributes...)
		ourTokens := tel.IntHistogram(GenAI("v1.41").TokenUsage, "{token}", "").Series(attributes...)
		ourAttempts := tel.IntHistogram(MetricAttempts, "", "").Series(attributes...)
		ourRefusals := tel.Counter(MetricRefusals, "{call}", "").Series(attributes...)
		ourStreams := tel.UpDownCounter(MetricStreamsActive, "", "").Series(attributes...)
		tel.Histogram(MetricHTTPClientDuration, "s", "").Series(attributes...) // never recorded in
		for n, v := range []float64{0, 0.005, 0.0050001, 0.3, 0.25, 45, 300, 301, 1e6, -1} {
			span := []trace.SpanContext{sampled, unsampled}[(n+i)%2]
			ctx := trace.ContextWithSpanContext(t.Context(), span)
			seconds.Record(ctx, v, set)
			ourSeconds.Record(v, span)
			tokens.Record(ctx, int64(v*100), set)
			ourTokens.Record(float64(int64(v*100)), span)
			attempts.Record(ctx, int64(n), set)
			ourAttempts.Record(float64(n), span)
			streams.Add(ctx, int64(n%3)-1, set)
			ourStreams.Add(int64(n%3) - 1)
		}
		refusals.Add(t.Context(), int64(i), set) // 0 for one of them
		ourRefusals.Add(int64(i))
	}
	scopes := collect(t, reader)
	if len(scopes) != 2 {
		t.Fatalf("%d scopes, want the SDK's and ours", len(scopes))
	}
	metricdatatest.AssertEqual(t, scopes[0], scopes[1], metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	if want, got := examples(scopes[0]), examples(scopes[1]); len(got) == 0 || !slices.Equal(got, want) {
		t.Errorf("exemplars\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// examples say which bucket has an exemplar, and of which span.
func examples(scope metricdata.ScopeMetrics) (lines []string) {
	for _, m := range scope.Metrics {
		switch data := m.Data.(type) {
		case metricdata.Histogram[float64]:
			lines = append(lines, examplesOf(m.Name, data)...)
		case metricdata.Histogram[int64]:
			lines = append(lines, examplesOf(m.Name, data)...)
		}
	}
	slices.Sort(lines)
	return lines
}

func examplesOf[N int64 | float64](name string, data metricdata.Histogram[N]) (lines []string) {
	for _, p := range data.DataPoints {
		for _, e := range p.Exemplars {
			i, _ := slices.BinarySearch(p.Bounds, float64(e.Value))
			if e.Time.IsZero() || len(e.FilteredAttributes) > 0 {
				name += "?"
			}
			lines = append(lines, fmt.Sprintf("%s %s %d %x %x", name, p.Attributes.Encoded(attribute.DefaultEncoder()), i, e.TraceID, e.SpanID))
		}
	}
	return lines
}

func TestNothingIsLostWhenManyRecordAndSomeRead(t *testing.T) {
	ours := &instruments{exemplars: trace.SpanContext.IsSampled}
	tel := &Telemetry{instruments: ours}
	const writers, each = 8, 5000
	var writing, reading sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				tel.Histogram("h", "s", "").Series(HTTPRoute.String("/")).Record(float64((w+i)%4), sampled)
				tel.Counter("c", "", "").Series().Add(2)
			}
		})
	}
	done := make(chan struct{})
	var sums [2]float64
	var counts, added [2]uint64
	readers := [2]*producer{ours.producer(sdkmetric.CumulativeTemporalitySelector), ours.producer(sdkmetric.DeltaTemporalitySelector)}
	read := func(i int) {
		all := produce(t, readers[i])
		if h, ok := all["h"].(metricdata.Histogram[float64]); ok {
			p, inBuckets := h.DataPoints[0], uint64(0)
			for _, n := range p.BucketCounts {
				inBuckets += n
			}
			if inBuckets != p.Count {
				t.Errorf("count is %d, and the buckets have %d", p.Count, inBuckets)
			}
			if i == 0 && p.Count < counts[i] {
				t.Errorf("%d after %d", p.Count, counts[i])
			}
			if i == 0 {
				counts[i], sums[i] = 0, 0
			}
			counts[i] += p.Count
			sums[i] += p.Sum
		}
		if c, ok := all["c"].(metricdata.Sum[int64]); ok {
			if i == 0 {
				added[i] = 0
			}
			added[i] += uint64(c.DataPoints[0].Value)
		}
	}
	for i := range readers {
		reading.Go(func() {
			for {
				select {
				case <-done:
					read(i)
					return
				default:
					read(i)
				}
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	for i, name := range []string{"cumulative", "delta"} {
		if counts[i] != writers*each || sums[i] != writers*each*1.5 || added[i] != 2*writers*each {
			t.Errorf("%s: count %d, sum %v, counter %d", name, counts[i], sums[i], added[i])
		}
	}
}

func TestACounterInPartsTellsUnits(t *testing.T) {
	tel := &Telemetry{instruments: &instruments{exemplars: trace.SpanContext.IsSampled}}
	c := tel.CounterInParts("c", "{usd}", "", 1e9).Series()
	delta := tel.instruments.producer(sdkmetric.DeltaTemporalitySelector)
	for _, want := range []float64{0.00008375, 0.0000000010} {
		c.Add(int64(want * 1e9))
		if sum, ok := produce(t, delta)["c"].(metricdata.Sum[float64]); !ok || sum.DataPoints[0].Value != want || !sum.IsMonotonic {
			t.Errorf("got %+v, want %v", sum, want)
		}
	}
}

func TestADeltaIsWhatCameSinceTheLastReading(t *testing.T) {
	ours := &instruments{exemplars: trace.SpanContext.IsSampled}
	tel := &Telemetry{instruments: ours}
	h, c := tel.Histogram(MetricDBClientDuration, "s", "").Series(), tel.Counter("c", "", "").Series()
	delta, cumulative := ours.producer(sdkmetric.DeltaTemporalitySelector), ours.producer(sdkmetric.CumulativeTemporalitySelector)
	h.Record(0.002, sampled)
	h.Record(3, sampled)
	c.Add(5)
	first := one(t, produce(t, delta)["db.client.operation.duration"])
	if first.Count != 2 || first.Sum != 3.002 || len(first.Exemplars) != 2 {
		t.Errorf("at first %+v", first)
	}
	if all := produce(t, delta); len(all) != 0 {
		t.Errorf("nothing came, and %v was given", all)
	}
	h.Record(4, sampled)
	c.Add(2)
	all := produce(t, delta)
	second := one(t, all["db.client.operation.duration"])
	if second.Count != 1 || second.Sum < 3.9 || second.Sum > 4.1 || len(second.Exemplars) != 1 || second.Exemplars[0].Value != 4 || !second.StartTime.After(first.Time) {
		t.Errorf("then %+v", second)
	}
	if _, known := second.Max.Value(); known {
		t.Error("a maximum of everything is given for one of the last minute")
	}
	if sum, ok := all["c"].(metricdata.Sum[int64]); !ok || sum.DataPoints[0].Value != 2 || sum.Temporality != metricdata.DeltaTemporality {
		t.Errorf("the counter: %+v", all["c"])
	}
	whole := one(t, produce(t, cumulative)["db.client.operation.duration"])
	if most, _ := whole.Max.Value(); whole.Count != 3 || len(whole.Exemplars) != 2 || most != 4 {
		t.Errorf("another reader got %+v", whole)
	}
}

func TestABucketShowsWhatCameAfterTheLastReading(t *testing.T) {
	ours := &instruments{exemplars: trace.SpanContext.IsSampled}
	h, p := (&Telemetry{instruments: ours}).Histogram(MetricDBClientDuration, "s", "").Series(), ours.producer(sdkmetric.CumulativeTemporalitySelector)
	for _, v := range []float64{2, 3, 4} { // one bucket
		h.Record(v, sampled)
		if got := one(t, produce(t, p)["db.client.operation.duration"]).Exemplars; len(got) != 1 || got[0].Value != v {
			t.Errorf("after %v: %+v", v, got)
		}
	}
	h.Record(5, unsampled)
	if got := one(t, produce(t, p)["db.client.operation.duration"]).Exemplars; len(got) != 1 || got[0].Value != 4 {
		t.Errorf("a span that is nowhere to be found is shown: %+v", got)
	}
}

func TestTheFilterOfExemplarsIsHonoured(t *testing.T) {
	for filter, want := range map[string][3]int{ // of a sampled span, of another, of none
		"": {1, 0, 0}, "trace_based": {1, 0, 0}, "Always_On": {1, 1, 1}, "always_off": {0, 0, 0}, "sometimes": {1, 0, 0},
	} {
		tel, reader := openWith(t, map[string]string{"OTEL_METRICS_EXEMPLAR_FILTER": filter})
		for i, span := range []trace.SpanContext{sampled, unsampled, {}} {
			name := fmt.Sprint("h", i)
			tel.Histogram(name, "", "").Series().Record(1, span)
			scope := collect(t, reader)[0]
			if got := one(t, scope.Metrics[i].Data).Exemplars; len(got) != want[i] {
				t.Errorf("%q: %s has exemplars %+v, want %d", filter, name, got, want[i])
			}
		}
	}
}

func TestSeriesAreBounded(t *testing.T) {
	tel, reader := openWith(t, nil)
	for i := range 2500 {
		tel.Histogram("h", "", "").Series(attribute.Int("i", i)).Record(1, trace.SpanContext{})
		tel.Counter("c", "", "").Series(attribute.Int("i", i)).Add(1)
	}
	if tel.Counter("c", "", "").Series(attribute.Int("i", 7)) == tel.Counter("c", "", "").Series(attribute.Int("i", 2400)) {
		t.Error("a series that was there in time is lost")
	}
	lines := MetricLines(&metricdata.ResourceMetrics{ScopeMetrics: collect(t, reader)})
	if len(lines) != 2*2000 || !slices.Contains(lines, "h {otel.metric.overflow=true} 501") || !slices.Contains(lines, "c {otel.metric.overflow=true} 501") {
		t.Errorf("%d series, %v", len(lines), lines[len(lines)-1])
	}
}

func TestAMeasurementAllocatesNothing(t *testing.T) {
	ours := &instruments{exemplars: trace.SpanContext.IsSampled}
	tel := &Telemetry{instruments: ours}
	h, c := tel.Histogram("h", "", "").Series(), tel.Counter("c", "", "").Series()
	if n := testing.AllocsPerRun(100, func() {
		h.show(0, 1, sampled) // as after each reading
		h.Record(1, sampled)
		c.Add(1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTelemetryThatIsOffRecordsNothing(t *testing.T) {
	tel := Off()
	tel.Histogram("h", "", "").Series().Record(1, sampled)
	tel.Counter("c", "", "").Series().Add(1)
	on, _ := openWith(t, nil)
	if on.Histogram("", "", "") != nil || on.Counter("", "", "") != nil {
		t.Error("an instrument without a name")
	}
}

func TestACollectorGetsDeltasAndExemplarsIfItWants(t *testing.T) {
	for preference, want := range map[string]metricspb.AggregationTemporality{
		"cumulative": metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE,
		"delta":      metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA,
		"lowmemory":  metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA,
	} {
		t.Run(preference, func(t *testing.T) {
			requests := make(chan *collector.ExportMetricsServiceRequest, 10)
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				request := new(collector.ExportMetricsServiceRequest)
				if err := proto.Unmarshal(body, request); err != nil {
					t.Error(err)
				}
				requests <- request
			}))
			defer server.Close()
			tel := openFor(t, map[string]string{
				"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": server.URL + "/v1/metrics", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_TRACES_EXPORTER": "none",
				"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": preference,
			})
			seconds, streams := tel.Histogram(MetricHTTPServerDuration, "s", "d").Series(), tel.UpDownCounter(MetricStreamsActive, "", "").Series()
			for range 2 {
				seconds.Record(0.5, sampled)
				streams.Add(1)
				if err := tel.metrics.ForceFlush(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			<-requests
			for _, scope := range (<-requests).ResourceMetrics[0].ScopeMetrics {
				if scope.Scope.Name != scopeOfOurs {
					continue
				}
				if scope.Scope.Version != "1.2.3" || len(scope.Metrics) != 2 {
					t.Fatalf("got %v", scope)
				}
				h, s := scope.Metrics[0].GetHistogram(), scope.Metrics[1].GetSum()
				count := uint64(2)
				if want == metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA {
					count = 1
				}
				if h.AggregationTemporality != want || h.DataPoints[0].Count != count || scope.Metrics[0].Unit != "s" || scope.Metrics[0].Description != "d" {
					t.Errorf("got %v", scope.Metrics[0])
				}
				if e := h.DataPoints[0].Exemplars; len(e) != 1 || trace.TraceID(e[0].TraceId) != sampled.TraceID() || trace.SpanID(e[0].SpanId) != sampled.SpanID() {
					t.Errorf("exemplars %v", e)
				}
				if s.DataPoints[0].GetAsInt() != 2 || s.IsMonotonic {
					t.Errorf("what goes up and down has no delta: %v", s)
				}
				return
			}
			t.Error("nothing of ours came")
		})
	}
}

func TestAScrapeFindsOurExemplars(t *testing.T) {
	tel, err := Open(t.Context(), Options{Prometheus: true, Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	tel.Histogram(MetricHTTPServerDuration, "s", "How long.").Series(HTTPRoute.String("/orders")).Record(45, sampled)
	tel.Counter(MetricRefusals, "{call}", "").Series().Add(3)
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	w := httptest.NewRecorder()
	tel.MetricsHandler().ServeHTTP(w, r)
	for _, part := range []string{
		"# HELP http_server_request_duration_seconds How long.",
		`http_server_request_duration_seconds_bucket{http_route="/orders",le="30.0"} 0` + "\n",
		`http_server_request_duration_seconds_bucket{http_route="/orders",le="60.0"} 1 # {`, `trace_id="` + sampled.TraceID().String() + `"`, `span_id="` + sampled.SpanID().String() + `"`, `"} 45.0 `,
		`http_server_request_duration_seconds_sum{http_route="/orders"} 45.0`,
		"spanway_refusals_total 3.0",
	} {
		if !strings.Contains(w.Body.String(), part) {
			t.Errorf("no %s in\n%s", part, w.Body)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	ours := &instruments{exemplars: trace.SpanContext.IsSampled}
	h := (&Telemetry{instruments: ours}).Histogram(MetricHTTPServerDuration, "s", "").Series(HTTPRoute.String("/"))
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h.Record(0.2, sampled)
		}
	})
	b.Run("many", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				h.Record(0.2, sampled)
			}
		})
	})
	b.Run("sdk", func(b *testing.B) {
		provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()), sdkmetric.WithView(view))
		h := must(provider.Meter("m").Float64Histogram(MetricHTTPServerDuration))
		set := metric.WithAttributeSet(attribute.NewSet(HTTPRoute.String("/")))
		ctx := trace.ContextWithSpanContext(context.Background(), sampled)
		b.ReportAllocs()
		for b.Loop() {
			h.Record(ctx, 0.2, set)
		}
	})
}
