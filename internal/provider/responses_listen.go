package provider

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/spanway/spanway/internal/llm"
)

// output implements [dialect].
func (responses) output(body []byte) (*llm.Output, error) {
	out := responsesOutput(gjson.ParseBytes(body))
	learned, _ := llm.ScanResponse(body) // answer has found no failure
	out.Usage = learned.Usage
	return out, nil
}

// responsesOutput reads a Response, but for its usage.
func responsesOutput(response gjson.Result) *llm.Output {
	choice := llm.Choice{Finish: llm.FinishStop}
	for _, item := range response.Get("output").Array() {
		switch item.Get("type").Str {
		case "message":
			choice.Parts = append(choice.Parts, responsesParts(item)...)
		case "function_call":
			choice.Finish = llm.FinishTools
			choice.Parts = append(choice.Parts, llm.Part{
				Kind: llm.ToolCall, ID: responsesCall(item), Name: item.Get("name").Str, Arguments: item.Get("arguments").Str,
			})
		case "reasoning":
			if thought := responsesThought(item); thought.Text != "" || thought.Redacted != "" {
				choice.Parts = append(choice.Parts, thought)
			}
		}
	}
	if response.Get("status").Str == "incomplete" {
		choice.Finish = llm.FinishLength
		if response.Get("incomplete_details.reason").Str == "content_filter" {
			choice.Finish = llm.FinishFilter
		}
	}
	return &llm.Output{ID: response.Get("id").Str, Model: response.Get("model").Str, Choices: []llm.Choice{choice}}
}

// responsesParts reads a message of an answer.
func responsesParts(item gjson.Result) (parts []llm.Part) {
	for _, piece := range item.Get("content").Array() {
		switch piece.Get("type").Str {
		case "output_text":
			parts = append(parts, llm.Part{Kind: llm.Text, Text: piece.Get("text").Str})
		case "refusal":
			parts = append(parts, llm.Part{Kind: llm.Refusal, Text: piece.Get("refusal").Str})
		}
	}
	return parts
}

// responsesCall is what the result of a call must name.
func responsesCall(item gjson.Result) string {
	if id := item.Get("call_id").Str; id != "" {
		return id
	}
	return item.Get("id").Str
}

// listener implements [dialect].
func (responses) listener() listener { return &responsesListener{items: map[int64]*responsesHeard{}} }

// responsesListener reads one stream. A server may leave any announcement out, and
// some send the pieces only at their end: what was not heard in pieces is said
// whole.
type responsesListener struct {
	begun bool
	items map[int64]*responsesHeard // by their place in the output
	calls int
	spoke bool
	delta llm.Delta // the one that is said, made once
}

// responsesHeard is what was heard of one item.
type responsesHeard struct {
	call  int           // which of the calls it is
	named bool          // the call has been said
	parts map[int64]int // bytes by the place of a part; of a call's arguments, at 0
}

// listen implements [listener].
func (l *responsesListener) listen(e llm.Event, say func(*llm.Delta)) {
	event := gjson.ParseBytes(e.Data)
	kind := event.Get("type").Str
	if !l.begun && strings.HasPrefix(kind, "response.") {
		response := event.Get("response")
		l.begun = true
		l.say(llm.Delta{Kind: llm.Start, ID: response.Get("id").Str, Model: response.Get("model").Str}, say)
	}
	switch kind {
	case "response.output_item.added", "response.output_item.done":
		l.item(event.Get("output_index").Int(), event.Get("item"), kind == "response.output_item.done", say)
	case "response.output_text.delta":
		l.piece(llm.TextDelta, event, "content_index", event.Get("delta").Str, say)
	case "response.output_text.done":
		l.rest(llm.TextDelta, event, "content_index", event.Get("text").Str, say)
	case "response.refusal.delta":
		l.piece(llm.RefusalDelta, event, "content_index", event.Get("delta").Str, say)
	case "response.refusal.done":
		l.rest(llm.RefusalDelta, event, "content_index", event.Get("refusal").Str, say)
	case "response.reasoning_summary_text.delta":
		l.piece(llm.ThinkingDelta, event, "summary_index", event.Get("delta").Str, say)
	case "response.reasoning_summary_text.done":
		l.rest(llm.ThinkingDelta, event, "summary_index", event.Get("text").Str, say)
	case "response.reasoning_text.delta":
		l.piece(llm.ThinkingDelta, event, "content_index", event.Get("delta").Str, say)
	case "response.reasoning_text.done":
		l.rest(llm.ThinkingDelta, event, "content_index", event.Get("text").Str, say)
	case "response.function_call_arguments.delta":
		l.arguments(event.Get("output_index").Int(), event.Get("delta").Str, say)
	case "response.function_call_arguments.done":
		if l.heard(event.Get("output_index").Int()).parts[0] == 0 {
			l.arguments(event.Get("output_index").Int(), event.Get("arguments").Str, say)
		}
	case "response.completed", "response.incomplete":
		l.end(event.Get("response"), e.Data, say)
	}
}

// say says one step. The step is only good until say returns.
func (l *responsesListener) say(d llm.Delta, say func(*llm.Delta)) {
	l.delta = d
	say(&l.delta)
}

func (l *responsesListener) heard(place int64) *responsesHeard {
	item := l.items[place]
	if item == nil {
		item = &responsesHeard{call: -1, parts: map[int64]int{}}
		l.items[place] = item
	}
	return item
}

// piece says a piece of a part of an item. Thoughts come in paragraphs.
func (l *responsesListener) piece(kind llm.DeltaKind, event gjson.Result, part, text string, say func(*llm.Delta)) {
	if text == "" {
		return
	}
	item, at := l.heard(event.Get("output_index").Int()), event.Get(part).Int()
	if kind == llm.ThinkingDelta && item.parts[at] == 0 && len(item.parts) > 0 {
		text = "\n\n" + text
	}
	item.parts[at] += len(text)
	l.spoke = true
	l.say(llm.Delta{Kind: kind, Text: text}, say)
}

// rest says a part whose end has come, if it was not said in pieces.
func (l *responsesListener) rest(kind llm.DeltaKind, event gjson.Result, part, text string, say func(*llm.Delta)) {
	if l.heard(event.Get("output_index").Int()).parts[event.Get(part).Int()] == 0 {
		l.piece(kind, event, part, text, say)
	}
}

// item says the call that an item begins, or its signature at the end of thoughts.
func (l *responsesListener) item(place int64, item gjson.Result, done bool, say func(*llm.Delta)) {
	switch item.Get("type").Str {
	case "function_call":
		heard := l.heard(place)
		if !heard.named {
			heard.named, heard.call = true, l.calls
			l.calls++
			l.spoke = true
			l.say(llm.Delta{Kind: llm.CallStart, Call: heard.call, ID: responsesCall(item), Name: item.Get("name").Str}, say)
		}
		if done && heard.parts[0] == 0 {
			l.arguments(place, item.Get("arguments").Str, say)
		}
	case "message":
		if done && len(l.heard(place).parts) == 0 {
			l.whole(&llm.Choice{Parts: responsesParts(item)}, say)
		}
	}
}

// arguments says a piece of a call's arguments. Of a call that was never begun
// nobody could say whose they are.
func (l *responsesListener) arguments(place int64, text string, say func(*llm.Delta)) {
	heard := l.heard(place)
	if !heard.named || text == "" {
		return
	}
	heard.parts[0] += len(text)
	l.say(llm.Delta{Kind: llm.ArgumentsDelta, Call: heard.call, Text: text}, say)
}

// whole says what was only said at the end.
func (l *responsesListener) whole(choice *llm.Choice, say func(*llm.Delta)) {
	kinds := map[llm.Kind]llm.DeltaKind{llm.Text: llm.TextDelta, llm.Thinking: llm.ThinkingDelta, llm.Refusal: llm.RefusalDelta}
	for i := range choice.Parts {
		part := &choice.Parts[i]
		if part.Kind == llm.ToolCall {
			l.say(llm.Delta{Kind: llm.CallStart, Call: l.calls, ID: part.ID, Name: part.Name}, say)
			l.say(llm.Delta{Kind: llm.ArgumentsDelta, Call: l.calls, Text: part.Arguments}, say)
			l.calls++
		} else if part.Text != "" {
			l.say(llm.Delta{Kind: kinds[part.Kind], Text: part.Text}, say)
		}
		l.spoke = true
	}
}

// end says why the answer ended, and what it took.
func (l *responsesListener) end(response gjson.Result, data []byte, say func(*llm.Delta)) {
	choice := responsesOutput(response).Choices[0]
	if !l.spoke {
		l.whole(&choice, say)
	}
	if choice.Finish == llm.FinishStop && l.calls > 0 {
		choice.Finish = llm.FinishTools // the last event may repeat nothing
	}
	l.say(llm.Delta{Kind: llm.FinishDelta, Finish: choice.Finish}, say)
	var learned llm.Answer
	learned.ResponsesEvent(data)
	if learned.Usage.Known {
		l.say(llm.Delta{Kind: llm.UsageDelta, Usage: learned.Usage}, say)
	}
}
