package observe

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/telemetry"
)

// Incoming says what becomes of the trace that a caller says it is in.
type Incoming string

// The ways. Automatic continues the traces of trusted peers and links those of
// strangers, whose sampled flag must not cost us money.
const (
	Automatic Incoming = ""
	Continue  Incoming = "continue"
	Link      Incoming = "link"
	Ignore    Incoming = "ignore"
)

// Options say how calls are observed.
type Options struct {
	Telemetry *telemetry.Telemetry
	Log       zerolog.Logger
	Incoming  func() Incoming // asked for each call: a reload may change it
	Names     telemetry.Names // of the GenAI conventions
	Prices    func() Prices   // asked for each attempt; nil: what calls cost is not said
}

// Observer makes the joints of a process.
type Observer struct {
	tracer    trace.Tracer
	telemetry *telemetry.Telemetry
	log       zerolog.Logger
	incoming  func() Incoming
	metrics   *metrics
	names     telemetry.Names
	prices    func() Prices
	models    distinct
}

// New returns an observer that reports to o.Telemetry.
func New(o Options) *Observer {
	incoming := o.Incoming
	if incoming == nil {
		incoming = func() Incoming { return Automatic }
	}
	return &Observer{
		tracer:    o.Telemetry.Tracer(),
		telemetry: o.Telemetry,
		log:       o.Log,
		incoming:  incoming,
		metrics:   newMetrics(o.Telemetry, o.Names),
		names:     o.Names,
		prices:    o.Prices,
		models:    distinct{limit: maxNames},
	}
}

// maxNames bounds the model names that become names of spans and metric series.
// Callers make them up.
const maxNames = 200

// other stands for what is over the bound, as in the HTTP conventions.
const other = "_OTHER"

// Expect lets names stand that the configuration holds, however many others
// callers have made up before.
func (o *Observer) Expect(models ...string) {
	for _, name := range models {
		o.models.expect(name)
	}
}

// distinct lets the first so many names stand.
type distinct struct {
	limit int
	mu    sync.RWMutex
	names map[string]struct{}
}

func (d *distinct) name(s string) string {
	if s == "" {
		return "" // none was said, which is no name
	}
	d.mu.RLock()
	_, ok := d.names[s]
	full := len(d.names) >= d.limit
	d.mu.RUnlock()
	switch {
	case ok:
		return s
	case full:
		return other
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.names) >= d.limit {
		return other
	}
	if d.names == nil {
		d.names = map[string]struct{}{}
	}
	d.names[strings.Clone(s)] = struct{}{}
	return s
}

// expect adds a name beyond the limit.
func (d *distinct) expect(s string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names == nil {
		d.names = map[string]struct{}{}
	}
	if _, ok := d.names[s]; !ok && len(d.names) >= d.limit {
		d.limit++
	}
	d.names[s] = struct{}{}
}

// parent decides where the call's span belongs: into the caller's trace, beside
// it with a link, or nowhere.
func (o *Observer) parent(ctx context.Context, call *gateway.Call) (context.Context, []trace.SpanStartOption) {
	way := o.incoming()
	if way == Automatic {
		way = Link
		if call.Trusted {
			way = Continue
		}
	}
	if !carries(call.Header) {
		return ctx, nil
	}
	told := o.telemetry.Extract(ctx, call.Header)
	for _, name := range carriers {
		delete(call.Header, name) // an attempt says its own, or nothing
	}
	remote := trace.SpanContextFromContext(told)
	switch {
	case way == Continue:
		return told, nil
	case way == Ignore || !remote.IsValid():
		return ctx, nil
	}
	// Not the told context: a stranger's baggage goes nowhere.
	return ctx, []trace.SpanStartOption{trace.WithLinks(trace.Link{SpanContext: remote})}
}

// carriers are the headers in which a trace's context travels: W3C's and B3's.
var carriers = []string{
	"Traceparent", "Tracestate", "Baggage",
	"B3", "X-B3-Traceid", "X-B3-Spanid", "X-B3-Parentspanid", "X-B3-Sampled", "X-B3-Flags",
}

// carries reports whether there is any of them. Most callers send none.
func carries(h http.Header) bool {
	for _, name := range carriers {
		if h[name] != nil {
			return true
		}
	}
	return false
}
