package telemetry

import (
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
)

// span is a recording span. It outlives its end (somebody may still hold it),
// so only its body is pooled; a span without a body has ended, and every method
// on it does nothing.
type span struct {
	embedded.Span

	tracer  *tracer
	context trace.SpanContext
	start   time.Time

	parent       trace.SpanID // zero for a root
	parentRemote bool
	kind         uint8

	mu            sync.Mutex // guards what follows, until body is nil
	status        codes.Code
	name          string
	statusMessage string
	body          *spanBody
}

// spanBody is what a span gathers between start and end.
type spanBody struct {
	attributes        []attribute.KeyValue
	seen              uint64 // a bit for each key's fingerprint: clear means not yet there
	droppedAttributes int
	events, links     pieces
	encoded           []byte // where End writes
}

var bodies = sync.Pool{New: func() any {
	return &spanBody{attributes: make([]attribute.KeyValue, 0, 16), encoded: make([]byte, 0, 1024)}
}}

// Bodies that one huge span has blown up are left to the garbage collector.
const (
	maxPooledBytes      = 64 << 10
	maxPooledAttributes = 256
)

func (b *spanBody) release() {
	if cap(b.attributes) > maxPooledAttributes || cap(b.encoded) > maxPooledBytes ||
		cap(b.events.bytes) > maxPooledBytes || cap(b.links.bytes) > maxPooledBytes {
		return
	}
	clear(b.attributes) // so that the pool holds no strings of a request
	b.attributes, b.seen, b.droppedAttributes = b.attributes[:0], 0, 0
	b.encoded = b.encoded[:0]
	b.events.reset()
	b.links.reset()
	bodies.Put(b)
}

// set adds an attribute, or overwrites the one with the same key.
func (b *spanBody) set(kv attribute.KeyValue, limit int) {
	if kv.Key == "" {
		b.droppedAttributes++
		return
	}
	bit := fingerprint(kv.Key)
	if b.seen&bit != 0 {
		for i := range b.attributes {
			if b.attributes[i].Key == kv.Key {
				b.attributes[i].Value = kv.Value
				return
			}
		}
	}
	if limit >= 0 && len(b.attributes) >= limit {
		b.droppedAttributes++
		return
	}
	b.seen |= bit
	b.attributes = append(b.attributes, kv)
}

// fingerprint spreads keys over 64 bits, so that most new keys need no search.
func fingerprint(k attribute.Key) uint64 {
	n := len(k)
	return 1 << ((uint(k[n-1]) + 7*uint(k[n/2]) + 31*uint(n)) & 63)
}

// pieces are encoded events or links. Beyond its limit the oldest goes, as the
// SDK does it.
type pieces struct {
	bytes   []byte
	sizes   []int
	dropped int
}

func (p *pieces) reset() {
	p.bytes, p.sizes, p.dropped = p.bytes[:0], p.sizes[:0], 0
}

// added is told that bytes grew by one piece from the offset before.
func (p *pieces) added(before, limit int) {
	p.sizes = append(p.sizes, len(p.bytes)-before)
	if limit < 0 || len(p.sizes) <= limit {
		return
	}
	p.bytes = append(p.bytes[:0], p.bytes[p.sizes[0]:]...)
	p.sizes = append(p.sizes[:0], p.sizes[1:]...)
	p.dropped++
}

// End implements [trace.Span]. Only the first call counts.
func (s *span) End(options ...trace.SpanEndOption) {
	var end time.Time
	if len(options) > 0 {
		config := trace.NewSpanEndConfig(options...)
		end = config.Timestamp()
	}
	s.mu.Lock()
	body := s.body
	s.body = nil
	s.mu.Unlock()
	if body == nil {
		return
	}
	if s.context.IsSampled() {
		if end.IsZero() {
			end = s.start.Add(time.Since(s.start)) // the monotonic clock: a set-back of the wall clock makes no negative span
		}
		body.encoded = s.encode(body.encoded, body, nanoseconds(end))
		s.tracer.provider.sink.add(s.tracer.scope, body.encoded)
	}
	body.release()
}

// AddEvent implements [trace.Span].
func (s *span) AddEvent(name string, options ...trace.EventOption) {
	config := trace.NewEventConfig(options...)
	limits := &s.tracer.provider.limits
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.body == nil {
		return
	}
	if limits.events == 0 {
		s.body.events.dropped++
		return
	}
	before := len(s.body.events.bytes)
	s.body.events.bytes = appendEvent(s.body.events.bytes, name, nanoseconds(config.Timestamp()), config.Attributes(), limits)
	s.body.events.added(before, limits.events)
}

// AddLink implements [trace.Span].
func (s *span) AddLink(link trace.Link) {
	limits := &s.tracer.provider.limits
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.body == nil {
		return
	}
	if !link.SpanContext.IsValid() && len(link.Attributes) == 0 && link.SpanContext.TraceState().Len() == 0 {
		return
	}
	if limits.links == 0 {
		s.body.links.dropped++
		return
	}
	before := len(s.body.links.bytes)
	s.body.links.bytes = appendLink(s.body.links.bytes, link, limits)
	s.body.links.added(before, limits.links)
}

// IsRecording implements [trace.Span].
func (s *span) IsRecording() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.body != nil
}

// RecordError implements [trace.Span].
func (s *span) RecordError(err error, options ...trace.EventOption) {
	if err == nil || !s.IsRecording() {
		return
	}
	facts := []attribute.KeyValue{ExceptionType.String(typeName(err)), ExceptionMessage.String(err.Error())}
	config := trace.NewEventConfig(options...)
	if config.StackTrace() {
		facts = append(facts, ExceptionStacktrace.String(string(debug.Stack())))
	}
	// A copy: options may be the caller's own slice.
	s.AddEvent(EventException, append(slices.Clip(options), trace.WithAttributes(facts...))...)
}

func typeName(v any) string {
	t := reflect.TypeOf(v)
	if t.PkgPath() == "" && t.Name() == "" {
		return t.String() // a pointer, mostly
	}
	return fmt.Sprintf("%s.%s", t.PkgPath(), t.Name())
}

// SpanContext implements [trace.Span].
func (s *span) SpanContext() trace.SpanContext { return s.context }

// SetStatus implements [trace.Span]. Ok is final, Error overwrites Unset.
func (s *span) SetStatus(code codes.Code, description string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.body == nil || s.status > code {
		return
	}
	s.status, s.statusMessage = code, ""
	if code == codes.Error {
		s.statusMessage = description
	}
}

// SetName implements [trace.Span].
func (s *span) SetName(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.body != nil {
		s.name = name
	}
}

// SetAttributes implements [trace.Span]. The slice is the caller's again when
// this returns.
func (s *span) SetAttributes(attributes ...attribute.KeyValue) {
	limit := s.tracer.provider.limits.attributes
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.body == nil {
		return
	}
	for i := range attributes {
		s.body.set(attributes[i], limit)
	}
}

// TracerProvider implements [trace.Span].
func (s *span) TracerProvider() trace.TracerProvider { return s.tracer.provider }

func nanoseconds(t time.Time) uint64 { return uint64(max(0, t.UnixNano())) }
