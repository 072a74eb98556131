package telemetrytest

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// FromOTLP prints spans as trees: one line a span,
//
//	KIND name {attributes, sorted; status=Error}  [events]  link -> what it links to
//
// with children under their parents, in order of start. A span whose parent is
// not among them is a root; each trace after the first begins with "(new trace) ".
// Ids, ports, addresses and times are masked by name.
func FromOTLP(spans []*tracepb.Span) string {
	spans = slices.Clone(spans)
	// Spans that start together (fake time stands still) stay in the order of their ends.
	slices.SortStableFunc(spans, func(a, b *tracepb.Span) int { return cmp.Compare(a.StartTimeUnixNano, b.StartTimeUnixNano) })
	p := printer{byID: map[string]*tracepb.Span{}, children: map[string][]*tracepb.Span{}}
	for _, s := range spans {
		p.byID[string(s.SpanId)] = s
	}
	var roots []*tracepb.Span
	for _, s := range spans {
		if p.byID[string(s.ParentSpanId)] != nil {
			p.children[string(s.ParentSpanId)] = append(p.children[string(s.ParentSpanId)], s)
		} else {
			roots = append(roots, s)
		}
	}
	seen := map[string]bool{}
	for _, s := range roots {
		if len(seen) > 0 && !seen[string(s.TraceId)] {
			p.b.WriteString("(new trace) ")
		}
		seen[string(s.TraceId)] = true
		p.print(s, 0)
	}
	return p.b.String()
}

type printer struct {
	b        strings.Builder
	byID     map[string]*tracepb.Span
	children map[string][]*tracepb.Span
}

func (p *printer) print(s *tracepb.Span, depth int) {
	kind := strings.TrimPrefix(s.Kind.String(), "SPAN_KIND_")
	attributes := printAttributes(s.Attributes)
	if s.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR {
		attributes = append(attributes, "status=Error")
	}
	fmt.Fprintf(&p.b, "%s%s %s", strings.Repeat("  ", depth), kind, s.Name)
	if len(attributes) > 0 {
		fmt.Fprintf(&p.b, " {%s}", strings.Join(attributes, " "))
	}
	if len(s.Events) > 0 {
		fmt.Fprintf(&p.b, "  [%s]", strings.Join(printEvents(s.Events), ", "))
	}
	for _, link := range s.Links {
		target := "<trace>"
		if to := p.byID[string(link.SpanId)]; to != nil {
			target = to.Name
		}
		fmt.Fprintf(&p.b, "  link -> %s", target)
	}
	p.b.WriteByte('\n')
	for _, child := range p.children[string(s.SpanId)] {
		p.print(child, depth+1)
	}
}

func printEvents(events []*tracepb.Span_Event) []string {
	texts := make([]string, 0, len(events))
	for _, e := range events {
		text := e.Name
		if attributes := printAttributes(e.Attributes); len(attributes) > 0 {
			text += " {" + strings.Join(attributes, " ") + "}"
		}
		texts = append(texts, text)
	}
	return texts
}

func printAttributes(list []*commonpb.KeyValue) []string {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b *commonpb.KeyValue) int { return strings.Compare(a.Key, b.Key) })
	texts := make([]string, 0, len(list))
	for _, kv := range list {
		value, masked := masks[kv.Key]
		if !masked {
			value = printValue(kv.Value)
		}
		texts = append(texts, kv.Key+"="+value)
	}
	return texts
}

// masks stand in for what differs from run to run.
var masks = map[string]string{
	"server.port":                         "<port>",
	"network.peer.port":                   "<port>",
	"client.port":                         "<port>",
	"spanway.request_id":                  "<id>",
	"spanway.stream.max_gap":              "<s>",
	"gen_ai.response.time_to_first_chunk": "<s>",
	"spanway.config.hash":                 "<hash>",
	"filled_by":                           "<trace id>",
	"trace_id":                            "<trace id>",
}

// port masks ports in metric lines.
var port = regexp.MustCompile(`server\.port=\d+`)

func printValue(v *commonpb.AnyValue) string {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return maskPorts(v.StringValue)
	case *commonpb.AnyValue_IntValue:
		return strconv.FormatInt(v.IntValue, 10)
	case *commonpb.AnyValue_BoolValue:
		return strconv.FormatBool(v.BoolValue)
	case *commonpb.AnyValue_DoubleValue:
		return strconv.FormatFloat(v.DoubleValue, 'f', -1, 64)
	case *commonpb.AnyValue_BytesValue:
		return "0x" + hex.EncodeToString(v.BytesValue)
	case *commonpb.AnyValue_ArrayValue:
		texts := make([]string, 0, len(v.ArrayValue.GetValues()))
		for _, one := range v.ArrayValue.GetValues() {
			texts = append(texts, printValue(one))
		}
		return "[" + strings.Join(texts, " ") + "]"
	case *commonpb.AnyValue_KvlistValue:
		return "{" + strings.Join(printAttributes(v.KvlistValue.GetValues()), " ") + "}"
	}
	return "<empty>"
}

// loopback finds the ports that a test's own servers were given.
var loopback = regexp.MustCompile(`(127\.0\.0\.1|\[::1\]|localhost):\d+`)

func maskPorts(s string) string { return loopback.ReplaceAllString(s, "$1:<port>") }

// FromJSON prints the same trees from OTLP JSON: an object with resourceSpans, or
// Jaeger's answer to /api/v3/traces, which has it under result.
func FromJSON(data []byte) (string, error) {
	var answer struct {
		Result        json.RawMessage `json:"result"`
		ResourceSpans json.RawMessage `json:"resourceSpans"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return "", fmt.Errorf("traces as JSON: %w", err)
	}
	if answer.Result != nil {
		data = answer.Result
	}
	data, err := idsToBase64(data)
	if err != nil {
		return "", err
	}
	var traces tracepb.TracesData
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, &traces); err != nil {
		return "", fmt.Errorf("traces as JSON: %w", err)
	}
	var spans []*tracepb.Span
	for _, r := range traces.ResourceSpans {
		for _, scope := range r.ScopeSpans {
			for _, s := range scope.Spans {
				s.Attributes = slices.DeleteFunc(s.Attributes, addedByJaeger)
				spans = append(spans, s)
			}
		}
	}
	return FromOTLP(spans), nil
}

// addedByJaeger are attributes that no span was sent with.
func addedByJaeger(kv *commonpb.KeyValue) bool { return strings.HasPrefix(kv.Key, "@jaeger@") }

// hexID finds the ids in OTLP JSON. OTLP writes them in hex, protobuf's own JSON
// expects base64.
var hexID = regexp.MustCompile(`("(?:traceId|spanId|parentSpanId)"\s*:\s*")([0-9a-fA-F]{16}|[0-9a-fA-F]{32})"`)

func idsToBase64(data []byte) ([]byte, error) {
	var failed error
	data = hexID.ReplaceAllFunc(data, func(match []byte) []byte {
		parts := hexID.FindSubmatch(match)
		id, err := hex.DecodeString(string(parts[2]))
		if err != nil {
			failed = err
		}
		return append(append(slices.Clone(parts[1]), base64.StdEncoding.EncodeToString(id)...), '"')
	})
	return data, failed
}
