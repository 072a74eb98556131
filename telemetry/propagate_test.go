package telemetry

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const goodTraceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestTraceparentIsReadStrictly(t *testing.T) {
	for _, test := range []struct {
		name, value string
		ok          bool
	}{
		{"the specification's", goodTraceparent, true},
		{"not sampled", goodTraceparent[:53] + "00", true},
		{"flags that nobody knows yet", goodTraceparent[:53] + "ff", true},
		{"a later version, longer", "cc" + goodTraceparent[2:] + "-what-the-future-will-be-like", true},
		{"a later version, glued", "cc" + goodTraceparent[2:] + ".what", false},
		{"version 00, longer", goodTraceparent + "-x", false},
		{"version ff", "ff" + goodTraceparent[2:], false},
		{"upper case", strings.ToUpper(goodTraceparent), false},
		{"a trace id of zeros", "00-" + strings.Repeat("0", 32) + goodTraceparent[35:], false},
		{"a span id of zeros", goodTraceparent[:36] + strings.Repeat("0", 16) + "-01", false},
		{"not hex", "00-4bf92f3577b34da6a3ce929d0e0e473g" + goodTraceparent[35:], false},
		{"no dash", strings.Replace(goodTraceparent, "-", "_", 1), false},
		{"empty", "", false},
		{"endless", "cc" + goodTraceparent[2:] + "-" + strings.Repeat("x", 1000), false},
	} {
		c, ok := ParseTraceparent(test.value)
		if ok != test.ok || ok && (!c.IsRemote() || c.TraceID().String() != goodTraceparent[3:35] || c.SpanID().String() != goodTraceparent[36:52]) {
			t.Errorf("%s: got %v %v", test.name, c, ok)
		}
	}
}

func TestTraceparentIsWrittenAsItWasRead(t *testing.T) {
	c, _ := ParseTraceparent(goodTraceparent)
	if got := string(AppendTraceparent(nil, c)); got != goodTraceparent {
		t.Errorf("got %s", got)
	}
	if n := testing.AllocsPerRun(100, func() { ParseTraceparent(goodTraceparent) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzTraceparent holds the hand-written parser against OpenTelemetry's: what
// that one takes, ours takes too, and means the same by it.
func FuzzTraceparent(f *testing.F) {
	for _, seed := range []string{goodTraceparent, "", "cc" + goodTraceparent[2:] + "-x", strings.ToUpper(goodTraceparent)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > maxTraceparent {
			return
		}
		theirs := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": s}))
		ours, ok := ParseTraceparent(s)
		if theirs.IsValid() && (!ok || ours.TraceID() != theirs.TraceID() || ours.SpanID() != theirs.SpanID() || ours.IsSampled() != theirs.IsSampled()) {
			t.Errorf("%q: ours %v %v, theirs %v", s, ours, ok, theirs)
		}
	})
}

func propagating(t *testing.T, asked string) *Telemetry {
	t.Helper()
	env, warnings := variables("OTEL_PROPAGATORS=" + asked)
	tel := Off()
	tel.propagator, tel.w3c = env.propagator()
	if len(*warnings) > 0 && !strings.Contains(asked, "morse") {
		t.Error(*warnings)
	}
	return tel
}

func TestPropagatorsAreThoseOfTheVariable(t *testing.T) {
	c, _ := ParseTraceparent(goodTraceparent)
	member, _ := baggage.NewMember("tenant", "acme")
	bag, _ := baggage.New(member)
	ctx := baggage.ContextWithBaggage(trace.ContextWithSpanContext(context.Background(), c), bag)
	for _, test := range []struct {
		asked, headers string
		w3c            bool
	}{
		{"", "Baggage Traceparent", true},
		{"tracecontext", "Traceparent", true},
		{"b3", "B3", false},
		{"b3multi", "X-B3-Sampled X-B3-Spanid X-B3-Traceid", false},
		{"tracecontext,b3", "B3 Traceparent", false},
		{"none", "", false},
		{"morse,tracecontext", "Traceparent", true},
	} {
		tel := propagating(t, test.asked)
		headers := http.Header{}
		tel.Inject(ctx, headers)
		var names []string
		for _, name := range []string{"B3", "Baggage", "Traceparent", "X-B3-Sampled", "X-B3-Spanid", "X-B3-Traceid"} {
			if _, there := headers[name]; there {
				names = append(names, name)
			}
		}
		if got := strings.Join(names, " "); got != test.headers || len(headers) != len(names) || tel.W3C() != test.w3c {
			t.Errorf("%q: wrote %v, W3C %v", test.asked, headers, tel.W3C())
		}
		back := trace.SpanContextFromContext(tel.Extract(context.Background(), headers))
		if test.headers != "" && back.TraceID() != c.TraceID() {
			t.Errorf("%q: read back %v", test.asked, back)
		}
	}
}

func TestHostileHeadersAreAsIfNotSent(t *testing.T) {
	members := make([]string, 40)
	for i := range members {
		members[i] = strings.Repeat("k", i+1) + "=v"
	}
	for _, test := range []struct {
		name    string
		headers http.Header
		trace   bool
		state   int
		bag     int
	}{
		{"all good", http.Header{"Traceparent": {goodTraceparent}, "Tracestate": {"a=1,b=2"}, "Baggage": {"x=1"}}, true, 2, 1},
		{"tracestate in two headers", http.Header{"Traceparent": {goodTraceparent}, "Tracestate": {"a=1", "b=2"}}, true, 2, 0},
		{"40 members", http.Header{"Traceparent": {goodTraceparent}, "Tracestate": {strings.Join(members, ",")}}, true, 0, 0},
		{"a long tracestate", http.Header{"Traceparent": {goodTraceparent}, "Tracestate": {"a=" + strings.Repeat("x", 9000)}}, true, 0, 0},
		{"a long baggage", http.Header{"Traceparent": {goodTraceparent}, "Baggage": {"x=" + strings.Repeat("x", 9000)}}, true, 0, 0},
		{"a long baggage in pieces", http.Header{"Traceparent": {goodTraceparent}, "Baggage": {"x=" + strings.Repeat("x", 5000), "y=" + strings.Repeat("x", 5000)}}, true, 0, 0},
		{"two traceparents", http.Header{"Traceparent": {goodTraceparent, goodTraceparent}}, false, 0, 0},
	} {
		ctx := propagating(t, "").Extract(context.Background(), test.headers)
		c := trace.SpanContextFromContext(ctx)
		if c.IsValid() != test.trace || c.TraceState().Len() != test.state || baggage.FromContext(ctx).Len() != test.bag {
			t.Errorf("%s: got %v, baggage %q", test.name, c, baggage.FromContext(ctx))
		}
	}
}
