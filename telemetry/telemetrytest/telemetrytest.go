// Package telemetrytest prints traces and metrics as text, so that a test can
// compare them with a golden file and a reader can see what is promised.
//
// [New] opens telemetry that records into memory: every span is sampled, and is
// there as soon as it has ended. [FromOTLP] and [FromJSON] print the same tree
// from what a collector received and from what Jaeger answers, so that an
// end-to-end test compares with the same golden files.
package telemetrytest

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/spanway/spanway/telemetry"
)

// Recorder keeps what was measured.
type Recorder struct {
	t      testing.TB
	reader *sdkmetric.ManualReader

	mu    sync.Mutex
	spans []*tracepb.Span
}

// New opens telemetry for one test; the environment plays no part in it.
func New(t testing.TB) (*telemetry.Telemetry, *Recorder) {
	t.Helper()
	r := &Recorder{t: t}
	opened, err := telemetry.Open(context.Background(), telemetry.Options{
		Service: "test",
		Getenv:  func(string) string { return "" },
		Record:  r.record,
		Reader: func(p sdkmetric.Producer) sdkmetric.Reader {
			r.reader = sdkmetric.NewManualReader(sdkmetric.WithProducer(p))
			return r.reader
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Shutdown(context.Background()) })
	return opened, r
}

func (r *Recorder) record(encoded []byte) {
	span := new(tracepb.Span)
	if err := proto.Unmarshal(bytes.Clone(encoded), span); err != nil {
		r.t.Errorf("a span that cannot be decoded: %v", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = append(r.spans, span)
}

// Spans returns the spans that have ended so far, in the order of their ends.
func (r *Recorder) Spans() []*tracepb.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.spans)
}

// Tree prints all traces so far.
func (r *Recorder) Tree() string { return FromOTLP(r.Spans()) }

// Reset forgets the spans so far.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = nil
}

// Metrics prints each metric point as `name {attributes} value`, sorted; a
// histogram's value is its count. Ports are masked.
func (r *Recorder) Metrics() string {
	var all metricdata.ResourceMetrics
	if err := r.reader.Collect(context.Background(), &all); err != nil {
		r.t.Errorf("metrics: %v", err)
	}
	var b strings.Builder
	for _, line := range telemetry.MetricLines(&all) {
		b.WriteString(port.ReplaceAllString(line, "server.port=<port>"))
		b.WriteByte('\n')
	}
	return b.String()
}
