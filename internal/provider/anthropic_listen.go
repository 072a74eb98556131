package provider

import (
	"errors"

	"github.com/tidwall/gjson"

	"github.com/spanway/spanway/internal/llm"
)

var errNoContent = errors.New("there is no content in the message")

// output implements [dialect].
func (anthropic) output(body []byte) (*llm.Output, error) {
	message := gjson.ParseBytes(body)
	content := message.Get("content")
	if !content.IsArray() {
		return nil, errNoContent
	}
	learned, _ := llm.ScanMessage(body)
	choice := llm.Choice{Finish: anthropicFinish(message.Get("stop_reason").Str)}
	calls := false
	content.ForEach(func(_, block gjson.Result) bool {
		switch block.Get("type").Str {
		case "text":
			choice.Parts = append(choice.Parts, llm.Part{Kind: llm.Text, Text: block.Get("text").Str})
		case "thinking":
			choice.Parts = append(choice.Parts, llm.Part{Kind: llm.Thinking, Text: block.Get("thinking").Str, Signature: block.Get("signature").Str})
		case "redacted_thinking":
			choice.Parts = append(choice.Parts, llm.Part{Kind: llm.Thinking, Redacted: block.Get("data").Str})
		case "tool_use":
			input := block.Get("input").Raw
			if block.Get("name").Str == jsonTool {
				choice.Parts = append(choice.Parts, llm.Part{Kind: llm.Text, Text: input})
				break
			}
			calls = true
			choice.Parts = append(choice.Parts, llm.Part{Kind: llm.ToolCall, ID: block.Get("id").Str, Name: block.Get("name").Str, Arguments: input})
		}
		return true
	})
	if choice.Finish == llm.FinishTools && !calls {
		choice.Finish = llm.FinishStop
	}
	return &llm.Output{ID: learned.ID, Model: learned.Model, Usage: learned.Usage, Choices: []llm.Choice{choice}}, nil
}

// anthropicListener reads a stream of messages' events.
type anthropicListener struct {
	blocks map[int64]*anthropicHeard // by index: those that tools' arguments are in
	calls  int
}

// anthropicHeard is a block of a tool call that is arriving.
type anthropicHeard struct {
	call int
	json bool // it is the text of an answer
	some bool // its arguments have begun
}

// listener implements [dialect].
func (anthropic) listener() listener { return &anthropicListener{blocks: map[int64]*anthropicHeard{}} }

// listen implements [listener].
func (l *anthropicListener) listen(e llm.Event, say func(*llm.Delta)) {
	event := gjson.ParseBytes(e.Data)
	switch event.Get("type").Str {
	case "message_start":
		message := event.Get("message")
		say(&llm.Delta{Kind: llm.Start, ID: message.Get("id").Str, Model: message.Get("model").Str})
	case "content_block_start":
		l.start(event.Get("index").Int(), event.Get("content_block"), say)
	case "content_block_delta":
		l.delta(event.Get("index").Int(), event.Get("delta"), say)
	case "content_block_stop":
		l.stop(event.Get("index").Int(), say)
	case "ping":
		say(&llm.Delta{Kind: llm.Awake})
	case "message_delta":
		if reason := event.Get("delta.stop_reason").Str; reason != "" {
			finish := anthropicFinish(reason)
			if finish == llm.FinishTools && l.calls == 0 {
				finish = llm.FinishStop
			}
			say(&llm.Delta{Kind: llm.FinishDelta, Finish: finish})
		}
	}
}

// start reads how a block begins. Some providers put its text here already.
func (l *anthropicListener) start(index int64, block gjson.Result, say func(*llm.Delta)) {
	switch block.Get("type").Str {
	case "text":
		utter(llm.TextDelta, block.Get("text").Str, say)
	case "thinking":
		utter(llm.ThinkingDelta, block.Get("thinking").Str, say)
	case "redacted_thinking":
		utter(llm.RedactedDelta, block.Get("data").Str, say)
	case "tool_use":
		heard := &anthropicHeard{call: l.calls, json: block.Get("name").Str == jsonTool}
		l.blocks[index] = heard
		if !heard.json {
			l.calls++
			say(&llm.Delta{Kind: llm.CallStart, Call: heard.call, ID: block.Get("id").Str, Name: block.Get("name").Str})
		}
		if input := block.Get("input"); input.IsObject() && len(input.Map()) > 0 {
			heard.arguments(input.Raw, say)
		}
	}
}

func (l *anthropicListener) delta(index int64, delta gjson.Result, say func(*llm.Delta)) {
	switch delta.Get("type").Str {
	case "text_delta":
		utter(llm.TextDelta, delta.Get("text").Str, say)
	case "thinking_delta":
		utter(llm.ThinkingDelta, delta.Get("thinking").Str, say)
	case "signature_delta":
		utter(llm.SignatureDelta, delta.Get("signature").Str, say)
	case "input_json_delta":
		if heard := l.blocks[index]; heard != nil {
			heard.arguments(delta.Get("partial_json").Str, say)
		}
	}
}

// stop ends a block. A call without arguments has empty ones.
func (l *anthropicListener) stop(index int64, say func(*llm.Delta)) {
	heard := l.blocks[index]
	if heard == nil {
		return
	}
	delete(l.blocks, index)
	if !heard.some {
		heard.arguments("{}", say)
	}
}

func (h *anthropicHeard) arguments(text string, say func(*llm.Delta)) {
	if text == "" {
		return
	}
	h.some = true
	if h.json {
		utter(llm.TextDelta, text, say)
		return
	}
	say(&llm.Delta{Kind: llm.ArgumentsDelta, Call: h.call, Text: text})
}

// utter says a piece of the answer, if there is any.
func utter(kind llm.DeltaKind, text string, say func(*llm.Delta)) {
	if text != "" {
		say(&llm.Delta{Kind: kind, Text: text})
	}
}
