package config

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("spanway.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("spanway.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func plain(t *testing.T, text []byte) (value any) {
	t.Helper()
	if err := yaml.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestExamplesAreValidByFileAndBySchema(t *testing.T) {
	schema := compiled(t)
	for _, path := range glob(t, "../../examples/*.yaml") {
		text := read(t, path)
		if _, err := Parse(filepath.Base(path), text, world(t)); err != nil {
			t.Error(err)
		}
		if err := schema.Validate(plain(t, text)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if !bytes.HasPrefix(text, []byte("# ")) {
			t.Errorf("%s does not begin with what it shows", path)
		}
	}
	for _, text := range []string{"", "{}", "limits:\nllm: off", `limits: {headers: "${N}", body: 1024}`} {
		if err := schema.Validate(plain(t, []byte(text))); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestTheSchemaRefusesWhatTheFileRefusesByShape(t *testing.T) {
	schema := compiled(t)
	for _, text := range []string{
		"lisen: {}",
		"limits: {bodies: 1}",
		"limits: {body: big}",
		"limits: {headers: \"100\"}",
		"drain: 5s",
		"drain: {notice: 5}",
		"trusted_proxies: [here]",
		"admission: {auth: true}",
		"admission: {limit: {}}",
		"llm: none",
		"llm: {passthrough: maybe}",
		"store: {}",
		"telemetry: {incoming: propagate}",
		"telemetry: {genai_conventions: v1}",
		"upstreams: [a]",
		"upstreams: {a: {url: \"http://a\", dialect: other}}",
		"upstreams: {a: {url: \"http://a\", keys: [literal]}}",
		"routes: [{name: a, path: /a, methods: [get]}]",
		"routes: [{name: a, path: /a, split: []}]",
		"routes: [{name: a, path: /a, targets: [{upstrem: a}]}]",
		"keys: [{name: 1}]",
	} {
		if schema.Validate(plain(t, []byte(text))) == nil {
			t.Errorf("the schema accepts %s", text)
		}
		_, err := Parse("f", []byte(text), world(t))
		if _, bad := errors.AsType[*Error](err); !bad {
			t.Errorf("Parse accepts %s", text)
		}
	}
}

func TestEffectiveShowsDefaultsAndHidesSecrets(t *testing.T) {
	file, err := Parse("full.yaml", read(t, "../../examples/full.yaml"), world(t))
	if err != nil {
		t.Fatal(err)
	}
	text := string(Effective(file))
	for _, want := range []string{"token: '***'", "- '***'", "body: 10MiB", "calls: 1m0s", "passthrough: true", "fail_after: 3"} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, canary) {
		t.Error("shows a secret")
	}
}

func TestWhatIsEffectiveMeansTheSame(t *testing.T) {
	for _, name := range []string{"minimal", "services", "keys"} {
		file, err := Parse(name, read(t, "../../examples/"+name+".yaml"), world(t))
		if err != nil {
			t.Fatal(err)
		}
		text := Effective(file)
		again, err := Parse("effective", text, world(t))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if !bytes.Equal(Effective(again), text) {
			t.Errorf("%s changes when it is read again:\n%s\nthen\n%s", name, text, Effective(again))
		}
	}
}
