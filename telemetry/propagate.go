package telemetry

import (
	"context"
	"encoding/hex"
	"net/http"

	"go.opentelemetry.io/contrib/propagators/b3"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// What a stranger may send is bounded: longer values are as if not sent.
const (
	maxTraceparent = 512
	maxTracestate  = 8 << 10
	maxBaggage     = 8 << 10
)

// ParseTraceparent reads a W3C traceparent header, strictly. The context that it
// returns is remote. It allocates nothing.
func ParseTraceparent(s string) (trace.SpanContext, bool) {
	if len(s) < 55 || len(s) > maxTraceparent || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return trace.SpanContext{}, false
	}
	version, ok := hexByte(s[0], s[1])
	if !ok || version == 0xff || len(s) > 55 && (version == 0 || s[55] != '-') {
		return trace.SpanContext{}, false
	}
	var config trace.SpanContextConfig
	if !unhex(config.TraceID[:], s[3:35]) || !unhex(config.SpanID[:], s[36:52]) {
		return trace.SpanContext{}, false
	}
	flags, ok := hexByte(s[53], s[54])
	if !ok {
		return trace.SpanContext{}, false
	}
	config.TraceFlags = trace.TraceFlags(flags) & (trace.FlagsSampled | trace.FlagsRandom)
	config.Remote = true
	c := trace.NewSpanContext(config)
	return c, c.IsValid()
}

// unhex decodes lower case only: the specification refuses upper case.
func unhex(to []byte, s string) bool {
	for i := range to {
		b, ok := hexByte(s[2*i], s[2*i+1])
		if !ok {
			return false
		}
		to[i] = b
	}
	return true
}

func hexByte(high, low byte) (byte, bool) {
	h, ok1 := hexDigit(high)
	l, ok2 := hexDigit(low)
	return h<<4 | l, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// AppendTraceparent appends c as a W3C traceparent header.
func AppendTraceparent(b []byte, c trace.SpanContext) []byte {
	traceID, spanID := c.TraceID(), c.SpanID()
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, traceID[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, spanID[:])
	b = append(b, '-')
	return hex.AppendEncode(b, []byte{byte(c.TraceFlags() & (trace.FlagsSampled | trace.FlagsRandom))})
}

// propagator builds what OTEL_PROPAGATORS asks for. w3c says that nothing but
// W3C headers are read and written, so that [Telemetry.Extract] may take its
// short way.
func (e environment) propagator() (p propagation.TextMapPropagator, w3c bool) {
	asked := e.list("OTEL_PROPAGATORS")
	if len(asked) == 0 {
		asked = []string{"tracecontext", "baggage"}
	}
	var list []propagation.TextMapPropagator
	hasContext, hasOther := false, false
	for _, name := range asked {
		switch name {
		case "tracecontext":
			hasContext = true
			list = append(list, traceContext{})
		case "baggage":
			list = append(list, propagation.Baggage{})
		case "b3":
			hasOther = true
			list = append(list, b3.New(b3.WithInjectEncoding(b3.B3SingleHeader)))
		case "b3multi":
			hasOther = true
			list = append(list, b3.New(b3.WithInjectEncoding(b3.B3MultipleHeader)))
		case "none":
		default:
			e.warnf("OTEL_PROPAGATORS: there is no propagator %q; leaving it out", name)
		}
	}
	return bounded{propagation.NewCompositeTextMapPropagator(list...)}, hasContext && !hasOther
}

// traceContext is the W3C propagator, on the functions above.
type traceContext struct{}

func (traceContext) Fields() []string { return []string{"traceparent", "tracestate"} }

func (traceContext) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	c := trace.SpanContextFromContext(ctx)
	if !c.IsValid() {
		return
	}
	carrier.Set("traceparent", string(AppendTraceparent(make([]byte, 0, 55), c)))
	if state := c.TraceState(); state.Len() > 0 {
		carrier.Set("tracestate", state.String())
	}
}

func (traceContext) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	c, ok := ParseTraceparent(carrier.Get("traceparent"))
	if !ok {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, withTracestate(c, carrier.Get("tracestate")))
}

// withTracestate adds a tracestate header. A bad one (over 32 members, say) is
// left out; the trace goes on, as the specification asks.
func withTracestate(c trace.SpanContext, s string) trace.SpanContext {
	if s == "" || len(s) > maxTracestate {
		return c
	}
	state, err := trace.ParseTraceState(s)
	if err != nil {
		return c
	}
	return c.WithTraceState(state)
}

// bounded hides from a propagator what is too long to be read.
type bounded struct{ propagation.TextMapPropagator }

func (b bounded) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	return b.TextMapPropagator.Extract(ctx, boundedCarrier{carrier})
}

type boundedCarrier struct{ propagation.TextMapCarrier }

func (c boundedCarrier) Get(key string) string {
	v := c.TextMapCarrier.Get(key)
	most := maxTraceparent
	if key == "baggage" || key == "tracestate" {
		most = maxTracestate
	}
	if len(v) > most {
		return ""
	}
	return v
}

// Values is what the baggage propagator asks first: several headers are one.
func (c boundedCarrier) Values(key string) []string {
	all, ok := c.TextMapCarrier.(propagation.ValuesGetter)
	if !ok {
		if v := c.Get(key); v != "" {
			return []string{v}
		}
		return nil
	}
	values, total := all.Values(key), 0
	for _, v := range values {
		total += len(v)
	}
	if total > maxBaggage {
		return nil
	}
	return values
}

// Extract returns ctx with what the propagators find in the headers of a
// request. Two traceparent headers are none: nobody knows which is right.
func (t *Telemetry) Extract(ctx context.Context, headers http.Header) context.Context {
	if !t.w3c || len(headers["Baggage"]) > 0 {
		return t.propagator.Extract(ctx, propagation.HeaderCarrier(headers))
	}
	values := headers["Traceparent"]
	if len(values) != 1 {
		return ctx
	}
	c, ok := ParseTraceparent(values[0])
	if !ok {
		return ctx
	}
	if states := headers["Tracestate"]; len(states) == 1 {
		c = withTracestate(c, states[0])
	} else if len(states) > 1 {
		c = withTracestate(c, joined(states))
	}
	return trace.ContextWithRemoteSpanContext(ctx, c)
}

func joined(values []string) string {
	var all []byte
	for i, v := range values {
		if len(all)+len(v) > maxTracestate {
			return ""
		}
		if i > 0 {
			all = append(all, ',')
		}
		all = append(all, v...)
	}
	return string(all)
}

// Inject writes the span of ctx, and its baggage where that is configured, into
// the headers of a request.
func (t *Telemetry) Inject(ctx context.Context, headers http.Header) {
	t.propagator.Inject(ctx, propagation.HeaderCarrier(headers))
}
