package provider

import (
	"cmp"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"github.com/spanway/spanway/internal/llm"
)

// appendOutput implements [dialect].
func (responses) appendOutput(to []byte, asked *llm.Prompt, out *llm.Output) []byte {
	answer := newResponsesAnswer(asked, out.ID, out.Model)
	choice := &out.Choices[0]
	for i := range choice.Parts {
		part := &choice.Parts[i]
		switch part.Kind {
		case llm.Text, llm.Refusal:
			item := answer.last(responsesMessage)
			item.parts = append(item.parts, responsesPart{refusal: part.Kind == llm.Refusal, text: []byte(part.Text)})
		case llm.Thinking:
			item := answer.add(responsesReasoning)
			item.encrypted = responsesEncrypted(part)
			if part.Text != "" {
				item.parts = append(item.parts, responsesPart{text: []byte(part.Text)})
			}
		case llm.ToolCall:
			answer.call(part.ID, part.Name).parts[0].text = []byte(part.Arguments)
		}
	}
	for _, item := range answer.items {
		item.closed = true
	}
	answer.finish(choice.Finish)
	answer.usage = out.Usage
	w := scribe(to)
	answer.write(&w)
	return w
}

// responsesEncrypted is how a caller keeps what a provider wants back with a
// thought; "" is nothing.
func responsesEncrypted(part *llm.Part) string {
	switch {
	case part.Redacted != "":
		return keptRedacted + part.Redacted
	case part.Signature != "":
		return kept + part.Signature
	}
	return ""
}

// responsesAnswer is a Response on its way.
type responsesAnswer struct {
	asked   *llm.Prompt
	id      string
	model   string
	created int64
	items   []*responsesItem
	status  string
	reason  string // why it is incomplete
	failure *llm.Failure
	usage   llm.Usage
}

type responsesItem struct {
	kind      string
	id        string
	parts     []responsesPart // of a message and of thoughts; of a call, its arguments
	call      string          // its id, as the result must name it
	name      string          // of the function
	encrypted string
	status    string
	closed    bool
}

type responsesPart struct {
	refusal bool
	text    []byte
}

// The kinds of items that are written.
const (
	responsesMessage   = "message"
	responsesReasoning = "reasoning"
	responsesFunction  = "function_call"
)

// How their ids begin.
var responsesPrefixes = map[string]string{responsesMessage: "msg_", responsesReasoning: "rs_", responsesFunction: "fc_"}

func newResponsesAnswer(asked *llm.Prompt, id, model string) *responsesAnswer {
	if model == "" {
		model = asked.Model
	}
	return &responsesAnswer{asked: asked, id: id, model: model, created: time.Now().Unix(), status: "in_progress"}
}

// add begins an item. Its id must differ from all others of the answer: the
// official libraries refuse a stream that uses one twice.
func (a *responsesAnswer) add(kind string) *responsesItem {
	item := &responsesItem{kind: kind, status: "completed"}
	item.id = responsesPrefixes[kind] + strconv.Itoa(len(a.items)) + "_" + a.id
	a.items = append(a.items, item)
	return item
}

// last returns the item that was begun last, or a new one if that is of another
// kind.
func (a *responsesAnswer) last(kind string) *responsesItem {
	if n := len(a.items); n > 0 && a.items[n-1].kind == kind {
		return a.items[n-1]
	}
	return a.add(kind)
}

// call begins the call of a function. Libraries want an id, also where the
// provider gave none.
func (a *responsesAnswer) call(id, name string) *responsesItem {
	item := a.add(responsesFunction)
	item.call, item.name, item.parts = cmp.Or(id, item.id), name, make([]responsesPart, 1)
	return item
}

// finish says why the answer has ended.
func (a *responsesAnswer) finish(reason llm.Finish) {
	a.status = "completed"
	switch reason {
	case llm.FinishLength:
		a.reason = "max_output_tokens"
	case llm.FinishFilter:
		a.reason = "content_filter"
	default:
		return
	}
	a.status = "incomplete"
	if n := len(a.items); n > 0 {
		a.items[n-1].status = "incomplete"
	}
}

// responsesRepeated are the fields of a request that its answer repeats, with what
// they are where the request does not say.
var responsesRepeated = []struct{ name, otherwise string }{
	{"instructions", "null"}, {"max_output_tokens", "null"}, {"max_tool_calls", "null"}, {"metadata", "{}"},
	{"parallel_tool_calls", "true"}, {"reasoning", `{"effort":null,"summary":null}`}, {"safety_identifier", "null"},
	{"temperature", "null"}, {"text", `{"format":{"type":"text"}}`}, {"tool_choice", `"auto"`}, {"tools", "[]"},
	{"top_p", "null"}, {"user", "null"},
}

// write writes the Response as far as it has come.
func (a *responsesAnswer) write(w *scribe) {
	w.begin('{')
	w.str("id", "resp_"+a.id)
	w.str("object", "response")
	w.num("created_at", a.created)
	w.str("status", a.status)
	w.raw("background", "false")
	w.name("error")
	a.writeFailure(w)
	w.name("incomplete_details")
	if a.reason == "" {
		w.value("null")
	} else {
		w.begin('{')
		w.str("reason", a.reason)
		w.end('}')
	}
	w.str("model", a.model)
	w.name("output")
	w.begin('[')
	if a.status != "in_progress" { // before that, events tell it
		for _, item := range a.items {
			item.write(w)
		}
	}
	w.end(']')
	a.repeat(w)
	w.raw("previous_response_id", "null")
	w.raw("store", "false")
	w.str("truncation", "disabled")
	w.name("usage")
	a.writeUsage(w)
	w.end('}')
}

// repeat writes what the caller has asked.
func (a *responsesAnswer) repeat(w *scribe) {
	request := gjson.ParseBytes(a.asked.Asked)
	for _, field := range responsesRepeated {
		value := request.Get(field.name)
		if !value.Exists() || value.Type == gjson.Null {
			value.Raw = field.otherwise
		}
		w.raw(field.name, value.Raw)
	}
}

func (a *responsesAnswer) writeFailure(w *scribe) {
	if a.failure == nil {
		w.value("null")
		return
	}
	w.begin('{')
	w.str("code", failureCode(a.failure.Status(), a.failure))
	w.str("message", failureMessage(a.failure))
	w.end('}')
}

func (a *responsesAnswer) writeUsage(w *scribe) {
	u := &a.usage
	if !u.Known {
		w.value("null")
		return
	}
	w.begin('{')
	w.num("input_tokens", u.Input)
	w.name("input_tokens_details")
	w.begin('{')
	w.num("cached_tokens", u.CacheRead)
	if u.CacheWrite > 0 {
		w.num("cache_write_tokens", u.CacheWrite)
	}
	w.end('}')
	w.num("output_tokens", u.Output)
	w.name("output_tokens_details")
	w.begin('{')
	w.num("reasoning_tokens", u.Reasoning)
	w.end('}')
	w.num("total_tokens", u.Input+u.Output)
	w.end('}')
}

// write writes the item with all that it has.
func (i *responsesItem) write(w *scribe) {
	w.begin('{')
	w.str("id", i.id)
	w.str("type", i.kind)
	switch i.kind {
	case responsesMessage:
		w.str("status", i.status)
		w.str("role", "assistant")
		w.name("content")
		w.begin('[')
		for n := range i.parts {
			i.parts[n].write(w, i.kind)
		}
		w.end(']')
	case responsesReasoning:
		w.name("summary")
		w.begin('[')
		for n := range i.parts {
			i.parts[n].write(w, i.kind)
		}
		w.end(']')
		if i.encrypted != "" {
			w.str("encrypted_content", i.encrypted)
		}
	case responsesFunction:
		w.str("status", i.status)
		w.str("call_id", i.call)
		w.str("name", i.name)
		w.str("arguments", i.arguments())
	}
	w.end('}')
}

// arguments are those of a call, by now. None at all are an empty object: what
// reads them reads JSON.
func (i *responsesItem) arguments() string {
	if len(i.parts[0].text) == 0 && i.closed {
		return "{}"
	}
	return string(i.parts[0].text)
}

func (p *responsesPart) write(w *scribe, kind string) {
	w.begin('{')
	switch {
	case kind == responsesReasoning:
		w.str("type", "summary_text")
		w.str("text", string(p.text))
	case p.refusal:
		w.str("type", "refusal")
		w.str("refusal", string(p.text))
	default:
		w.str("type", "output_text")
		w.str("text", string(p.text))
		w.raw("annotations", "[]")
		w.raw("logprobs", "[]")
	}
	w.end('}')
}
