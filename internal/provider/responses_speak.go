package provider

import (
	"github.com/spanway/spanway/internal/llm"
)

// speaker implements [dialect].
func (responses) speaker(asked *llm.Prompt) speaker { return &responsesSpeaker{asked: asked} }

// responsesSpeaker writes one stream. Each thing is announced, told in pieces, and
// told whole at its end: a client may listen to either. At most one message or
// thought is open; calls stay open until the end, as their pieces may interleave.
type responsesSpeaker struct {
	asked  *llm.Prompt
	answer *responsesAnswer
	events int64 // how many were written: the next one's sequence_number
	open   *responsesItem
	at     int               // where the open item stands in the output
	calls  []responsesCallAt // by the number of the call
	finish llm.Finish
}

type responsesCallAt struct {
	item *responsesItem
	at   int
}

// append implements [speaker].
func (s *responsesSpeaker) append(to []byte, d *llm.Delta) []byte {
	w := scribe(to)
	if s.answer == nil { // of a stream that begins with its end, there is a Response all the same
		s.answer = newResponsesAnswer(s.asked, d.ID, d.Model)
		if d.Kind != llm.Failed {
			s.state(&w, "response.created")
			s.state(&w, "response.in_progress")
		}
	}
	switch d.Kind {
	case llm.Start:
	case llm.UsageDelta:
		s.answer.usage = d.Usage
	case llm.End:
		s.answer.finish(s.finish)
		s.close(&w)
		s.closeCalls(&w)
		s.state(&w, "response."+s.answer.status)
	case llm.Failed:
		s.fail(&w, d.Failure)
	default:
		if d.Choice == 0 { // there is no second one here
			s.choice(&w, d)
		}
	}
	return w
}

// choice writes a step of the answer.
func (s *responsesSpeaker) choice(w *scribe, d *llm.Delta) {
	switch d.Kind {
	case llm.TextDelta:
		s.piece(w, responsesMessage, false, d.Text)
	case llm.RefusalDelta:
		s.piece(w, responsesMessage, true, d.Text)
	case llm.ThinkingDelta:
		s.piece(w, responsesReasoning, false, d.Text)
	case llm.SignatureDelta:
		s.begin(w, responsesReasoning)
		s.open.encrypted = kept + d.Text
		s.close(w)
	case llm.RedactedDelta:
		s.close(w)
		s.begin(w, responsesReasoning)
		s.open.encrypted = keptRedacted + d.Text
		s.close(w)
	case llm.CallStart:
		s.close(w)
		call := responsesCallAt{s.answer.call(d.ID, d.Name), len(s.answer.items) - 1}
		for len(s.calls) <= d.Call {
			s.calls = append(s.calls, responsesCallAt{})
		}
		s.calls[d.Call] = call
		s.item(w, "response.output_item.added", call.item, call.at)
	case llm.ArgumentsDelta:
		if d.Call < 0 || d.Call >= len(s.calls) || s.calls[d.Call].item == nil || d.Text == "" {
			return
		}
		call := s.calls[d.Call]
		call.item.parts[0].text = append(call.item.parts[0].text, d.Text...)
		s.event(w, "response.function_call_arguments.delta")
		s.place(w, call.item, call.at)
		w.str("delta", d.Text)
		w.close()
	case llm.FinishDelta:
		s.finish = d.Finish
	}
}

// begin opens an item of this kind, if none is open.
func (s *responsesSpeaker) begin(w *scribe, kind string) {
	if s.open != nil && s.open.kind == kind {
		return
	}
	s.close(w)
	s.open = s.answer.add(kind)
	s.at = len(s.answer.items) - 1
	s.item(w, "response.output_item.added", s.open, s.at)
}

// piece writes a piece of a message or a thought.
func (s *responsesSpeaker) piece(w *scribe, kind string, refusal bool, text string) {
	if text == "" {
		return
	}
	s.begin(w, kind)
	n := len(s.open.parts)
	if n > 0 && s.open.parts[n-1].refusal != refusal {
		s.closePart(w)
	}
	if n == 0 || s.open.parts[n-1].refusal != refusal {
		s.open.parts = append(s.open.parts, responsesPart{refusal: refusal})
		n++
		s.part(w, "added")
	}
	part := &s.open.parts[n-1]
	part.text = append(part.text, text...)
	s.event(w, part.event(kind, ".delta"))
	s.place(w, s.open, s.at)
	w.num(responsesIndex(kind), int64(n-1))
	w.str("delta", text)
	if kind == responsesMessage && !refusal {
		w.raw("logprobs", "[]")
	}
	w.close()
}

// event is the name of an event about the part's text.
func (p *responsesPart) event(kind, what string) string {
	switch {
	case kind == responsesReasoning:
		return "response.reasoning_summary_text" + what
	case p.refusal:
		return "response.refusal" + what
	}
	return "response.output_text" + what
}

// responsesIndex is the name of a part's place in its item.
func responsesIndex(kind string) string {
	if kind == responsesReasoning {
		return "summary_index"
	}
	return "content_index"
}

// part announces the last part of the open item, or its end.
func (s *responsesSpeaker) part(w *scribe, what string) {
	n := len(s.open.parts) - 1
	name := "response.content_part."
	if s.open.kind == responsesReasoning {
		name = "response.reasoning_summary_part."
	}
	s.event(w, name+what)
	s.place(w, s.open, s.at)
	w.num(responsesIndex(s.open.kind), int64(n))
	w.name("part")
	s.open.parts[n].write(w, s.open.kind)
	w.close()
}

// closePart ends the last part of the open item.
func (s *responsesSpeaker) closePart(w *scribe) {
	n := len(s.open.parts) - 1
	part := &s.open.parts[n]
	s.event(w, part.event(s.open.kind, ".done"))
	s.place(w, s.open, s.at)
	w.num(responsesIndex(s.open.kind), int64(n))
	switch {
	case part.refusal:
		w.str("refusal", string(part.text))
	default:
		w.str("text", string(part.text))
	}
	if s.open.kind == responsesMessage && !part.refusal {
		w.raw("logprobs", "[]")
	}
	w.close()
	s.part(w, "done")
}

// close ends the open item.
func (s *responsesSpeaker) close(w *scribe) {
	if s.open == nil {
		return
	}
	if len(s.open.parts) > 0 {
		s.closePart(w)
	}
	s.open.closed = true
	s.item(w, "response.output_item.done", s.open, s.at)
	s.open = nil
}

// closeCalls ends the calls.
func (s *responsesSpeaker) closeCalls(w *scribe) {
	for _, call := range s.calls {
		if call.item == nil {
			continue
		}
		call.item.closed = true
		s.event(w, "response.function_call_arguments.done")
		s.place(w, call.item, call.at)
		w.str("name", call.item.name)
		w.str("arguments", call.item.arguments())
		w.close()
		s.item(w, "response.output_item.done", call.item, call.at)
	}
}

// fail ends the stream with an error. Libraries raise on the event "error", some
// of them only by the object in it; other clients wait for a last Response.
func (s *responsesSpeaker) fail(w *scribe, failure *llm.Failure) {
	s.answer.status, s.answer.failure = "failed", failure
	for _, item := range s.answer.items {
		if !item.closed {
			item.closed, item.status = true, "incomplete"
		}
	}
	s.event(w, "error")
	w.str("code", failureCode(failure.Status(), failure))
	w.str("message", failureMessage(failure))
	w.raw("param", "null")
	w.name("error")
	s.answer.writeFailure(w)
	w.close()
	s.state(w, "response.failed")
}

// event begins an event.
func (s *responsesSpeaker) event(w *scribe, name string) {
	*w = append(append(append(*w, "event: "...), name...), "\ndata: "...)
	w.begin('{')
	w.str("type", name)
	w.num("sequence_number", s.events)
	s.events++
}

// close ends an event.
func (s *scribe) close() { *s = append(*s, "}\n\n"...) }

// place says which item an event is about.
func (s *responsesSpeaker) place(w *scribe, item *responsesItem, at int) {
	w.str("item_id", item.id)
	w.num("output_index", int64(at))
}

// item announces an item, or its end.
func (s *responsesSpeaker) item(w *scribe, name string, item *responsesItem, at int) {
	status := item.status
	if !item.closed {
		item.status = "in_progress"
	}
	s.event(w, name)
	w.num("output_index", int64(at))
	w.name("item")
	item.write(w)
	w.close()
	item.status = status
}

// state writes the Response as far as it has come.
func (s *responsesSpeaker) state(w *scribe, name string) {
	s.event(w, name)
	w.name("response")
	s.answer.write(w)
	w.close()
}
