package provider

import (
	"slices"
	"strconv"

	"github.com/spanway/spanway/internal/llm"
)

// appendOutput implements [dialect]. There is one answer to a message.
func (anthropic) appendOutput(to []byte, asked *llm.Prompt, out *llm.Output) []byte {
	w := scribe(to)
	w.begin('{')
	anthropicHead(&w, out.ID, modelOf(out.Model, asked))
	w.name("content")
	w.begin('[')
	choice := &out.Choices[0]
	for i := range choice.Parts {
		part := &choice.Parts[i]
		if part.Kind == llm.ToolCall && part.ID == "" {
			part.ID = callID(out.ID, i)
		}
		if part.Kind == llm.Thinking || worth(part) {
			anthropicBlock(&w, part)
		}
	}
	w.end(']')
	finish := choice.Finish
	if joined(choice.Parts, llm.Refusal) != "" {
		finish = llm.FinishFilter
	}
	w.str("stop_reason", anthropicStop(finish))
	w.raw("stop_sequence", "null")
	anthropicUsage(&w, out.Usage)
	w.end('}')
	return w
}

// callID is the id of a call whose provider gave none: the caller needs one, to
// say which call a result belongs to.
func callID(answer string, n int) string { return "toolu_" + answer + "_" + strconv.Itoa(n) }

func anthropicHead(w *scribe, id, model string) {
	w.str("id", id)
	w.str("type", "message")
	w.str("role", "assistant")
	w.str("model", model)
}

// anthropicUsage writes the counts. What came from a cache stands beside the input
// there.
func anthropicUsage(w *scribe, u llm.Usage) {
	w.name("usage")
	w.begin('{')
	w.num("input_tokens", max(u.Input-u.CacheRead-u.CacheWrite, 0))
	w.num("cache_creation_input_tokens", u.CacheWrite)
	w.num("cache_read_input_tokens", u.CacheRead)
	w.num("output_tokens", u.Output)
	w.end('}')
}

// anthropicSpeaker writes a stream of messages' events. Texts and thoughts are
// closed before another block begins. Blocks of tool calls stay open, because
// pieces of several may come in turns, until the answer ends.
type anthropicSpeaker struct {
	asked   *llm.Prompt
	begun   bool
	next    int           // the index of the next block
	open    llm.DeltaKind // of the text or the thoughts under way, the block before next; 0 is none
	calls   map[int]int   // from the index of a call to that of its block
	calling []int         // blocks of calls that are open
	finish  llm.Finish
	refused bool
	id      string // of the message
	usage   llm.Usage
}

// speaker implements [dialect].
func (anthropic) speaker(asked *llm.Prompt) speaker {
	return &anthropicSpeaker{asked: asked, calls: map[int]int{}}
}

// append implements [speaker]. There is one answer to a message.
func (s *anthropicSpeaker) append(to []byte, d *llm.Delta) []byte {
	if d.Choice != 0 {
		return to
	}
	switch d.Kind {
	case llm.UsageDelta:
		s.usage = d.Usage
		return to
	case llm.Failed:
		return s.failed(to, d.Failure)
	}
	to = s.start(to, d)
	switch d.Kind {
	case llm.TextDelta, llm.RefusalDelta:
		s.refused = s.refused || d.Kind == llm.RefusalDelta
		to = s.text(to, llm.TextDelta, `{"type":"text","text":""}`)
		return s.delta(to, s.next-1, "text_delta", "text", d.Text)
	case llm.ThinkingDelta:
		to = s.text(to, llm.ThinkingDelta, `{"type":"thinking","thinking":"","signature":""}`)
		return s.delta(to, s.next-1, "thinking_delta", "thinking", d.Text)
	case llm.SignatureDelta:
		to = s.text(to, llm.ThinkingDelta, `{"type":"thinking","thinking":"","signature":""}`)
		return s.close(s.delta(to, s.next-1, "signature_delta", "signature", d.Text))
	case llm.RedactedDelta:
		w := scribe(nil)
		w.begin('{')
		w.str("type", "redacted_thinking")
		w.str("data", d.Text)
		w.end('}')
		to = s.block(s.close(to), string(w))
		return s.stop(to, s.next-1)
	case llm.CallStart:
		return s.call(to, d)
	case llm.ArgumentsDelta:
		if at, ok := s.calls[d.Call]; ok {
			return s.delta(to, at, "input_json_delta", "partial_json", d.Text)
		}
	case llm.FinishDelta:
		s.finish = d.Finish
		if s.refused {
			s.finish = llm.FinishFilter
		}
	case llm.End:
		return s.end(to)
	}
	return to
}

// beginEvent begins an event; its data is closed by endEvent.
func beginEvent(to []byte, kind string) scribe {
	w := scribe(append(append(append(to, "event: "...), kind...), "\ndata: "...))
	w.begin('{')
	w.str("type", kind)
	return w
}

func endEvent(w scribe) []byte { return append(w, "}\n\n"...) }

// start writes the event that begins a stream, once.
func (s *anthropicSpeaker) start(to []byte, d *llm.Delta) []byte {
	if s.begun {
		return to
	}
	s.begun, s.id = true, d.ID
	w := beginEvent(to, "message_start")
	w.name("message")
	w.begin('{')
	anthropicHead(&w, d.ID, modelOf(d.Model, s.asked))
	w.raw("content", "[]")
	w.raw("stop_reason", "null")
	w.raw("stop_sequence", "null")
	anthropicUsage(&w, llm.Usage{}) // the last event has it: others count at the end
	w.end('}')
	return endEvent(w)
}

// text makes sure that a block of this kind is under way.
func (s *anthropicSpeaker) text(to []byte, kind llm.DeltaKind, block string) []byte {
	if s.open == kind {
		return to
	}
	to = s.block(s.close(to), block)
	s.open = kind
	return to
}

// close ends the text or the thoughts under way.
func (s *anthropicSpeaker) close(to []byte) []byte {
	if s.open == 0 {
		return to
	}
	s.open = 0
	return s.stop(to, s.next-1)
}

func (s *anthropicSpeaker) call(to []byte, d *llm.Delta) []byte {
	w := scribe(nil)
	w.begin('{')
	w.str("type", "tool_use")
	if d.ID != "" {
		w.str("id", d.ID)
	} else {
		w.str("id", callID(s.id, s.next))
	}
	w.str("name", d.Name)
	w.raw("input", "{}")
	w.end('}')
	to = s.block(s.close(to), string(w))
	s.calls[d.Call] = s.next - 1
	s.calling = append(s.calling, s.next-1)
	return to
}

func (s *anthropicSpeaker) block(to []byte, block string) []byte {
	w := beginEvent(to, "content_block_start")
	w.num("index", int64(s.next))
	w.raw("content_block", block)
	s.next++
	return endEvent(w)
}

func (s *anthropicSpeaker) delta(to []byte, index int, kind, name, text string) []byte {
	w := beginEvent(to, "content_block_delta")
	w.num("index", int64(index))
	w.raw("delta", "{")
	w.str("type", kind)
	w.str(name, text)
	w.end('}')
	return endEvent(w)
}

func (s *anthropicSpeaker) stop(to []byte, index int) []byte {
	w := beginEvent(to, "content_block_stop")
	w.num("index", int64(index))
	return endEvent(w)
}

func (s *anthropicSpeaker) end(to []byte) []byte {
	to = s.close(to)
	for _, index := range slices.Sorted(slices.Values(s.calling)) {
		to = s.stop(to, index)
	}
	w := beginEvent(to, "message_delta")
	w.raw("delta", "{")
	w.str("stop_reason", anthropicStop(s.finish))
	w.raw("stop_sequence", "null")
	w.end('}')
	anthropicUsage(&w, s.usage)
	return endEvent(beginEvent(endEvent(w), "message_stop"))
}

// failed writes the event on which Anthropic's libraries raise. A provider's own
// fault in the midst of a stream is what they know as overloaded_error: the one
// kind that says "try again".
func (s *anthropicSpeaker) failed(to []byte, failure *llm.Failure) []byte {
	status := failure.Status()
	if status >= 500 {
		status = statusOverloaded
	}
	to = append(to, "event: error\ndata: "...)
	to = anthropic{}.appendFailure(to, status, failure)
	return append(to, "\n\n"...)
}
