package llm_test

import (
	"bytes"
	"testing"

	"github.com/spanway/spanway/internal/llm"
)

func TestTextsAreEditedInEveryDialectAndNothingElse(t *testing.T) {
	edit := func(text []byte) ([]byte, bool) {
		return bytes.ReplaceAll(text, []byte("SECRET"), []byte("*")), bytes.Contains(text, []byte("SECRET"))
	}
	for _, c := range []struct{ name, body, want string }{
		{"nothing to edit", `{ "a" : "SECRET" , "content":"x"}`, `{ "a" : "SECRET" , "content":"x"}`},
		{"a chat", `{"model":"SECRET","messages":[{"content":[{"type":"text","text":"a SECRET"},{"type":"image_url","image_url":{"url":"SECRET"}}]}]}`, `{"model":"SECRET","messages":[{"content":[{"type":"text","text":"a *"},{"type":"image_url","image_url":{"url":"SECRET"}}]}]}`},
		{"inputs", `{"input":["SECRET", "b"]}`, `{"input":["*", "b"]}`},
		{"arguments", `{"arguments":"{\"SECRET\":[\"SECRET\\\"\"]}"}`, `{"arguments":"{\"SECRET\":[\"*\\\"\"]}"}`},
		{"Responses", `{"instructions":"SECRET","input":[{"type":"function_call_output","call_id":"SECRET","output":"SECRET"}]}`, `{"instructions":"*","input":[{"type":"function_call_output","call_id":"SECRET","output":"*"}]}`},
		{"Messages", `{"system":[{"text":"SECRET"}],"messages":[{"content":[{"type":"tool_use","id":"SECRET","input":{"to":[{"x":"SECRET"}]}},{"type":"tool_result","content":"SECRET"}]}]}`, `{"system":[{"text":"*"}],"messages":[{"content":[{"type":"tool_use","id":"SECRET","input":{"to":[{"x":"*"}]}},{"type":"tool_result","content":"*"}]}]}`},
		{"plain documents", `{"source":{"type":"text","data":"SECRET"},"content":{"source":{"type":"base64","data":"SECRET"}}}`, `{"source":{"type":"text","data":"*"},"content":{"source":{"type":"base64","data":"SECRET"}}}`},
		{"an escaped key", `{"con\u0074ent":"SECRET"}`, `{"con\u0074ent":"*"}`},
	} {
		if got := string(llm.EditContent([]byte(c.body), edit)); got != c.want {
			t.Errorf("%s is\n%s, want\n%s", c.name, got, c.want)
		}
	}
}
