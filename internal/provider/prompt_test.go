package provider

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// byWord are the dialects of callers.
var byWord = map[string]gateway.Dialect{"openai": OpenAI, "anthropic": Anthropic, "responses": Responses}

// Each file in testdata/prompts is what a caller asks, and what providers that
// speak other dialects get of it: the body, and the fields that are left out of
// it, in the caller's words.
func TestPrompts(t *testing.T) {
	goldens(t, "prompts", func(t *testing.T, archive *txtar.Archive, file map[string]string) {
		for section, body := range file {
			from, ok := strings.CutPrefix(section, "from ")
			if !ok {
				continue
			}
			for to := range file {
				if to, ok := strings.CutPrefix(to, "to "); ok {
					golden(t, archive, "to "+to, putTo(t, byWord[from], llm.Dialect(to), body))
				}
			}
		}
	})
}

// putTo returns what a provider gets of a request.
func putTo(t *testing.T, caller gateway.Dialect, speaks llm.Dialect, body string) string {
	t.Helper()
	var put *gateway.Call
	call := asks(t, caller, llm.Chat, body)
	model := "gpt-5"
	if strings.HasPrefix(call.LLM.Model, "claude") {
		model = call.LLM.Model
	}
	settings := Settings{Dialect: speaks, DropUnsupported: true}
	_, _ = New(gateway.Target{Model: model, Provider: "openai"}, settings, sent(&put)).Handle(t.Context(), call) // the answer makes no sense
	if put == nil {
		t.Fatal("nothing was sent")
	}
	out := string(put.Body.Bytes) + "\n"
	if again, err := llm.Scan(speaks, llm.Chat, put.Body.Bytes); err != nil || again.Model != model || again.Stream != call.LLM.Stream {
		t.Errorf("what was sent reads as %+v, %v", again, err)
	}
	for _, note := range call.Notes() {
		for _, fact := range note.Facts {
			if fact.Key == "dropped" {
				out += "without " + fact.Value + "\n"
			}
		}
	}
	return out
}

func TestAPromptThatMakesNoSenseNamesItsField(t *testing.T) {
	for _, tt := range []struct {
		caller      gateway.Dialect
		speaks      llm.Dialect
		body, param string
	}{
		{OpenAI, llm.Anthropic, `{"model":"m"}`, "messages"},
		{OpenAI, llm.Anthropic, `{"model":"m","messages":[]}`, "messages"},
		{OpenAI, llm.Anthropic, `{"model":"m","messages":"Hi"}`, "messages"},
		{OpenAI, llm.Anthropic, `{"model":"m","messages":[{"role":"robot","content":"Hi"}]}`, "messages[0].role"},
		{OpenAI, llm.Anthropic, `{"model":"m","messages":[{"role":"user","content":7}]}`, "messages[0].content"},
		{OpenAI, llm.Anthropic, `{"model":"m","messages":[{"role":"user","content":"Hi"}],"tools":{}}`, "tools"},
		{OpenAI, llm.Anthropic, `{"model":"m","messages":[{"role":"user","content":"Hi"}],"stop":7}`, "stop"},
		{OpenAI, llm.Anthropic, `{"model":"m","messages":[{"role":"user","content":"Hi"}],"response_format":{"type":"json_schema"}}`, "response_format.json_schema.schema"},
		{OpenAI, llm.Anthropic, `{"model":"m","messages":[{"role":"user","content":"Hi"}],"seed":7}`, "seed"},
		{Anthropic, llm.OpenAI, `{"model":"m"}`, "messages"},
		{Anthropic, llm.OpenAI, `{"model":"m","messages":{}}`, "messages"},
		{Anthropic, llm.OpenAI, `{"model":"m","messages":[{"role":"tool","content":"Hi"}]}`, "messages.0.role"},
		{Anthropic, llm.OpenAI, `{"model":"m","messages":[{"role":"user"}]}`, "messages.0.content"},
		{Anthropic, llm.OpenAI, `{"model":"m","messages":[{"role":"user","content":"Hi"}],"tools":7}`, "tools"},
		{Anthropic, llm.OpenAI, `{"model":"m","messages":[{"role":"user","content":"Hi"}],"top_k":7}`, "top_k"},
		{Anthropic, llm.OpenAI, `{"model":"m","messages":[{"role":"user","content":"Hi"}],"system":7}`, "system"},
	} {
		var put *gateway.Call
		_, err := New(gateway.Target{}, Settings{Dialect: tt.speaks}, sent(&put)).Handle(t.Context(), asks(t, tt.caller, llm.Chat, tt.body))
		e, ok := errors.AsType[*gateway.Error](err)
		if !ok || e.Code != gateway.Invalid || e.Param != tt.param || put != nil {
			t.Errorf("%s: got %+v", tt.body, err)
		}
	}
}
