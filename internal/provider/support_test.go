package provider

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

const dialectsDocument = "../../docs/dialects.md"

// probes are what callers may ask for: a request in each dialect that has a word
// for it, without the model.
var probes = []struct{ feature, openAI, anthropic, responses string }{
	{"text, system prompt", `"messages":[{"role":"system","content":"a"},{"role":"user","content":"b"}]`, `"system":"a","messages":[{"role":"user","content":"b"}],"max_tokens":9`, `"instructions":"a","input":"b"`},
	{"streams", `"stream":true,"messages":[{"role":"user","content":"b"}]`, `"stream":true,"messages":[{"role":"user","content":"b"}]`, `"stream":true,"input":"b"`},
	{"images", `"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]}]`, `"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}}]}]`, `"input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,AA"}]}]`},
	{"documents in the request", `"messages":[{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,AA"}}]}]`, `"messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AA"}}]}]`, `"input":[{"role":"user","content":[{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,AA"}]}]`},
	{"documents at a URL", ``, `"messages":[{"role":"user","content":[{"type":"document","source":{"type":"url","url":"https://example.com/a.pdf"}}]}]`, `"input":[{"role":"user","content":[{"type":"input_file","file_url":"https://example.com/a.pdf"}]}]`},
	{"files that the provider keeps", `"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]`, `"messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"f"}}]}]`, `"input":[{"role":"user","content":[{"type":"input_file","file_id":"f"}]}]`},
	{"audio", `"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}]}]`, ``, ``},
	{"tools and their results", `"messages":[{"role":"user","content":"b"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"d"}],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto","parallel_tool_calls":false`, `"messages":[{"role":"user","content":"b"},{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"d"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}}]}]}],"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"any","disable_parallel_tool_use":true}`, `"input":[{"role":"user","content":"b"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"d"}],"tools":[{"type":"function","name":"f","parameters":{"type":"object"}}],"tool_choice":"required","parallel_tool_calls":false`},
	{"tools that the provider runs", `"messages":[{"role":"user","content":"b"}],"web_search_options":{"search_context_size":"low"}`, `"messages":[{"role":"user","content":"b"}],"tools":[{"type":"web_search_20250305","name":"web_search"}]`, `"input":"b","tools":[{"type":"web_search"}]`},
	{"an answer after a schema", `"messages":[{"role":"user","content":"b"}],"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"}}}`, `"messages":[{"role":"user","content":"b"}],"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}`, `"input":"b","text":{"format":{"type":"json_schema","name":"s","schema":{"type":"object"}}}`},
	{"any JSON", `"messages":[{"role":"user","content":"b"}],"response_format":{"type":"json_object"}`, ``, `"input":"b","text":{"format":{"type":"json_object"}}`},
	{"thinking", `"messages":[{"role":"user","content":"b"}],"reasoning_effort":"high"`, `"messages":[{"role":"user","content":"b"}],"max_tokens":9999,"thinking":{"type":"enabled","budget_tokens":4096}`, `"input":"b","reasoning":{"effort":"high","summary":"auto"}`},
	{"temperature, top_p, the most tokens", `"messages":[{"role":"user","content":"b"}],"temperature":0.5,"top_p":0.5,"max_completion_tokens":99`, `"messages":[{"role":"user","content":"b"}],"temperature":0.5,"top_p":0.5,"max_tokens":99`, `"input":"b","temperature":0.5,"top_p":0.5,"max_output_tokens":99`},
	{"temperature above 1", `"messages":[{"role":"user","content":"b"}],"temperature":1.5`, ``, `"input":"b","temperature":1.5`},
	{"top_k", `"messages":[{"role":"user","content":"b"}],"top_k":5`, `"messages":[{"role":"user","content":"b"}],"top_k":5`, ``},
	{"stop sequences", `"messages":[{"role":"user","content":"b"}],"stop":["x"]`, `"messages":[{"role":"user","content":"b"}],"stop_sequences":["x"]`, ``},
	{"several answers", `"messages":[{"role":"user","content":"b"}],"n":2`, ``, ``},
	{"seed, penalties", `"messages":[{"role":"user","content":"b"}],"seed":7,"frequency_penalty":0.5`, ``, ``},
	{"logprobs", `"messages":[{"role":"user","content":"b"}],"logprobs":true`, ``, `"input":"b","top_logprobs":2`},
	{"the end user's name", `"messages":[{"role":"user","content":"b"}],"user":"u"`, `"messages":[{"role":"user","content":"b"}],"metadata":{"user_id":"u"}`, `"input":"b","user":"u"`},
	{"answers that the provider keeps", `"messages":[{"role":"user","content":"b"}],"store":true`, ``, `"input":"b","previous_response_id":"r"`},
}

// The table of docs/dialects.md says what becomes of each of them.
func TestTheDocumentSaysWhatIsSupported(t *testing.T) {
	pairs := []struct{ from, to string }{
		{"openai", "anthropic"}, {"openai", "responses"}, {"anthropic", "openai"}, {"anthropic", "responses"}, {"responses", "openai"}, {"responses", "anthropic"},
	}
	var table strings.Builder
	table.WriteString("| asked for |")
	for _, pair := range pairs {
		fmt.Fprintf(&table, " %s → %s |", pair.from, pair.to)
	}
	table.WriteString("\n| --- |" + strings.Repeat(" --- |", len(pairs)) + "\n")
	for _, probe := range probes {
		fmt.Fprintf(&table, "| %s |", probe.feature)
		for _, pair := range pairs {
			body := map[string]string{"openai": probe.openAI, "anthropic": probe.anthropic, "responses": probe.responses}[pair.from]
			fmt.Fprintf(&table, " %s |", supported(t, byWord[pair.from], llm.Dialect(pair.to), body))
		}
		table.WriteString("\n")
	}
	text, err := os.ReadFile(dialectsDocument)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- written by go test ./internal/provider -update -->\n", "<!-- end -->\n"
	before, rest, ok := strings.Cut(string(text), begin)
	old, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("%s has no place for the table", dialectsDocument)
	}
	if *update {
		if err := os.WriteFile(dialectsDocument, []byte(before+begin+table.String()+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != table.String() {
		t.Errorf("%s has\n%s\nwant\n%s", dialectsDocument, old, table.String())
	}
}

// supported says in a word what becomes of a request.
func supported(t *testing.T, caller gateway.Dialect, speaks llm.Dialect, body string) string {
	t.Helper()
	if body == "" {
		return "" // it cannot be said
	}
	var put *gateway.Call
	call := asks(t, caller, llm.Chat, `{"model":"m",`+body+`}`)
	_, err := New(gateway.Target{}, Settings{Dialect: speaks}, sent(&put)).Handle(t.Context(), call)
	if put != nil {
		return "yes"
	}
	e, ok := errors.AsType[*gateway.Error](err)
	if !ok || e.Code != gateway.Invalid || e.Param == "" {
		t.Errorf("%s: %v", body, err)
	}
	return "400 `" + e.Param + "`"
}
