package provider

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// puts sends a call to a provider and returns where it was put, as what, and what
// the caller got.
func puts(t *testing.T, caller gateway.Dialect, settings Settings, op llm.Operation, asked, answer string) (path, body, got string, err error) {
	t.Helper()
	sender := gateway.HandlerFunc(func(_ context.Context, put *gateway.Call) (*gateway.Reply, error) {
		path, body = put.Path, string(put.Body.Bytes)
		return gateway.NewReply(http.StatusOK, http.Header{"Content-Type": {"application/json"}}, strings.NewReader(answer), int64(len(answer)), nil), nil
	})
	reply, err := New(gateway.Target{Model: "gpt-5", Provider: "acme"}, settings, sender).Handle(t.Context(), asks(t, caller, op, asked))
	if err != nil {
		return path, body, "", err
	}
	defer reply.Close()
	text, err := io.ReadAll(reply.Body)
	return path, body, string(text), err
}

const responsesAnswer1 = `{"id":"resp_1","object":"response","status":"completed","error":null,"model":"gpt-5-2026-01","output":[` +
	`{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"Look."},{"type":"summary_text","text":"Answer."}],"encrypted_content":"gAAA"},` +
	`{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hi","annotations":[]}]},` +
	`{"id":"fc_1","type":"function_call","status":"completed","call_id":"call_1","name":"weather","arguments":"{}"}],` +
	`"usage":{"input_tokens":11,"input_tokens_details":{"cached_tokens":4},"output_tokens":7,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":18}}`

// What goes where: to a provider that speaks as the caller does, the caller's
// bytes; to all others, another request.
func TestWhereAResponsesCallGoes(t *testing.T) {
	const asked, chat = `{ "model" :"smart","input":[{"type":"item_reference","id":"x"}],"previous_response_id":"resp_0"}`, `{ "model" :"smart","messages":[{"role":"user","content":"Hi"}]}`
	tests := []struct {
		name       string
		caller     gateway.Dialect
		settings   Settings
		op         llm.Operation
		asked      string
		path, body string
	}{
		{"a provider of Responses gets the bytes but for the model", Responses, Settings{Dialect: llm.Responses}, llm.Chat, asked,
			"/responses", strings.Replace(asked, "smart", "gpt-5", 1)},
		{"so does one of OpenAI's dialect that has Responses beside", Responses, Settings{Dialect: llm.OpenAI, Responses: true}, llm.Chat, asked,
			"/responses", strings.Replace(asked, "smart", "gpt-5", 1)},
		{"which goes on to get chats as they are", OpenAI, Settings{Dialect: llm.OpenAI, Responses: true}, llm.Chat, chat,
			"/chat/completions", strings.Replace(chat, "smart", "gpt-5", 1)},
		{"a provider of Responses gets a chat as its own", OpenAI, Settings{Dialect: llm.Responses}, llm.Chat, chat,
			"/responses", `{"model":"gpt-5","input":[{"type":"message","role":"user","content":"Hi"}],"store":false}`},
		{"and embeddings as they are", OpenAI, Settings{Dialect: llm.Responses}, llm.Embeddings, `{"model":"smart","input":"Hi"}`, "/embeddings", `{"model":"gpt-5","input":"Hi"}`},
		{"a provider without Responses gets a chat", Responses, Settings{Dialect: llm.OpenAI}, llm.Chat, `{"model":"smart","input":"Hi"}`,
			"/chat/completions", `{"model":"gpt-5","messages":[{"role":"user","content":"Hi"}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path, body, _, _ := puts(t, tt.caller, tt.settings, tt.op, tt.asked, "{}")
			if path != tt.path || body != tt.body {
				t.Errorf("put to %s\n%s\nwant %s\n%s", path, body, tt.path, tt.body)
			}
		})
	}
}

// What is asked in Responses comes to a provider of Responses again when it has
// been read and written: nothing is lost on the way through the middle.
func TestResponsesPrompt(t *testing.T) {
	tests := []struct{ name, asked, want string }{
		{"a text", `{"model":"m","input":"Hi"}`, `{"model":"m","input":[{"type":"message","role":"user","content":"Hi"}],"store":false}`},
		{"instructions come first", `{"model":"m","input":"Hi","instructions":"Be kind."}`,
			`{"model":"m","input":[{"type":"message","role":"system","content":"Be kind."},{"type":"message","role":"user","content":"Hi"}],"store":false}`},
		{"roles, with and without a type", `{"model":"m","input":[{"role":"developer","content":"A"},{"type":"message","role":"user","content":[{"type":"input_text","text":"B"}]},` +
			`{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"C","annotations":[]}]}]}`,
			`{"model":"m","input":[{"type":"message","role":"system","content":"A"},{"type":"message","role":"user","content":"B"},{"type":"message","role":"assistant","content":"C"}],"store":false}`},
		{"images and files", `{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"See"},{"type":"input_image","image_url":"https://x/y.png","detail":"low"},` +
			`{"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"auto"},{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,BBBB"},` +
			`{"type":"input_file","file_url":"https://x/b.pdf"}]}]}`,
			`{"model":"m","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"See"},{"type":"input_image","image_url":"https://x/y.png","detail":"low"},` +
				`{"type":"input_image","image_url":"data:image/png;base64,AAAA"},{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,BBBB"},` +
				`{"type":"input_file","file_url":"https://x/b.pdf"}]}],"store":false}`},
		{"calls and their results", `{"model":"m","input":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Well."},{"type":"function_call","call_id":"a","name":"f","arguments":"{\"x\":1}"},` +
			`{"type":"function_call","call_id":"b","name":"g","arguments":"{}"},{"type":"function_call_output","call_id":"a","output":"1"},` +
			`{"type":"function_call_output","call_id":"b","output":[{"type":"input_text","text":"2"},{"type":"input_image","image_url":"https://x/y.png"}]}]}`,
			`{"model":"m","input":[{"type":"message","role":"user","content":"Hi"},{"type":"message","role":"assistant","content":"Well."},{"type":"function_call","call_id":"a","name":"f","arguments":"{\"x\":1}"},` +
				`{"type":"function_call","call_id":"b","name":"g","arguments":"{}"},{"type":"function_call_output","call_id":"a","output":"1"},` +
				`{"type":"function_call_output","call_id":"b","output":[{"type":"input_text","text":"2"},{"type":"input_image","image_url":"https://x/y.png"}]}],"store":false}`},
		{"a refusal", `{"model":"m","input":[{"role":"assistant","content":[{"type":"refusal","refusal":"No."}]}]}`,
			`{"model":"m","input":[{"type":"message","role":"assistant","content":[{"type":"refusal","refusal":"No."}]}],"store":false}`},
		{"thoughts for OpenAI only are left out", `{"model":"m","input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"},{"role":"user","content":"Hi"}]}`,
			`{"model":"m","input":[{"type":"message","role":"user","content":"Hi"}],"store":false}`},
		{"tools", `{"model":"m","input":"Hi","tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":true},{"type":"function","name":"g","parameters":null}],` +
			`"tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false}`,
			`{"model":"m","input":[{"type":"message","role":"user","content":"Hi"}],"tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":true},` +
				`{"type":"function","name":"g","parameters":null,"strict":false}],"tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false,"store":false}`},
		{"a choice in a word", `{"model":"m","input":"Hi","tool_choice":"required","parallel_tool_calls":true}`,
			`{"model":"m","input":[{"type":"message","role":"user","content":"Hi"}],"tool_choice":"required","store":false}`},
		{"a schema", `{"model":"m","input":"Hi","text":{"format":{"type":"json_schema","name":"s","description":"d","schema":{"type":"object"},"strict":true},"verbosity":"low"}}`,
			`{"model":"m","input":[{"type":"message","role":"user","content":"Hi"}],"text":{"format":{"type":"json_schema","name":"s","description":"d","schema":{"type":"object"},"strict":true},"verbosity":"low"},"store":false}`},
		{"any object", `{"model":"m","input":"Hi","text":{"format":{"type":"json_object"}}}`,
			`{"model":"m","input":[{"type":"message","role":"user","content":"Hi"}],"text":{"format":{"type":"json_object"}},"store":false}`},
		{"reasoning", `{"model":"m","input":"Hi","reasoning":{"effort":"high","summary":"detailed"}}`,
			`{"model":"m","input":[{"type":"message","role":"user","content":"Hi"}],"reasoning":{"effort":"high","summary":"auto"},"store":false}`},
		{"numbers and words", `{"model":"m","input":"Hi","stream":true,"max_output_tokens":99,"temperature":0.5,"top_p":0.9,"user":"u","metadata":{"a":"b"},"service_tier":"flex","prompt_cache_key":"k"}`,
			`{"model":"m","input":[{"type":"message","role":"user","content":"Hi"}],"stream":true,"max_output_tokens":99,"temperature":0.5,"top_p":0.9,"user":"u","metadata":{"a":"b"},"service_tier":"flex","prompt_cache_key":"k","store":false}`},
		{"a token or two are sixteen", `{"model":"m","input":"Hi","max_output_tokens":1}`, `{"model":"m","input":[{"type":"message","role":"user","content":"Hi"}],"max_output_tokens":16,"store":false}`},
		{"what is so anyway", `{"model":"m","input":"Hi","store":false,"background":false,"truncation":"disabled","include":["reasoning.encrypted_content"],"previous_response_id":null,"text":{"format":{"type":"text"}},"max_tool_calls":3}`,
			`{"model":"m","input":[{"type":"message","role":"user","content":"Hi"}],"store":false}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := responses{}.prompt([]byte(tt.asked))
			if err != nil {
				t.Fatal(err)
			}
			body, cannot := responses{}.appendPrompt(nil, p)
			if string(body) != tt.want || cannot != nil {
				t.Errorf("got\n%s\nwant\n%s\nleft out %q", body, tt.want, cannot)
			}
			if !json.Valid(body) {
				t.Error("it is no JSON")
			}
			again, err := responses{}.prompt(body)
			if err != nil {
				t.Fatal(err)
			}
			if twice, _ := (responses{}).appendPrompt(nil, again); string(twice) != string(body) {
				t.Errorf("read again it is\n%s", twice)
			}
		})
	}
}

// What only a provider of Responses can do is refused elsewhere, by the name that
// the caller has for it; or left out.
func TestWhatOnlyResponsesCanDo(t *testing.T) {
	tests := []struct{ asked, param string }{
		{`"input":"Hi","previous_response_id":"resp_1"`, "previous_response_id"},
		{`"input":"Hi","conversation":"conv_1"`, "conversation"},
		{`"input":"Hi","background":true`, "background"},
		{`"input":"Hi","store":true`, "store"},
		{`"input":"Hi","truncation":"auto"`, "truncation"},
		{`"prompt":{"id":"pmpt_1"}`, "prompt"},
		{`"input":"Hi","include":["message.output_text.logprobs"]`, "include"},
		{`"input":"Hi","tools":[{"type":"function","name":"f"},{"type":"web_search"}]`, "tools[1]"},
		{`"input":"Hi","tool_choice":{"type":"web_search"}`, "tool_choice"},
		{`"input":"Hi","text":{"format":{"type":"grammar"}}`, "text.format"},
		{`"input":"Hi","reasoning":{"context":"x"}`, "reasoning.context"},
		{`"input":[{"role":"user","content":"Hi"},{"type":"item_reference","id":"msg_1"}]`, "input[1]"},
		{`"input":[{"role":"user","content":[{"type":"input_text","text":"Hi"},{"type":"input_image","file_id":"file_1"}]}]`, "input[0].content[1]"},
		{`"input":"Hi","hum":1`, "hum"},
	}
	for _, tt := range tests {
		asked := `{"model":"smart",` + tt.asked + "}"
		for _, settings := range []Settings{{Dialect: llm.OpenAI}, {Dialect: llm.Anthropic}} {
			_, _, _, err := puts(t, Responses, settings, llm.Chat, asked, "{}")
			if e := gateway.AsError(err); err == nil || e.Code != gateway.Invalid || e.Param != tt.param {
				t.Errorf("%s to %s: got %v, about %q", asked, settings.Dialect, err, e.Param)
			}
			settings.DropUnsupported = true
			if path, _, _, _ := puts(t, Responses, settings, llm.Chat, asked, "{}"); path == "" && strings.Contains(asked, "Hi") {
				t.Errorf("%s to %s, with what cannot be done left out: it was not put", asked, settings.Dialect)
			}
		}
	}
}

// What Responses cannot do is refused by the name that a chat has for it.
func TestWhatResponsesCannotDo(t *testing.T) {
	for asked, param := range map[string]string{
		`"n":2`: "n", `"stop":["x"]`: "stop", `"seed":1`: "seed", `"logit_bias":{"1":2}`: "logit_bias", `"frequency_penalty":0.5`: "frequency_penalty", `"logprobs":true`: "logprobs",
		`"n":1`: "", `"frequency_penalty":0`: "", `"presence_penalty": 0.0`: "", `"logit_bias":{}`: "", `"web_search_options":{}`: "web_search_options", `"modalities":["text"]`: "", `"logprobs":false`: "", `"stop":null`: "",
	} {
		body := `{"model":"smart","messages":[{"role":"user","content":"Hi"}],` + asked + "}"
		_, _, _, err := puts(t, OpenAI, Settings{Dialect: llm.Responses}, llm.Chat, body, responsesAnswer1)
		if param == "" && err != nil || param != "" && (err == nil || gateway.AsError(err).Param != param) {
			t.Errorf("%s: got %v", asked, err)
		}
	}
}

func TestAResponsesRequestThatMakesNoSense(t *testing.T) {
	tests := []struct{ asked, param string }{
		{`{"model":"m"}`, "input"},
		{`{"model":"m","input":7}`, "input"},
		{`{"model":"m","input":[7]}`, "input[0]"},
		{`{"model":"m","input":"Hi","instructions":[]}`, "instructions"},
		{`{"model":"m","input":[{"role":"boss","content":"Hi"}]}`, "input[0].role"},
		{`{"model":"m","input":[{"role":"user"}]}`, "input[0].content"},
		{`{"model":"m","input":[{"role":"user","content":[{"text":"Hi"}]}]}`, "input[0].content[0].type"},
		{`{"model":"m","input":"Hi","tools":{}}`, "tools"},
		{`{"model":"m","input":"Hi","tools":[{"type":"function"}]}`, "tools[0].name"},
		{`{"model":"m","input":"Hi","text":{"format":{"type":"json_schema"}}}`, "text.format.schema"},
	}
	for _, tt := range tests {
		_, err := responses{}.prompt([]byte(tt.asked))
		if field, ok := err.(*llm.FieldError); !ok || field.Param != tt.param {
			t.Errorf("%s: got %v, want one about %q", tt.asked, err, tt.param)
		}
	}
}

func TestResponsesWhole(t *testing.T) {
	const responsesAsked, chatAsked = `{"model":"smart","input":"Hi","instructions":"Be kind.","tools":[{"type":"function","name":"weather","parameters":{}}]}`, `{"model":"smart","messages":[{"role":"user","content":"Hi"}]}`
	const chat = `{"id":"c1","model":"m1","choices":[{"index":0,"finish_reason":"FINISH","message":{"role":"assistant","reasoning_content":"Hm.","content":"Hi","tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":""}}]}}],` +
		`"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`
	repeated := `"instructions":"Be kind.","max_output_tokens":null,"max_tool_calls":null,"metadata":{},"parallel_tool_calls":true,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,` +
		`"temperature":null,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[{"type":"function","name":"weather","parameters":{}}],"top_p":null,"user":null,"previous_response_id":null,"store":false,"truncation":"disabled",` +
		`"usage":{"input_tokens":3,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":5}}`
	items := `"output":[{"id":"rs_0_c1","type":"reasoning","summary":[{"type":"summary_text","text":"Hm."}]},{"id":"msg_1_c1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hi","annotations":[],"logprobs":[]}]},` +
		`{"id":"fc_2_c1","type":"function_call","status":"STATUS","call_id":"call_1","name":"weather","arguments":"{}"}],`
	response := func(status, details string) string {
		return `{"id":"resp_c1","object":"response","created_at":946684800,"status":"` + status + `","background":false,"error":null,"incomplete_details":` + details + `,"model":"m1",` + strings.Replace(items, "STATUS", status, 1) + repeated
	}
	tests := []struct {
		name                string
		caller              gateway.Dialect
		speaks              llm.Dialect
		asked, answer, want string
	}{
		{"a chat's answer becomes a Response", Responses, llm.OpenAI, responsesAsked, strings.Replace(chat, "FINISH", "tool_calls", 1), response("completed", "null")},
		{"one that ran out of tokens is incomplete", Responses, llm.OpenAI, responsesAsked, strings.Replace(chat, "FINISH", "length", 1), response("incomplete", `{"reason":"max_output_tokens"}`)},
		{"a Response passes as it is", Responses, llm.Responses, responsesAsked, responsesAnswer1, responsesAnswer1},
		{"a Response becomes a chat's answer", OpenAI, llm.Responses, chatAsked, responsesAnswer1,
			`{"id":"resp_1","object":"chat.completion","created":946684800,"model":"gpt-5-2026-01","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","refusal":null,"reasoning_content":"Look.\n\nAnswer.",` +
				`"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{}"}}]},"logprobs":null,"finish_reason":"tool_calls"}],` +
				`"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}`},
		{"a failed Response is an error", Responses, llm.Responses, responsesAsked, `{"id":"resp_1","status":"failed","error":{"code":"rate_limit_exceeded","message":"Slow down."}}`,
			`{"error":{"code":"rate_limit_exceeded","message":"Slow down."}}`},
		{"also to a chat", OpenAI, llm.Responses, chatAsked, `{"id":"resp_1","status":"failed","error":{"code":"rate_limit_exceeded","message":"Slow down."}}`,
			`{"error":{"message":"Slow down.","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, _, got, err := puts(t, tt.caller, Settings{Dialect: tt.speaks}, llm.Chat, tt.asked, tt.answer)
				if err != nil || got != tt.want {
					t.Errorf("got %v\n%s\nwant\n%s", err, got, tt.want)
				}
			})
		})
	}
}

func TestWhoTakesResponses(t *testing.T) {
	for provider, want := range map[string]bool{"openai": true, "azure.ai.openai": true, "openrouter": true, "vllm": true, "gcp.gemini": false, "mistral_ai": false, "deepseek": false} {
		if TakesResponses(provider) != want {
			t.Errorf("%s: %v", provider, !want)
		}
	}
}

// The libraries of OpenAI raise on the error that ends a stream, whichever of its
// two spellings they know.
func TestResponsesStreamError(t *testing.T) {
	event := string(Responses.StreamError(gateway.Errorf(gateway.UpstreamFailed, "it broke"), "abc"))
	const want = "\n\nevent: error\ndata: " + `{"type":"error","code":"upstream_failed","message":"it broke","param":null,"error":{"message":"it broke","type":"api_error","param":null,"code":"upstream_failed","trace_id":"abc"}}` + "\n\n"
	if event != want {
		t.Errorf("got %q\nwant %q", event, want)
	}
	if last := wellFormed(t, event); last != "error" {
		t.Errorf("it is %q", last)
	}
}

// Thoughts that another provider signed go to it again with the next turn.
func TestSignedThoughtsComeBack(t *testing.T) {
	out := &llm.Output{ID: "m1", Choices: []llm.Choice{{Parts: []llm.Part{
		{Kind: llm.Thinking, Text: "Hm.", Signature: "sig"}, {Kind: llm.Thinking, Redacted: "red"}, {Kind: llm.Text, Text: "Hi"},
	}}}}
	answer := responses{}.appendOutput(nil, &llm.Prompt{Asked: []byte("{}")}, out)
	var response struct{ Output json.RawMessage }
	if err := json.Unmarshal(answer, &response); err != nil {
		t.Fatal(err)
	}
	p, err := responses{}.prompt([]byte(`{"model":"m","input":` + string(response.Output) + "}"))
	if err != nil {
		t.Fatal(err)
	}
	same := func(a, b llm.Part) bool {
		return a.Kind == b.Kind && a.Text == b.Text && a.Signature == b.Signature && a.Redacted == b.Redacted
	}
	if len(p.Messages) != 1 || !slices.EqualFunc(p.Messages[0].Parts, out.Choices[0].Parts, same) {
		t.Errorf("got %+v", p.Messages)
	}
}
