package telemetry

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/attribute"
)

// variables is an environment that counts its warnings.
func variables(pairs ...string) (environment, *[]string) {
	values := map[string]string{}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	var warnings []string
	return environment{
		get:  func(name string) string { return values[name] },
		warn: func(text string) { warnings = append(warnings, text) },
	}, &warnings
}

func TestVariablesChooseTheSampler(t *testing.T) {
	for _, test := range []struct {
		set  string
		want string
		warn bool
	}{
		{"", "ParentBased{root:AlwaysOnSampler", false},
		{"OTEL_TRACES_SAMPLER=", "ParentBased{root:AlwaysOnSampler", false},
		{"OTEL_TRACES_SAMPLER=always_on", "AlwaysOnSampler", false},
		{"OTEL_TRACES_SAMPLER=always_off", "AlwaysOffSampler", false},
		{"OTEL_TRACES_SAMPLER= Traceidratio |OTEL_TRACES_SAMPLER_ARG=0.25", "TraceIDRatioBased{0.25}", false},
		{"OTEL_TRACES_SAMPLER=parentbased_always_off", "ParentBased{root:AlwaysOffSampler", false},
		{"OTEL_TRACES_SAMPLER=parentbased_traceidratio|OTEL_TRACES_SAMPLER_ARG=0.5", "ParentBased{root:TraceIDRatioBased{0.5}", false},
		{"OTEL_TRACES_SAMPLER=traceidratio|OTEL_TRACES_SAMPLER_ARG=2", "ParentBased{root:AlwaysOnSampler", true},
		{"OTEL_TRACES_SAMPLER=traceidratio|OTEL_TRACES_SAMPLER_ARG=NaN", "ParentBased{root:AlwaysOnSampler", true},
		{"OTEL_TRACES_SAMPLER=sometimes", "ParentBased{root:AlwaysOnSampler", true},
	} {
		env, warnings := variables(strings.Split(test.set, "|")...)
		if got := env.sampler().Description(); !strings.HasPrefix(got, test.want) || len(*warnings) > 0 != test.warn {
			t.Errorf("%q: got %s, warnings %q", test.set, got, *warnings)
		}
	}
}

func TestVariablesChooseTheProtocol(t *testing.T) {
	for _, test := range []struct{ set, want string }{
		{"", "http/protobuf"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4317", "grpc"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318", "http/protobuf"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4317", "grpc"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=unix:///run/otel.sock", "grpc"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4317|OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "http/protobuf"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318|OTEL_EXPORTER_OTLP_PROTOCOL=grpc|OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json", "http/json"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318|OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c:4317", "grpc"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL=carrier-pigeon", "http/protobuf"},
	} {
		env, _ := variables(strings.Split(test.set, "|")...)
		if got := env.protocol("TRACES"); got != test.want {
			t.Errorf("%q: got %s, want %s", test.set, got, test.want)
		}
	}
}

func TestVariablesChooseTheExporter(t *testing.T) {
	for _, test := range []struct {
		set      string
		terminal bool
		want     string
	}{
		{"", false, "none"},
		{"", true, "terminal ok"},
		{"OTEL_TRACES_EXPORTER=none", true, "none"},
		{"OTEL_TRACES_EXPORTER=console", false, "console ok"},
		{"OTEL_TRACES_EXPORTER=zipkin", false, "none"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:4317", true, "otlp grpc ok"},
		{"OTEL_TRACES_EXPORTER=otlp", true, "otlp http/protobuf ok"},
		{"OTEL_SDK_DISABLED=TRUE", true, "disabled"},
	} {
		env, _ := variables(strings.Split(test.set, "|")...)
		o := Options{Getenv: env.get}
		if test.terminal {
			o.Terminal = &strings.Builder{}
		}
		tel, err := Open(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		if got := tel.State(); got != test.want {
			t.Errorf("%q: got %q, want %q", test.set, got, test.want)
		}
		_ = tel.Shutdown(context.Background())
	}
}

func TestVariablesChooseTheMetricExporters(t *testing.T) {
	for _, test := range []struct {
		set        string
		prometheus bool
		want       string
	}{
		{"", false, "[]"},
		{"", true, "[prometheus]"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317", true, "[otlp prometheus]"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317|OTEL_METRICS_EXPORTER=none", true, "[prometheus]"},
		{"OTEL_METRICS_EXPORTER=console, prometheus,statsd", false, "[console prometheus]"},
	} {
		env, _ := variables(strings.Split(test.set, "|")...)
		if got := fmt.Sprint(env.metricExporters(&Options{Prometheus: test.prometheus})); got != test.want {
			t.Errorf("%q: got %s, want %s", test.set, got, test.want)
		}
	}
}

func TestBadNumbersAreSaidAndReplaced(t *testing.T) {
	env, warnings := variables("OTEL_BSP_MAX_QUEUE_SIZE=many", "OTEL_BSP_SCHEDULE_DELAY=-5", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=64", "OTEL_SPAN_EVENT_COUNT_LIMIT=0")
	q := env.queue(1, 1e9)
	if q.spans != 16384 || q.delay != 1e9 || q.batch != 64 || env.limits().events != 0 || len(*warnings) != 2 {
		t.Errorf("got %+v, %q", q, *warnings)
	}
}

func TestTheResourceComesFromEverywhere(t *testing.T) {
	env, warnings := variables("OTEL_SERVICE_NAME=gateway", "OTEL_RESOURCE_ATTRIBUTES=service.name=other,team=a%20b,broken,k8s.pod.name=given",
		"POD_NAME=ignored", "POD_NAMESPACE=shop", "NODE_NAME=n1", "CONTAINER_NAME=main")
	set := env.resource(&Options{Service: "spanway", Version: "1", Resource: []attribute.KeyValue{SpanwayConfigHash.String("abc")}}).Set()
	for key, want := range map[attribute.Key]string{
		ServiceName: "gateway", ServiceVersion: "1", "team": "a b", K8SPodName: "given", K8SNamespaceName: "shop", K8SNodeName: "n1",
		ServiceInstanceID: "shop.given.main", SpanwayConfigHash: "abc", TelemetrySDKLanguage: "go",
	} {
		if got, _ := set.Value(key); got.AsString() != want {
			t.Errorf("%s: got %q, want %q", key, got.AsString(), want)
		}
	}
	if len(*warnings) != 1 {
		t.Errorf("warnings %q", *warnings)
	}
	bare, _ := variables()
	first, _ := bare.resource(&Options{}).Set().Value(ServiceInstanceID)
	second, _ := bare.resource(&Options{}).Set().Value(ServiceInstanceID)
	if len(first.AsString()) != 36 || first == second {
		t.Errorf("random instance ids: %q and %q", first.AsString(), second.AsString())
	}
}

func TestLogLinesHaveTimeAndTrace(t *testing.T) {
	var b strings.Builder
	log := Logger(&b, zerolog.InfoLevel)
	c, _ := ParseTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	TraceFields(log.Info(), c).Msg("call")
	TraceFields(log.Debug(), c).Msg("not written")
	for _, part := range []string{`"level":"info"`, `"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"`, `"span_id":"00f067aa0ba902b7"`, `"time":"20`, `"message":"call"`} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("no %s in %s", part, b.String())
		}
	}
	if strings.Count(b.String(), "\n") != 1 {
		t.Errorf("got %s", b.String())
	}
}

func TestWarningsAreSaidOnceAndAtTheirLevel(t *testing.T) {
	for level, want := range map[string]int{"": 2, "warn": 2, "error": 0, "none": 0, "loud": 2} {
		var b strings.Builder
		env, _ := variables("OTEL_TRACES_SAMPLER=sometimes", "OTEL_PROPAGATORS=morse", "OTEL_LOG_LEVEL="+level)
		tel, err := Open(context.Background(), Options{Getenv: env.get, Log: zerolog.New(&b)})
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			_, span := tel.Tracer().Start(context.Background(), "s")
			span.End()
		}
		if got := strings.Count(b.String(), "\n"); got != want {
			t.Errorf("OTEL_LOG_LEVEL=%s: %d lines, want %d:\n%s", level, got, want, b.String())
		}
	}
}

func TestWithoutAnExporterSpansHaveIDs(t *testing.T) {
	tel, err := Open(context.Background(), Options{Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tel.Tracer().Start(context.Background(), "s")
	if span.IsRecording() || !span.SpanContext().IsValid() || !span.SpanContext().IsSampled() {
		t.Errorf("got %v", span.SpanContext())
	}
	_, span = Off().Tracer().Start(context.Background(), "s")
	span.End()
	if err := Off().Shutdown(context.Background()); err != nil || len(Off().Dropped()) > 0 {
		t.Errorf("off: %v", err)
	}
}
