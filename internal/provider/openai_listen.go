package provider

import (
	"errors"

	"github.com/tidwall/gjson"

	"github.com/spanway/spanway/internal/llm"
)

var errNoChoices = errors.New("there is no choice in the answer")

// output implements [dialect].
func (openAI) output(body []byte) (*llm.Output, error) {
	answer := gjson.ParseBytes(body)
	learned, _ := llm.ScanAnswer(body)
	out := &llm.Output{ID: learned.ID, Model: learned.Model, Usage: learned.Usage}
	for _, choice := range answer.Get("choices").Array() {
		message := choice.Get("message")
		c := llm.Choice{Index: int(choice.Get("index").Int()), Finish: openAIFinish(choice.Get("finish_reason").Str)}
		for _, name := range []string{"reasoning_content", "reasoning"} { // DeepSeek's and vLLM's word, and OpenRouter's
			if thoughts := message.Get(name).Str; thoughts != "" {
				c.Parts = append(c.Parts, llm.Part{Kind: llm.Thinking, Text: thoughts})
				break
			}
		}
		if text := message.Get("content").Str; text != "" {
			c.Parts = append(c.Parts, llm.Part{Kind: llm.Text, Text: text})
		}
		if refusal := message.Get("refusal").Str; refusal != "" {
			c.Parts = append(c.Parts, llm.Part{Kind: llm.Refusal, Text: refusal})
		}
		for _, call := range message.Get("tool_calls").Array() {
			c.Parts = append(c.Parts, llm.Part{
				Kind: llm.ToolCall, ID: call.Get("id").Str, Name: call.Get("function.name").Str, Arguments: call.Get("function.arguments").Str,
			})
			if c.Finish == llm.FinishStop {
				c.Finish = llm.FinishTools // some providers say "stop" of these, too
			}
		}
		out.Choices = append(out.Choices, c)
	}
	if len(out.Choices) == 0 {
		return nil, errNoChoices
	}
	return out, nil
}

// openAIFinish reads why an answer ended.
func openAIFinish(reason string) llm.Finish {
	switch finish := llm.Finish(reason); finish {
	case llm.FinishLength, llm.FinishTools, llm.FinishFilter:
		return finish
	case "function_call":
		return llm.FinishTools
	}
	return llm.FinishStop
}

// openAIListener reads a stream of chunks.
type openAIListener struct {
	begun bool
	calls map[[2]int]openAIHeard // by choice and index: the tool calls under way
	count map[int]int            // by choice: how many have begun
}

// openAIHeard is a tool call that is arriving.
type openAIHeard struct {
	call int
	id   string
}

// listener implements [dialect].
func (openAI) listener() listener {
	return &openAIListener{calls: map[[2]int]openAIHeard{}, count: map[int]int{}}
}

// listen implements [listener].
func (l *openAIListener) listen(e llm.Event, say func(*llm.Delta)) {
	if len(e.Data) == 0 || e.Data[0] != '{' {
		return
	}
	chunk := gjson.ParseBytes(e.Data)
	choices := chunk.Get("choices")
	if !choices.IsArray() {
		return
	}
	choices.ForEach(func(_, choice gjson.Result) bool {
		if !l.begun { // not with Azure's first chunk, which has no choice and no id
			l.begun = true
			say(&llm.Delta{Kind: llm.Start, ID: chunk.Get("id").Str, Model: chunk.Get("model").Str})
		}
		l.choice(choice, say)
		return true
	})
}

func (l *openAIListener) choice(choice gjson.Result, say func(*llm.Delta)) {
	index := int(choice.Get("index").Int())
	var finish string
	choice.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "delta":
			l.delta(index, value, say)
		case "finish_reason":
			finish = value.Str
		}
		return true
	})
	if finish == "" {
		return
	}
	reason := openAIFinish(finish)
	if reason == llm.FinishStop && l.count[index] > 0 {
		reason = llm.FinishTools
	}
	say(&llm.Delta{Kind: llm.FinishDelta, Choice: index, Finish: reason})
}

func (l *openAIListener) delta(index int, delta gjson.Result, say func(*llm.Delta)) {
	thought := false
	delta.ForEach(func(key, value gjson.Result) bool {
		kind := llm.TextDelta
		switch key.Str {
		case "content":
		case "refusal":
			kind = llm.RefusalDelta
		case "reasoning_content", "reasoning":
			if thought { // some say it twice, under both names
				return true
			}
			kind = llm.ThinkingDelta
		case "tool_calls":
			value.ForEach(func(_, call gjson.Result) bool {
				l.call(index, call, say)
				return true
			})
			return true
		default:
			return true
		}
		if value.Type == gjson.String && value.Str != "" {
			thought = thought || kind == llm.ThinkingDelta
			say(&llm.Delta{Kind: kind, Choice: index, Text: value.Str})
		}
		return true
	})
}

// call reads a piece of a tool call. Its name comes with the first. Some providers
// give all calls one index, or none: another id is another call.
func (l *openAIListener) call(choice int, call gjson.Result, say func(*llm.Delta)) {
	key, id := [2]int{choice, int(call.Get("index").Int())}, call.Get("id").Str
	heard, ok := l.calls[key]
	if !ok || id != "" && heard.id != "" && id != heard.id {
		heard = openAIHeard{l.count[choice], id}
		l.calls[key] = heard
		l.count[choice]++
		say(&llm.Delta{Kind: llm.CallStart, Choice: choice, Call: heard.call, ID: id, Name: call.Get("function.name").Str})
	}
	if arguments := call.Get("function.arguments").Str; arguments != "" {
		say(&llm.Delta{Kind: llm.ArgumentsDelta, Choice: choice, Call: heard.call, Text: arguments})
	}
}
