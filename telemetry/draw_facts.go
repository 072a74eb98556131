package telemetry

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// facts picks what a reader wants to know about a span first, in the order in
// which he asks: what came of it, who did it, how much was it, what went wrong.
func facts(s *tracepb.Span) []string {
	values := make(map[attribute.Key]*commonpb.AnyValue, len(s.Attributes))
	for _, kv := range s.Attributes {
		values[attribute.Key(kv.Key)] = kv.Value
	}
	var list []string
	add := func(text string) {
		if text != "" {
			list = append(list, printable(text))
		}
	}
	labelled := func(label string, key attribute.Key) {
		if v := shortValue(values[key]); v != "" {
			add(label + v)
		}
	}

	add(strings.TrimSpace(shortValue(values[HTTPResponseStatusCode]) + " " + shortValue(values[SpanwayOutcome])))
	labelled("", DBSystemName)
	labelled("", SpanwayRefusedRule)
	labelled("cache ", SpanwayCache)
	if s.Kind == tracepb.Span_SPAN_KIND_SERVER {
		labelled("via ", SpanwayUpstream)
	} else {
		labelled("", PeerService)
	}
	if v := values[SpanwayAttempts].GetIntValue(); v > 1 {
		add(fmt.Sprintf("%d attempts", v))
	}
	if v := values[HTTPRequestResendCount].GetIntValue(); v > 0 {
		add(fmt.Sprintf("retry %d", v))
	}
	labelled("", SpanwayAttemptOutcome)
	labelled("", SpanwayBackoffReason)
	if v, ok := values[GenAIResponseTimeToFirstChunk]; ok {
		add("first token " + duration(uint64(max(0, v.GetDoubleValue())*float64(time.Second))))
	}
	add(tokens(values[GenAIUsageInputTokens], values[GenAIUsageOutputTokens]))
	add(tokens(values[SpanwayTokensInput], values[SpanwayTokensOutput]))
	if v, ok := values[SpanwayCostUSD]; ok {
		add("$" + strconv.FormatFloat(v.GetDoubleValue(), 'g', 3, 64))
	}
	if v := shortValue(values[SpanwayStreamOutcome]); v != "complete" {
		add(v)
	}
	labelled("", GenAIResponseFinishReasons)
	if v := shortValue(values[ErrorType]); v != shortValue(values[HTTPResponseStatusCode]) {
		add(v)
	}
	add(s.Status.GetMessage())
	return list
}

func tokens(in, out *commonpb.AnyValue) string {
	if in == nil && out == nil {
		return ""
	}
	return fmt.Sprintf("%d→%d tokens", in.GetIntValue(), out.GetIntValue())
}

// shortValue prints a value for a human; a list comma-joined.
func shortValue(v *commonpb.AnyValue) string {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return v.StringValue
	case *commonpb.AnyValue_IntValue:
		return strconv.FormatInt(v.IntValue, 10)
	case *commonpb.AnyValue_BoolValue:
		return strconv.FormatBool(v.BoolValue)
	case *commonpb.AnyValue_DoubleValue:
		return strconv.FormatFloat(v.DoubleValue, 'g', 4, 64)
	case *commonpb.AnyValue_ArrayValue:
		var parts []string
		for _, one := range v.ArrayValue.GetValues() {
			parts = append(parts, shortValue(one))
		}
		return strings.Join(parts, ",")
	case *commonpb.AnyValue_BytesValue:
		return fmt.Sprintf("%d bytes", len(v.BytesValue))
	}
	return ""
}
