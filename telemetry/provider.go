package telemetry

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
)

// sink is where finished spans go. It copies encoded and must not block.
type sink interface {
	add(scope *scope, encoded []byte)
}

// provider makes tracers. With a nil sink it makes spans that record nothing
// but have ids, so that propagation and log lines work without an exporter.
type provider struct {
	embedded.TracerProvider

	sampler sdktrace.Sampler
	limits  limits
	sink    sink

	mu      sync.Mutex
	tracers map[scopeKey]*tracer
}

// scope is the instrumentation scope of a tracer, ready to be sent.
type scope struct {
	name   string
	prefix []byte // the fields of ScopeSpans that are not spans
}

type scopeKey struct {
	name, version, schema string
	attributes            attribute.Distinct
}

func newProvider(sampler sdktrace.Sampler, limits limits, sink sink) *provider {
	return &provider{sampler: sampler, limits: limits, sink: sink, tracers: map[scopeKey]*tracer{}}
}

// Tracer implements [trace.TracerProvider].
func (p *provider) Tracer(name string, options ...trace.TracerOption) trace.Tracer {
	config := trace.NewTracerConfig(options...)
	set := config.InstrumentationAttributes()
	key := scopeKey{name, config.InstrumentationVersion(), config.SchemaURL(), set.Equivalent()}
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tracers[key]
	if t == nil {
		t = &tracer{provider: p, scope: newScope(key, &set)}
		p.tracers[key] = t
	}
	return t
}

func newScope(key scopeKey, attributes *attribute.Set) *scope {
	b, mark := open(nil, scopeSpansScope)
	if key.name != "" {
		b = appendString(b, scopeName, key.name)
	}
	if key.version != "" {
		b = appendString(b, scopeVersion, key.version)
	}
	for _, kv := range attributes.ToSlice() {
		b = appendAttribute(b, scopeAttributes, kv, -1, 1)
	}
	b = shut(b, mark)
	if key.schema != "" {
		b = appendString(b, scopeSpansSchema, key.schema)
	}
	return &scope{name: key.name, prefix: b}
}

type tracer struct {
	embedded.Tracer

	provider *provider
	scope    *scope
}

// Start implements [trace.Tracer].
func (t *tracer) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	if ctx == nil {
		ctx = context.Background()
	}
	config := trace.NewSpanStartConfig(options...)
	var parent trace.SpanContext
	if config.NewRoot() {
		ctx = trace.ContextWithSpanContext(ctx, parent) // the sampler must not see the old parent either
	} else {
		parent = trace.SpanContextFromContext(ctx)
	}

	ids := trace.SpanContextConfig{TraceID: parent.TraceID(), SpanID: newSpanID()}
	if !ids.TraceID.IsValid() {
		ids.TraceID = newTraceID()
	}
	decision := t.provider.sampler.ShouldSample(sdktrace.SamplingParameters{
		ParentContext: ctx,
		TraceID:       ids.TraceID,
		Name:          name,
		Kind:          config.SpanKind(),
		Attributes:    config.Attributes(),
		Links:         config.Links(),
	})
	ids.TraceState = decision.Tracestate
	ids.TraceFlags = parent.TraceFlags().WithSampled(decision.Decision == sdktrace.RecordAndSample)
	own := trace.NewSpanContext(ids)

	if decision.Decision == sdktrace.Drop || t.provider.sink == nil {
		s := &silentSpan{provider: t.provider, context: own}
		return trace.ContextWithSpan(ctx, s), s
	}

	s := &span{
		tracer:       t,
		context:      own,
		parent:       parent.SpanID(),
		parentRemote: parent.IsRemote(),
		kind:         uint8(trace.ValidateSpanKind(config.SpanKind())),
		start:        config.Timestamp(),
		name:         name,
		body:         bodies.Get().(*spanBody),
	}
	if s.start.IsZero() {
		s.start = time.Now()
	}
	for _, link := range config.Links() {
		s.AddLink(link)
	}
	if len(decision.Attributes) > 0 {
		s.SetAttributes(decision.Attributes...)
	}
	if len(config.Attributes()) > 0 {
		s.SetAttributes(config.Attributes()...)
	}
	return trace.ContextWithSpan(ctx, s), s
}

// newTraceID and newSpanID draw from the runtime's ChaCha8 generators, of which
// each thread has its own. A zero id is invalid, so it is drawn again.
func newTraceID() (id trace.TraceID) {
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:8], rand.Uint64())
		binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	}
	return id
}

func newSpanID() (id trace.SpanID) {
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}

// silentSpan is a span that nobody records: it only carries its context.
type silentSpan struct {
	embedded.Span

	provider *provider
	context  trace.SpanContext
}

func (s *silentSpan) End(...trace.SpanEndOption)              {}
func (s *silentSpan) AddEvent(string, ...trace.EventOption)   {}
func (s *silentSpan) AddLink(trace.Link)                      {}
func (s *silentSpan) IsRecording() bool                       { return false }
func (s *silentSpan) RecordError(error, ...trace.EventOption) {}
func (s *silentSpan) SpanContext() trace.SpanContext          { return s.context }
func (s *silentSpan) SetStatus(codes.Code, string)            {}
func (s *silentSpan) SetName(string)                          {}
func (s *silentSpan) SetAttributes(...attribute.KeyValue)     {}
func (s *silentSpan) TracerProvider() trace.TracerProvider    { return s.provider }
