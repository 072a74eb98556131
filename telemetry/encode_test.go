package telemetry

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// recorded decodes what a tracer's spans were encoded to.
type recorded struct {
	t     *testing.T
	mu    sync.Mutex
	spans []*tracepb.Span
}

func (r *recorded) add(_ *scope, encoded []byte) {
	span := new(tracepb.Span)
	if err := proto.Unmarshal(slices.Clone(encoded), span); err != nil {
		r.t.Errorf("decoding: %v", err)
	}
	if len(span.ProtoReflect().GetUnknown()) > 0 {
		r.t.Errorf("a field that OTLP does not know: %x", span.ProtoReflect().GetUnknown())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = append(r.spans, span)
}

func (r *recorded) one() *tracepb.Span {
	r.t.Helper()
	if len(r.spans) != 1 {
		r.t.Fatalf("%d spans were recorded, want 1", len(r.spans))
	}
	return r.spans[0]
}

func recording(t *testing.T, variables map[string]string) (trace.Tracer, *recorded) {
	t.Helper()
	env := environment{get: func(name string) string { return variables[name] }, warn: func(text string) { t.Error(text) }}
	r := &recorded{t: t}
	return newProvider(env.sampler(), env.limits(), r).Tracer("test"), r
}

// wantValue is the translation as OpenTelemetry's own exporter makes it: struct by
// struct.
func wantValue(v attribute.Value) *commonpb.AnyValue {
	array := func(values []*commonpb.AnyValue) *commonpb.AnyValue {
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: values}}}
	}
	switch v.Type() {
	case attribute.BOOL:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: v.AsBool()}}
	case attribute.INT64:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: v.AsInt64()}}
	case attribute.FLOAT64:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: v.AsFloat64()}}
	case attribute.STRING:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: v.AsString()}}
	case attribute.BYTESLICE:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: v.AsByteSlice()}}
	case attribute.MAP:
		list := &commonpb.KeyValueList{}
		for _, kv := range v.AsMap() {
			list.Values = append(list.Values, &commonpb.KeyValue{Key: string(kv.Key), Value: wantValue(kv.Value)})
		}
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: list}}
	case attribute.EMPTY:
		return &commonpb.AnyValue{}
	}
	var parts []attribute.Value
	switch v.Type() {
	case attribute.BOOLSLICE:
		for _, one := range v.AsBoolSlice() {
			parts = append(parts, attribute.BoolValue(one))
		}
	case attribute.INT64SLICE:
		for _, one := range v.AsInt64Slice() {
			parts = append(parts, attribute.Int64Value(one))
		}
	case attribute.FLOAT64SLICE:
		for _, one := range v.AsFloat64Slice() {
			parts = append(parts, attribute.Float64Value(one))
		}
	case attribute.STRINGSLICE:
		for _, one := range v.AsStringSlice() {
			parts = append(parts, attribute.StringValue(one))
		}
	case attribute.SLICE:
		parts = v.AsSlice()
	}
	values := []*commonpb.AnyValue{}
	for _, one := range parts {
		values = append(values, wantValue(one))
	}
	return array(values)
}

func wantAttributes(list []attribute.KeyValue) []*commonpb.KeyValue {
	var want []*commonpb.KeyValue
	for _, kv := range list {
		want = append(want, &commonpb.KeyValue{Key: string(kv.Key), Value: wantValue(kv.Value)})
	}
	return want
}

// anyText has every length around the sizes at which a length needs another byte.
func anyText(r *rand.Rand) string {
	size := []int{0, 1, 7, 90, 110, 120, 125, 127, 128, 130, 200, 16300, 16384, 17000}[r.IntN(14)]
	return strings.Repeat("é", size/4) + strings.Repeat("x", size-size/4*2)
}

func someValues[T any](r *rand.Rand, one func() T) []T {
	values := make([]T, r.IntN(5))
	for i := range values {
		values[i] = one()
	}
	return values
}

func anyAttributeValue(r *rand.Rand, depth int) attribute.Value {
	kinds := 11
	if depth > 3 {
		kinds = 9
	}
	switch r.IntN(kinds) {
	case 0:
		return attribute.BoolValue(r.IntN(2) == 0)
	case 1:
		return attribute.Int64Value([]int64{0, 1, -1, 127, 128, math.MaxInt64, math.MinInt64, r.Int64()}[r.IntN(8)])
	case 2:
		return attribute.Float64Value([]float64{0, -0.5, math.Inf(1), math.MaxFloat64, r.Float64()}[r.IntN(5)])
	case 3:
		return attribute.StringValue(anyText(r))
	case 4:
		return attribute.ByteSliceValue([]byte(anyText(r)))
	case 5:
		return attribute.BoolSliceValue(someValues(r, func() bool { return r.IntN(2) == 0 }))
	case 6:
		return attribute.Int64SliceValue(someValues(r, r.Int64))
	case 7:
		return attribute.Float64SliceValue(someValues(r, r.Float64))
	case 8:
		return attribute.StringSliceValue(someValues(r, func() string { return anyText(r) }))
	case 9:
		return attribute.SliceValue(someValues(r, func() attribute.Value { return anyAttributeValue(r, depth+1) })...)
	default:
		return attribute.MapValue(anyAttributes(r, depth+1)...)
	}
}

func anyAttributes(r *rand.Rand, depth int) []attribute.KeyValue {
	list := make([]attribute.KeyValue, r.IntN(6))
	for i := range list {
		list[i] = attribute.KeyValue{Key: attribute.Key(fmt.Sprintf("key.%d.%s", i, strings.Repeat("k", r.IntN(130)))), Value: anyAttributeValue(r, depth)}
	}
	return list
}

func anySpanContext(r *rand.Rand) trace.SpanContext {
	config := trace.SpanContextConfig{TraceID: newTraceID(), SpanID: newSpanID(), Remote: r.IntN(2) == 0, TraceFlags: trace.FlagsSampled}
	if r.IntN(2) == 0 {
		config.TraceState, _ = trace.ParseTraceState("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")
	}
	return trace.NewSpanContext(config)
}

func TestSpansDecodeToWhatWasRecorded(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		tracer, got := recording(t, nil)
		ctx := context.Background()
		want := &tracepb.Span{Name: anyText(r), Kind: tracepb.Span_SpanKind(1 + r.IntN(5))}
		if r.IntN(2) == 0 {
			parent := anySpanContext(r)
			ctx = trace.ContextWithSpanContext(ctx, parent)
			id := parent.SpanID()
			want.ParentSpanId = id[:]
			want.TraceState = parent.TraceState().String()
			want.Flags = 0x101
			if parent.IsRemote() {
				want.Flags = 0x301
			}
		} else {
			want.Flags = 0x101
		}
		start := time.Unix(r.Int64N(1e9), r.Int64N(1e9))
		end := start.Add(time.Duration(r.Int64N(1e12)))
		want.StartTimeUnixNano, want.EndTimeUnixNano = uint64(start.UnixNano()), uint64(end.UnixNano())
		facts := anyAttributes(r, 0)
		want.Attributes = wantAttributes(facts)

		options := []trace.SpanStartOption{trace.WithTimestamp(start), trace.WithSpanKind(trace.SpanKind(want.Kind)), trace.WithAttributes(facts...)}
		for range r.IntN(3) {
			link := trace.Link{SpanContext: anySpanContext(r), Attributes: anyAttributes(r, 2)}
			traceID, id := link.SpanContext.TraceID(), link.SpanContext.SpanID()
			wanted := &tracepb.Span_Link{TraceId: traceID[:], SpanId: id[:], Flags: 0x101, Attributes: wantAttributes(link.Attributes), TraceState: link.SpanContext.TraceState().String()}
			if link.SpanContext.IsRemote() {
				wanted.Flags = 0x301
			}
			options = append(options, trace.WithLinks(link))
			want.Links = append(want.Links, wanted)
		}
		_, span := tracer.Start(ctx, want.Name, options...)
		for range r.IntN(4) {
			at, facts := start.Add(time.Duration(r.Int64N(1e9))), anyAttributes(r, 1)
			name := anyText(r)
			span.AddEvent(name, trace.WithTimestamp(at), trace.WithAttributes(facts...))
			want.Events = append(want.Events, &tracepb.Span_Event{Name: name, TimeUnixNano: uint64(at.UnixNano()), Attributes: wantAttributes(facts)})
		}
		if r.IntN(2) == 0 {
			message := anyText(r)
			span.SetStatus(codes.Error, message)
			want.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: message}
		}
		traceID, id := span.SpanContext().TraceID(), span.SpanContext().SpanID()
		want.TraceId, want.SpanId = traceID[:], id[:]
		span.End(trace.WithTimestamp(end))

		if !proto.Equal(got.one(), want) {
			t.Fatalf("seed %d:\ngot  %v\nwant %v", seed, got.one(), want)
		}
	}
}

func TestTextThatIsNotUTF8DoesNotSpoilTheBatch(t *testing.T) {
	tracer, got := recording(t, nil)
	_, span := tracer.Start(context.Background(), "GET /\xff", trace.WithAttributes(attribute.String("k\xfe", "v\xfd"), attribute.StringSlice("list", []string{"\xff"})))
	span.SetStatus(codes.Error, "bad \xff")
	span.End() // recorded fails the test if it cannot be decoded
	if s := got.one(); s.Name != "GET /\uFFFD" || s.Attributes[0].Value.GetStringValue() != "v\uFFFD" {
		t.Errorf("got %v", s)
	}
}

func TestLimitsOfTheEnvironmentHold(t *testing.T) {
	tracer, got := recording(t, map[string]string{
		"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT":   "2",
		"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "3",
		"OTEL_SPAN_EVENT_COUNT_LIMIT":       "2",
		"OTEL_SPAN_LINK_COUNT_LIMIT":        "1",
		"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT":  "1",
		"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT":   "0",
	})
	_, span := tracer.Start(context.Background(), "limited")
	span.SetAttributes(attribute.String("a", "häßlich"), attribute.ByteSlice("b", []byte("12345")), attribute.Int("c", 1), attribute.Int("", 1))
	span.SetAttributes(attribute.String("a", "überschrieben")) // there is room for a key that is there
	for i := range 5 {
		span.AddEvent(fmt.Sprint("event ", i), trace.WithAttributes(attribute.Int("x", i), attribute.Int("y", i)))
	}
	first, second := anySpanContext(rand.New(rand.NewPCG(1, 1))), anySpanContext(rand.New(rand.NewPCG(2, 1)))
	span.AddLink(trace.Link{SpanContext: first})
	span.AddLink(trace.Link{SpanContext: second, Attributes: []attribute.KeyValue{attribute.Int("x", 1)}})
	span.End()

	s := got.one()
	if len(s.Attributes) != 2 || s.Attributes[0].Value.GetStringValue() != "übe" || string(s.Attributes[1].Value.GetBytesValue()) != "123" || s.DroppedAttributesCount != 2 {
		t.Errorf("attributes %v, dropped %d", s.Attributes, s.DroppedAttributesCount)
	}
	if len(s.Events) != 2 || s.Events[0].Name != "event 3" || s.DroppedEventsCount != 3 || len(s.Events[0].Attributes) != 1 || s.Events[0].DroppedAttributesCount != 1 {
		t.Errorf("events %v, dropped %d", s.Events, s.DroppedEventsCount)
	}
	id := second.SpanID()
	if len(s.Links) != 1 || string(s.Links[0].SpanId) != string(id[:]) || s.DroppedLinksCount != 1 || s.Links[0].DroppedAttributesCount != 1 {
		t.Errorf("links %v, dropped %d", s.Links, s.DroppedLinksCount)
	}
}

func TestTheLastOfEqualKeysStands(t *testing.T) {
	tracer, got := recording(t, nil)
	_, span := tracer.Start(context.Background(), "s", trace.WithAttributes(attribute.Int("k", 1), attribute.Int("other", 2), attribute.Int("k", 3)))
	span.SetAttributes(attribute.Int("k", 4))
	span.AddEvent("e", trace.WithAttributes(attribute.Int("k", 1), attribute.Int("k", 2)))
	span.End()
	s := got.one()
	if len(s.Attributes) != 2 || s.Attributes[0].Value.GetIntValue() != 4 || len(s.Events[0].Attributes) != 1 || s.Events[0].Attributes[0].Value.GetIntValue() != 2 {
		t.Errorf("got %v", s)
	}
}

func TestASpanThatHasEndedTakesNothingMore(t *testing.T) {
	tracer, got := recording(t, nil)
	_, span := tracer.Start(context.Background(), "s")
	span.End()
	span.End()
	span.SetName("other")
	span.SetAttributes(attribute.Int("k", 1))
	span.AddEvent("late")
	span.RecordError(errors.New("late"))
	span.SetStatus(codes.Error, "late")
	span.AddLink(trace.Link{SpanContext: anySpanContext(rand.New(rand.NewPCG(1, 1)))})
	if span.IsRecording() || !span.SpanContext().IsValid() {
		t.Error("it still records, or has lost its context")
	}
	if s := got.one(); s.Name != "s" || len(s.Attributes)+len(s.Events)+len(s.Links) > 0 || s.Status != nil {
		t.Errorf("got %v", s)
	}
}

func TestStatusOnlyRises(t *testing.T) {
	tracer, got := recording(t, nil)
	_, span := tracer.Start(context.Background(), "s")
	span.SetStatus(codes.Error, "broken")
	span.SetStatus(codes.Unset, "")
	span.SetStatus(codes.Ok, "no description here")
	span.SetStatus(codes.Error, "too late")
	span.End()
	if s := got.one().Status; s.Code != tracepb.Status_STATUS_CODE_OK || s.Message != "" {
		t.Errorf("got %v", s)
	}
}

func TestAnErrorIsRecordedAsAnExceptionEvent(t *testing.T) {
	tracer, got := recording(t, nil)
	_, span := tracer.Start(context.Background(), "s")
	span.RecordError(fmt.Errorf("dial: %w", context.DeadlineExceeded), trace.WithStackTrace(true))
	span.RecordError(nil)
	span.End()
	s := got.one()
	if len(s.Events) != 1 || s.Events[0].Name != "exception" || len(s.Events[0].Attributes) != 3 || s.Status != nil {
		t.Fatalf("got %v", s)
	}
	if a := s.Events[0].Attributes; a[0].Value.GetStringValue() != "*fmt.wrapError" || a[1].Value.GetStringValue() != "dial: context deadline exceeded" {
		t.Errorf("got %v", a)
	}
}

func TestANewRootForgetsItsParent(t *testing.T) {
	tracer, got := recording(t, map[string]string{"OTEL_TRACES_SAMPLER": "parentbased_always_on"})
	unsampled := trace.NewSpanContext(trace.SpanContextConfig{TraceID: newTraceID(), SpanID: newSpanID(), Remote: true})
	ctx := trace.ContextWithRemoteSpanContext(context.Background(), unsampled)
	_, child := tracer.Start(ctx, "child")
	child.End()
	if child.IsRecording() || child.SpanContext().TraceID() != unsampled.TraceID() || !child.SpanContext().IsValid() || child.SpanContext().SpanID() == unsampled.SpanID() {
		t.Error("the child of an unsampled parent must be silent, in the same trace, with an id of its own")
	}
	_, root := tracer.Start(ctx, "root", trace.WithNewRoot(), trace.WithLinks(trace.Link{SpanContext: unsampled}))
	root.End()
	if s := got.one(); len(s.ParentSpanId) != 0 || len(s.Links) != 1 || root.SpanContext().TraceID() == unsampled.TraceID() {
		t.Errorf("got %v", s)
	}
}

func TestASpanMayBeUsedFromManyGoroutines(t *testing.T) {
	tracer, got := recording(t, nil)
	for range 50 {
		ctx, span := tracer.Start(context.Background(), "shared")
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				span.SetAttributes(attribute.Int("worker", i))
				span.AddEvent("done")
				_, child := tracer.Start(ctx, "child")
				child.SetAttributes(attribute.Int("worker", i))
				child.End()
				span.End()
			})
		}
		all.Wait()
	}
	if len(got.spans) != 250 {
		t.Errorf("%d spans, want 250", len(got.spans))
	}
}

func TestRecordOnlySpansAreNotSent(t *testing.T) {
	r := &recorded{t: t}
	tracer := newProvider(recordOnly{}, environment{get: func(string) string { return "" }}.limits(), r).Tracer("test")
	_, span := tracer.Start(context.Background(), "s")
	if !span.IsRecording() || span.SpanContext().IsSampled() {
		t.Error("it must record and not be sampled")
	}
	span.End()
	if len(r.spans) != 0 {
		t.Error("it was sent")
	}
}

type recordOnly struct{}

func (recordOnly) ShouldSample(sdktrace.SamplingParameters) sdktrace.SamplingResult {
	return sdktrace.SamplingResult{Decision: sdktrace.RecordOnly}
}

func (recordOnly) Description() string { return "record only" }
