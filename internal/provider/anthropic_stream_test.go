package provider

import (
	"encoding/json"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/spanway/spanway/internal/llm"
)

const (
	messagesAsked  = `{"model":"claude","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`
	chatAsked      = `{"model":"claude","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hi"}]}`
	responsesAsked = `{"model":"claude","stream":true,"input":"Hi"}`
)

// Each file in testdata/anthropic is a stream as a provider sends it, what is
// learned from it, and what callers of the other dialects get. A caller of
// Messages gets the provider's bytes.
func TestAnthropicStream(t *testing.T) {
	goldens(t, "anthropic", func(t *testing.T, archive *txtar.Archive, file map[string]string) {
		stream, end := file["provider.sse"], ending(file["ends"])
		got, learned := told(t, Anthropic, llm.Anthropic, messagesAsked, stream, end)
		if strings.HasPrefix(learned, "status 200") && got != stream {
			t.Errorf("the caller got\n%s\nwant\n%s", got, stream)
		}
		golden(t, archive, "facts", learned)
		got, again := told(t, OpenAI, llm.Anthropic, chatAsked, stream, end)
		golden(t, archive, "openai.sse", got)
		if again != learned {
			t.Errorf("of a stream told to a caller of chats was learned\n%s\nwant\n%s", again, learned)
		}
		got, again = told(t, Responses, llm.Anthropic, responsesAsked, stream, end)
		golden(t, archive, "responses.sse", got)
		if again != learned {
			t.Errorf("of a stream told to a caller of Responses was learned\n%s\nwant\n%s", again, learned)
		}
	})
}

// Each file in testdata/anthropic_caller is a chat's stream as a provider sends
// it, and what a caller of Messages gets.
func TestAnthropicCaller(t *testing.T) {
	goldens(t, "anthropic_caller", func(t *testing.T, archive *txtar.Archive, file map[string]string) {
		got, learned := told(t, Anthropic, llm.OpenAI, messagesAsked, file["provider.sse"], ending(file["ends"]))
		golden(t, archive, "client.sse", got)
		golden(t, archive, "facts", learned)
		if strings.HasPrefix(learned, "status 200\noutcome complete") {
			wellFormedMessage(t, got)
		}
	})
}

// wellFormedMessage checks what Anthropic's libraries rely on: blocks begin one
// after the other, say something only while they are open, and all of them end
// before the message does; each event is JSON and has the name of its type.
func wellFormedMessage(t *testing.T, stream string) {
	t.Helper()
	blocks, open, began, stopped, ended := 0, map[int]bool{}, false, false, false
	for text := range strings.SplitSeq(strings.TrimSuffix(stream, "\n\n"), "\n\n") {
		name, data, ok := strings.Cut(strings.TrimPrefix(text, "event: "), "\ndata: ")
		var e struct {
			Type  string
			Index int
			Usage *struct{ Input, Output int }
		}
		if err := json.Unmarshal([]byte(data), &e); !ok || err != nil || e.Type != name {
			t.Fatalf("%v in %q", err, text)
		}
		switch e.Type {
		case "message_start":
			began = true
			continue
		case "content_block_start":
			if e.Index != blocks {
				t.Errorf("block %d begins as the %dth", e.Index, blocks)
			}
			blocks++
			open[e.Index] = true
		case "content_block_delta":
			if !open[e.Index] {
				t.Errorf("block %d says something while it is not open", e.Index)
			}
		case "content_block_stop":
			if !open[e.Index] {
				t.Errorf("block %d ends while it is not open", e.Index)
			}
			delete(open, e.Index)
		case "message_delta":
			stopped = len(open) == 0 && e.Usage != nil
		case "message_stop":
			ended = stopped
		}
		if !began {
			t.Errorf("%s comes before the beginning", e.Type)
		}
	}
	if !ended {
		t.Errorf("the message does not end as it should:\n%s", stream)
	}
}
