package llm

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestScanRequest(t *testing.T) {
	half, one, seed := 0.5, 1.0, int64(-3)
	tests := []struct {
		name string
		op   Operation
		body string
		want Request
	}{
		{"a model is enough", Chat, `{"model":"gpt-5"}`, Request{Model: "gpt-5"}},
		{"white space is free", Chat, " \r\n\t{ \"stream\" : true ,\n\"model\" : \"gpt-5\" } \n", Request{Model: "gpt-5", Stream: true}},
		{"all that is read", Chat, `{"messages":[{"role":"user","content":"x"}],"model":"m","stream":true,"stream_options":{"x":[1],"include_usage":true},` +
			`"max_tokens":5,"max_completion_tokens":7,"n":2,"temperature":0.5,"top_p":1,"seed":-3,"frequency_penalty":0.5,"presence_penalty":1e0}`,
			Request{Model: "m", Stream: true, IncludeUsage: true, MaxTokens: 7, Choices: 2, Temperature: &half, TopP: &one, Seed: &seed, FrequencyPenalty: &half, PresencePenalty: &one}},
		{"null is as if it were not written", Chat, `{"model":"m","stream":null,"stream_options":null,"max_tokens":null,"n":null,"temperature":null}`, Request{Model: "m"}},
		{"nulls within options", Chat, `{"model":"m","stream_options":{"include_usage":null}}`, Request{Model: "m"}},
		{"what lies deeper does not count", Chat, `{"metadata":{"model":"other","Model":1,"stream":true},"x":["model","stream"],"model":"m"}`, Request{Model: "m"}},
		{"what stands in a text does not count", Chat, `{"user":"\"model\":\"x\",\\","model":"m"}`, Request{Model: "m"}},
		{"names may be written with escapes", Chat, `{"mod\u0065l":"gpt\u002d5"}`, Request{Model: "gpt-5"}},
		{"a model's name may be any text", Chat, `{"model":"örtlich/é:latest\/x"}`, Request{Model: "örtlich/é:latest/x"}},
		{"fields that are like none are free", Chat, `{"model":"m","models":["x"],"streams":1,"":2}`, Request{Model: "m"}},
		{"embeddings are no stream", Embeddings, `{"model":"m","stream":true}`, Request{Model: "m"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ScanRequest([]byte(tt.body), tt.op)
			if err != nil {
				t.Fatal(err)
			}
			got.modelAt, got.modelEnd, got.usage = 0, 0, usageAsked{}
			if !reflect.DeepEqual(*got, tt.want) {
				t.Errorf("got %+v, want %+v", *got, tt.want)
			}
		})
	}
}

func TestScanRequestRefuses(t *testing.T) {
	tests := []struct {
		name, body, param, message string
	}{
		{"nothing", ``, "", "the body is not valid JSON"},
		{"an array", `[{"model":"m"}]`, "", "the body must be a JSON object"},
		{"a string", `"model"`, "", "the body must be a JSON object"},
		{"two objects", `{"model":"m"}{"model":"n"}`, "", "the body is not valid JSON"},
		{"trailing garbage", `{"model":"m"} x`, "", "the body is not valid JSON"},
		{"a trailing comma", `{"model":"m",}`, "", "the body is not valid JSON"},
		{"a byte order mark", "\ufeff" + `{"model":"m"}`, "", "the body is not valid JSON"},
		{"a cut body", `{"model":"m"`, "", "the body is not valid JSON"},
		{"a line feed in a string", "{\"model\":\"m\n\"}", "", "the body is not valid JSON"},
		{"too deep", `{"model":"m","x":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}`, "", "the body nests deeper than 512 levels"},
		{"much too deep", strings.Repeat(`{"a":`, 1_000_000), "", "the body nests deeper than 512 levels"},
		{"no model", `{"messages":[]}`, "model", `"model" is missing`},
		{"two models", `{"model":"a","model":"a"}`, "model", `"model" stands in the body twice`},
		{"two models, one escaped", `{"model":"a","\u006dodel":"b"}`, "model", `"model" stands in the body twice`},
		{"a model in other letters", `{"Model":"a"}`, "model", `a field must be spelled "model" exactly`},
		{"both spellings", `{"model":"a","MODEL":"b"}`, "model", `a field must be spelled "model" exactly`},
		{"other letters by escape", `{"model":"a","\u004dodel":"b"}`, "model", `a field must be spelled "model" exactly`},
		{"a Kelvin sign for a k", "{\"model\":\"a\",\"max_to\u212aens\":1}", "max_tokens", `a field must be spelled "max_tokens" exactly`},
		{"an escaped Kelvin sign", `{"model":"a","max_to\u212aens":1}`, "max_tokens", `a field must be spelled "max_tokens" exactly`},
		{"a long s", "{\"model\":\"a\",\"\u017ftream\":true}", "stream", `a field must be spelled "stream" exactly`},
		{"a model that is no string", `{"model":7}`, "model", `"model" must be a string that is not empty`},
		{"a model that is null", `{"model":null}`, "model", `"model" must be a string that is not empty`},
		{"an empty model", `{"model":""}`, "model", `"model" must be a string that is not empty`},
		{"a long model", `{"model":"` + strings.Repeat("m", 257) + `"}`, "model", `"model" must be at most 256 bytes long, is 257`},
		{"a model with a line end", `{"model":"a\r\nb"}`, "model", `"model" must be printable text`},
		{"a model with a NUL", `{"model":"a\u0000"}`, "model", `"model" must be printable text`},
		{"a model that is not UTF-8", "{\"model\":\"a\xff\"}", "model", `"model" must be printable text`},
		{"a model with half a surrogate pair", `{"model":"a\ud800"}`, "model", `"model" must be printable text`},
		{"a stream that is a string", `{"model":"m","stream":"true"}`, "stream", `"stream" must be true or false`},
		{"two streams", `{"model":"m","stream":true,"stream":false}`, "stream", `"stream" stands in the body twice`},
		{"options that are no object", `{"model":"m","stream_options":true}`, "stream_options", `"stream_options" must be an object`},
		{"options that are a number", `{"model":"m","stream_options":{"include_usage":1}}`, "stream_options.include_usage", `"stream_options.include_usage" must be true or false`},
		{"options twice", `{"model":"m","stream_options":{"include_usage":true,"include_usage":false}}`, "stream_options.include_usage", `"stream_options.include_usage" stands in the body twice`},
		{"options in other letters", `{"model":"m","stream_options":{"Include_usage":true}}`, "stream_options.include_usage", `a field must be spelled "include_usage" exactly`},
		{"half a token", `{"model":"m","max_tokens":1.5}`, "max_tokens", `"max_tokens" must be a whole number of at least 0`},
		{"fewer tokens than none", `{"model":"m","max_tokens":-1}`, "max_tokens", `"max_tokens" must be a whole number of at least 0`},
		{"more tokens than there are", `{"model":"m","max_completion_tokens":9223372036854775808}`, "max_completion_tokens", `"max_completion_tokens" must be a whole number of at least 0`},
		{"tokens in a string", `{"model":"m","max_tokens":"5"}`, "max_tokens", `"max_tokens" must be a whole number of at least 0`},
		{"no choice", `{"model":"m","n":0}`, "n", `"n" must be a whole number of at least 1`},
		{"a seed that is no number", `{"model":"m","seed":"a"}`, "seed", `"seed" must be a whole number`},
		{"a temperature beyond all", `{"model":"m","temperature":1e400}`, "temperature", `"temperature" must be a number`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ScanRequest([]byte(tt.body), Chat)
			field, ok := errors.AsType[*FieldError](err)
			if got != nil || !ok {
				t.Fatalf("got %+v, %v", got, err)
			}
			if field.Param != tt.param || field.Message != tt.message {
				t.Errorf("got %q: %s\nwant %q: %s", field.Param, field.Message, tt.param, tt.message)
			}
		})
	}
}

// What was authorised is what is forwarded: whatever body passes the scan, a
// patched one differs from it in the model alone, also to another reader.
func FuzzPatch(f *testing.F) {
	for _, body := range []string{
		`{"model":"gpt-5","stream":true}`, `{ "x":[{"model":"y"}] ,"mod\u0065l" : "a\"b" }`, `{"model":"a","Model":"b"}`, `{"a":"\\","model":"m","n":1}`,
		"{\"max_to\u212aens\":1,\"model\":\"m\"}", `{"stream_options":{"include_usage":true},"model":"x"}`, `{"":{},"model":"\ud83d\ude00"}`,
	} {
		f.Add([]byte(body), "openai/gpt-5")
		f.Add([]byte(body), "a\"\\\n\x00é")
	}
	f.Fuzz(func(t *testing.T, body []byte, model string) {
		r, err := ScanRequest(body, Chat)
		if err != nil {
			return
		}
		if !utf8.ValidString(model) {
			model = "m"
		}
		var before, after map[string]any
		if err := json.Unmarshal(body, &before); err != nil {
			if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
				return // a number that is too large for a float64; nothing is amiss with the text
			}
			t.Fatalf("%q passed: %v", body, err)
		}
		if before["model"] != r.Model {
			t.Fatalf("%q: authorised %q, another reader has %q", body, r.Model, before["model"])
		}
		if streams, _ := before["stream"].(bool); streams != r.Stream {
			t.Fatalf("%q: stream is %v to us only", body, r.Stream)
		}
		var folded struct {
			Model     string `json:"model"`
			MaxTokens any    `json:"max_tokens"`
		}
		if err := json.Unmarshal(body, &folded); err != nil || folded.Model != r.Model {
			t.Fatalf("%q: a reader that folds letters has %q, %v", body, folded.Model, err)
		}
		if same := r.Patch(body, r.Model); &same[0] != &body[0] {
			t.Error("the same model made another body")
		}
		patched := r.Patch(body, model)
		if err := json.Unmarshal(patched, &after); err != nil {
			t.Fatalf("patched %q: %v", patched, err)
		}
		before["model"] = model
		if !reflect.DeepEqual(before, after) {
			t.Fatalf("patched %q\nof %q", patched, body)
		}
		if !bytes.HasPrefix(patched, body[:r.modelAt]) || !bytes.HasSuffix(patched, body[r.modelEnd:]) {
			t.Error("other bytes than the model's were changed")
		}
	})
}

// A walk goes over any text whatever without panic, and over JSON as another
// reader does.
func FuzzWalk(f *testing.F) {
	for _, text := range []string{`{"a":1,"b":[{}],"c":"\\\""}`, `{"a"`, `{"a":}`, `[`, `{"":"`, `{,}`, `{"a":1 2}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want map[string]json.RawMessage
		err := json.Unmarshal(text, &want)
		keys := map[string]bool{}
		for fields := walk(text); ; {
			key, value, at, ok := fields.member()
			if !ok {
				break
			}
			if err != nil {
				continue
			}
			var name string
			if json.Unmarshal(key, &name) != nil || !json.Valid(value) || !bytes.HasPrefix(text[at:], value) {
				t.Fatalf("%q: %q is %q", text, key, value)
			}
			keys[name] = true
		}
		if err == nil && len(keys) != len(want) {
			t.Fatalf("%q: found %v, want %v", text, keys, want)
		}
		for list := walk(text); ; {
			if _, ok := list.element(); !ok {
				break
			}
		}
		new(Answer).Chunk(text)
		new(Answer).Tail(text)
	})
}

func FuzzAppendString(f *testing.F) {
	f.Add("a\"\\\n\u2028</script>\xff")
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		text := AppendString(nil, s)
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if want := string([]rune(s)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// body2K is a chat as an SDK writes it: the model first, the stream last.
func body2K() []byte {
	return []byte(`{"model":"gpt-5-mini","messages":[{"role":"system","content":"You are kind."},{"role":"user","content":"` +
		strings.Repeat(`A question, \"quoted\", on two lines.\n`, 50) + `"}],"temperature":0.5,"max_tokens":256,"stream":true}`)
}

func BenchmarkScanRequest2K(b *testing.B) {
	body := body2K()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ScanRequest(body, Chat); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPatch2K(b *testing.B) {
	body := body2K()
	r, err := ScanRequest(body, Chat)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r.Patch(body, "gpt-5")
	}
}
