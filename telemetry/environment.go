package telemetry

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// environment reads OTEL_* variables. An empty variable is unset, as the
// specification says; a bad value is said once, when telemetry is opened, and
// the default stands.
type environment struct {
	get  func(string) string
	warn func(string)
}

func (e environment) text(names ...string) string {
	for _, name := range names {
		if v := strings.TrimSpace(e.get(name)); v != "" {
			return v
		}
	}
	return ""
}

func (e environment) warnf(format string, args ...any) { e.warn(fmt.Sprintf(format, args...)) }

// count reads a number that is at least least; several names are tried in order.
func (e environment) count(fallback, least int, names ...string) int {
	for _, name := range names {
		text := e.text(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < least {
			e.warnf("%s: want a number of at least %d, got %q; using %d", name, least, text, fallback)
			return fallback
		}
		return n
	}
	return fallback
}

func (e environment) milliseconds(fallback time.Duration, name string) time.Duration {
	return time.Duration(e.count(int(fallback/time.Millisecond), 1, name)) * time.Millisecond
}

// boolean is true only for "true", in any case.
func (e environment) boolean(name string) bool {
	text := e.text(name)
	if text != "" && !strings.EqualFold(text, "true") && !strings.EqualFold(text, "false") {
		e.warnf("%s: want true or false, got %q; using false", name, text)
	}
	return strings.EqualFold(text, "true")
}

// list reads words separated by commas.
func (e environment) list(name string) []string {
	var words []string
	for word := range strings.SplitSeq(e.text(name), ",") {
		if word = strings.ToLower(strings.TrimSpace(word)); word != "" {
			words = append(words, word)
		}
	}
	return words
}

// limits are those of a span; a negative one means none.
type limits struct {
	attributes, events, links       int
	eventAttributes, linkAttributes int
	valueLength                     int
}

func (e environment) limits() limits {
	return limits{
		attributes:      e.count(128, -1, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"),
		events:          e.count(128, -1, "OTEL_SPAN_EVENT_COUNT_LIMIT"),
		links:           e.count(128, -1, "OTEL_SPAN_LINK_COUNT_LIMIT"),
		eventAttributes: e.count(128, -1, "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"),
		linkAttributes:  e.count(128, -1, "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"),
		valueLength:     e.count(-1, -1, "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
	}
}

// sampler honours OTEL_TRACES_SAMPLER and its argument.
func (e environment) sampler() sdktrace.Sampler {
	fallback := sdktrace.ParentBased(sdktrace.AlwaysSample())
	name := strings.ToLower(e.text("OTEL_TRACES_SAMPLER"))
	switch name {
	case "", "parentbased_always_on":
		return fallback
	case "always_on":
		return sdktrace.AlwaysSample()
	case "always_off":
		return sdktrace.NeverSample()
	case "parentbased_always_off":
		return sdktrace.ParentBased(sdktrace.NeverSample())
	case "traceidratio", "parentbased_traceidratio":
		ratio := 1.0
		if text := e.text("OTEL_TRACES_SAMPLER_ARG"); text != "" {
			parsed, err := strconv.ParseFloat(text, 64)
			if err != nil || !(parsed >= 0 && parsed <= 1) {
				e.warnf("OTEL_TRACES_SAMPLER_ARG: want a ratio from 0 to 1, got %q; using parentbased_always_on", text)
				return fallback
			}
			ratio = parsed
		}
		if name == "traceidratio" {
			return sdktrace.TraceIDRatioBased(ratio)
		}
		return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio))
	}
	e.warnf("OTEL_TRACES_SAMPLER: there is no sampler %q; using parentbased_always_on", name)
	return fallback
}

func (e environment) queue(bytes int, delay time.Duration) queueLimits {
	q := queueLimits{
		spans:   e.count(16384, 1, "OTEL_BSP_MAX_QUEUE_SIZE"),
		bytes:   bytes,
		batch:   e.count(512, 1, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"),
		delay:   e.milliseconds(delay, "OTEL_BSP_SCHEDULE_DELAY"),
		timeout: e.milliseconds(10*time.Second, "OTEL_BSP_EXPORT_TIMEOUT"),
	}
	q.batch = min(q.batch, q.spans)
	return q
}

// The values of OTEL_EXPORTER_OTLP_PROTOCOL.
const (
	protocolGRPC = "grpc"
	protocolHTTP = "http/protobuf"
	protocolJSON = "http/json"
)

// protocol chooses how a signal ("TRACES", "METRICS") is sent. The
// specification's default is http/protobuf; but an endpoint that ends in :4317
// or is a unix socket can only be meant for gRPC, so without a word it is.
func (e environment) protocol(signal string) string {
	target := e.endpoint(signal)
	unix := strings.HasPrefix(target, "unix:") || strings.HasPrefix(target, "unix-abstract:")
	asked := strings.ToLower(e.text("OTEL_EXPORTER_OTLP_"+signal+"_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"))
	switch asked {
	case protocolGRPC:
		return protocolGRPC
	case protocolHTTP, protocolJSON:
		if unix {
			e.warnf("OTEL_EXPORTER_OTLP_PROTOCOL: %s cannot be spoken over a unix socket; using grpc", asked)
			return protocolGRPC
		}
		return asked
	case "":
	default:
		e.warnf("OTEL_EXPORTER_OTLP_PROTOCOL: there is no protocol %q; choosing by the endpoint", asked)
	}
	if unix {
		return protocolGRPC
	}
	if !strings.Contains(target, "://") {
		target = "//" + target // host:port, which gRPC clients take
	}
	if u, err := url.Parse(target); err == nil && u.Port() == "4317" {
		return protocolGRPC
	}
	return protocolHTTP
}

func (e environment) endpoint(signal string) string {
	return e.text("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
}
