package provider

import (
	"strconv"
	"time"

	"github.com/spanway/spanway/internal/llm"
)

// appendOutput implements [dialect].
func (openAI) appendOutput(to []byte, asked *llm.Prompt, out *llm.Output) []byte {
	w := scribe(to)
	w.begin('{')
	w.str("id", out.ID)
	w.str("object", "chat.completion")
	w.num("created", time.Now().Unix())
	w.str("model", modelOf(out.Model, asked))
	w.name("choices")
	w.begin('[')
	for i := range out.Choices {
		openAIChoice(&w, &out.Choices[i])
	}
	w.end(']')
	if out.Usage.Known {
		openAIUsage(&w, out.Usage)
	}
	w.end('}')
	return w
}

// modelOf is the provider's name of the model, or the caller's.
func modelOf(model string, asked *llm.Prompt) string {
	if model == "" {
		return asked.Model
	}
	return model
}

func openAIChoice(w *scribe, choice *llm.Choice) {
	w.begin('{')
	w.num("index", int64(choice.Index))
	w.name("message")
	w.begin('{')
	w.str("role", "assistant")
	text, refusal := joined(choice.Parts, llm.Text), joined(choice.Parts, llm.Refusal)
	calls := false
	for i := range choice.Parts {
		calls = calls || choice.Parts[i].Kind == llm.ToolCall
	}
	if text == "" && (calls || refusal != "") {
		w.raw("content", "null")
	} else {
		w.str("content", text)
	}
	if refusal != "" {
		w.str("refusal", refusal)
	} else {
		w.raw("refusal", "null")
	}
	if thoughts := joined(choice.Parts, llm.Thinking); thoughts != "" {
		w.str("reasoning_content", thoughts)
	}
	if calls {
		w.name("tool_calls")
		w.begin('[')
		for i := range choice.Parts {
			if choice.Parts[i].Kind == llm.ToolCall {
				openAICall(w, &choice.Parts[i])
			}
		}
		w.end(']')
	}
	w.end('}')
	w.raw("logprobs", "null")
	finish := choice.Finish
	if finish == "" {
		finish = llm.FinishStop
	}
	w.str("finish_reason", string(finish))
	w.end('}')
}

func openAIUsage(w *scribe, u llm.Usage) {
	w.name("usage")
	w.begin('{')
	w.num("prompt_tokens", u.Input)
	w.num("completion_tokens", u.Output)
	w.num("total_tokens", llm.Sum(u.Input, u.Output))
	w.name("prompt_tokens_details")
	w.begin('{')
	w.num("cached_tokens", u.CacheRead)
	if u.CacheWrite > 0 {
		w.num("cache_write_tokens", u.CacheWrite)
	}
	w.end('}')
	w.name("completion_tokens_details")
	w.begin('{')
	w.num("reasoning_tokens", u.Reasoning)
	w.end('}')
	w.end('}')
}

// openAISpeaker writes a stream of chunks.
type openAISpeaker struct {
	asked    *llm.Prompt
	head     []byte // what all chunks begin with
	finished map[int]bool
	begun    map[int]bool // which choices have a role
	usage    llm.Usage
}

// speaker implements [dialect].
func (openAI) speaker(asked *llm.Prompt) speaker {
	return &openAISpeaker{asked: asked, finished: map[int]bool{}, begun: map[int]bool{}}
}

// append implements [speaker].
func (s *openAISpeaker) append(to []byte, d *llm.Delta) []byte {
	switch d.Kind {
	case llm.Start:
		s.start(d)
		return s.role(to, 0)
	case llm.UsageDelta:
		s.usage = d.Usage
		return to
	case llm.End:
		return s.end(to)
	case llm.Failed:
		to = append(to, "data: "...)
		to = openAI{}.appendFailure(to, d.Failure.Status(), d.Failure)
		return append(to, "\n\n"...)
	case llm.SignatureDelta, llm.RedactedDelta:
		return to // for its provider only
	}
	return s.piece(s.role(to, d.Choice), d)
}

// start makes what all chunks have in common.
func (s *openAISpeaker) start(d *llm.Delta) {
	w := scribe("data: ")
	w.begin('{')
	w.str("id", d.ID)
	w.str("object", "chat.completion.chunk")
	w.num("created", time.Now().Unix())
	w.str("model", modelOf(d.Model, s.asked))
	w.name("choices")
	w.begin('[')
	s.head = w
}

// open begins a chunk with one choice, up to the members of its delta.
func (s *openAISpeaker) open(to []byte, choice int) scribe {
	if s.head == nil {
		s.start(new(llm.Delta))
	}
	to = append(to, s.head...)
	to = append(to, `{"index":`...)
	to = strconv.AppendInt(to, int64(choice), 10)
	return append(to, `,"delta":{`...)
}

// done ends a chunk. finish is JSON.
func (s *openAISpeaker) done(w scribe, finish string) []byte {
	w = append(append(append(w, `},"logprobs":null,"finish_reason":`...), finish...), "}]"...)
	if s.asked.IncludeUsage {
		w = append(w, `,"usage":null`...)
	}
	return append(w, "}\n\n"...)
}

// role writes the chunk that begins a choice, once.
func (s *openAISpeaker) role(to []byte, choice int) []byte {
	if s.begun[choice] {
		return to
	}
	s.begun[choice] = true
	w := s.open(to, choice)
	w.str("role", "assistant")
	w.str("content", "")
	return s.done(w, "null")
}

func (s *openAISpeaker) piece(to []byte, d *llm.Delta) []byte {
	w := s.open(to, d.Choice)
	finish := "null"
	switch d.Kind {
	case llm.TextDelta:
		w.str("content", d.Text)
	case llm.RefusalDelta:
		w.str("refusal", d.Text)
	case llm.ThinkingDelta:
		w.str("reasoning_content", d.Text)
	case llm.CallStart:
		w.name("tool_calls")
		w.begin('[')
		w.begin('{')
		w.num("index", int64(d.Call))
		w.str("id", d.ID)
		w.str("type", "function")
		w.raw("function", "{")
		w.str("name", d.Name)
		w.str("arguments", "")
		w = append(w, "}}]"...)
	case llm.ArgumentsDelta:
		w.name("tool_calls")
		w.begin('[')
		w.begin('{')
		w.num("index", int64(d.Call))
		w.raw("function", "{")
		w.str("arguments", d.Text)
		w = append(w, "}}]"...)
	case llm.FinishDelta:
		s.finished[d.Choice] = true
		finish = strconv.Quote(string(d.Finish))
	}
	return s.done(w, finish)
}

// end writes what is still to say. A choice whose end was never told has ended
// all the same.
func (s *openAISpeaker) end(to []byte) []byte {
	for choice := range len(s.begun) {
		if s.begun[choice] && !s.finished[choice] {
			to = s.piece(to, &llm.Delta{Kind: llm.FinishDelta, Choice: choice, Finish: llm.FinishStop})
		}
	}
	if s.asked.IncludeUsage && s.usage.Known {
		w := scribe(append(to, s.head...))
		w.end(']')
		openAIUsage(&w, s.usage)
		to = append(w, "}\n\n"...)
	}
	return append(to, "data: [DONE]\n\n"...)
}
