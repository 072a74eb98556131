package telemetry

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/proto"
)

// resource says what this process is. What the environment says wins over the
// options; the downward API fills what is still open.
func (e environment) resource(o *Options) *resource.Resource {
	facts := map[attribute.Key]attribute.Value{
		TelemetrySDKName:     attribute.StringValue("spanway"),
		TelemetrySDKLanguage: attribute.StringValue("go"),
		TelemetrySDKVersion:  attribute.StringValue(otel.Version()),
	}
	set := func(key attribute.Key, value string) {
		if value != "" {
			facts[key] = attribute.StringValue(value)
		}
	}
	set(ServiceName, o.Service)
	set(ServiceVersion, o.Version)
	for _, kv := range o.Resource {
		facts[kv.Key] = kv.Value
	}
	for pair := range strings.SplitSeq(e.text("OTEL_RESOURCE_ATTRIBUTES"), ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		key, keyErr := url.PathUnescape(strings.TrimSpace(key))
		value, valueErr := url.PathUnescape(strings.TrimSpace(value))
		if !ok || key == "" || keyErr != nil || valueErr != nil {
			e.warnf("OTEL_RESOURCE_ATTRIBUTES: want key=value pairs, percent-encoded, got %q; leaving it out", pair)
			continue
		}
		facts[attribute.Key(key)] = attribute.StringValue(value)
	}
	set(ServiceName, e.text("OTEL_SERVICE_NAME"))
	if facts[ServiceName].AsString() == "" {
		set(ServiceName, "unknown_service:go")
	}

	for _, name := range downwardAPI {
		if _, given := facts[name.key]; !given {
			set(name.key, e.text(name.variable))
		}
	}
	if _, given := facts[ServiceInstanceID]; !given {
		set(ServiceInstanceID, instanceID(facts))
	}

	list := make([]attribute.KeyValue, 0, len(facts))
	for key, value := range facts {
		list = append(list, attribute.KeyValue{Key: key, Value: value})
	}
	return resource.NewSchemaless(list...)
}

// downwardAPI maps the variables that our chart sets, and most others do.
var downwardAPI = []struct {
	variable string
	key      attribute.Key
}{
	{"POD_NAME", K8SPodName},
	{"POD_NAMESPACE", K8SNamespaceName},
	{"POD_UID", K8SPodUID},
	{"NODE_NAME", K8SNodeName},
	{"CONTAINER_NAME", K8SContainerName},
}

// instanceID is namespace.pod.container, as the conventions ask, or random.
func instanceID(facts map[attribute.Key]attribute.Value) string {
	namespace, pod, container := facts[K8SNamespaceName].AsString(), facts[K8SPodName].AsString(), facts[K8SContainerName].AsString()
	if namespace != "" && pod != "" && container != "" {
		return namespace + "." + pod + "." + container
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// encodeResource puts r into the struct that the exporters want.
func encodeResource(r *resource.Resource) (*resourcepb.Resource, error) {
	var b []byte
	for _, kv := range r.Attributes() {
		b = appendAttribute(b, 1, kv, -1, 1)
	}
	p := new(resourcepb.Resource)
	if err := proto.Unmarshal(b, p); err != nil {
		return nil, fmt.Errorf("resource: %w", err)
	}
	return p, nil
}
