package llm

import "bytes"

// ScanResponse is [ScanAnswer] for a whole answer in the Responses dialect.
func ScanResponse(body []byte) (Answer, *Failure) {
	var a Answer
	failed := a.response(body)
	return a, failed
}

// ResponsesEvent is [Answer.Chunk] for the Responses dialect: the data of one
// event. What may only be an announcement, such as response.created or an empty
// message, carries no part of an answer.
func (a *Answer) ResponsesEvent(data []byte) (c Chunk) {
	data = bytes.TrimSpace(data)
	if string(data) == "[DONE]" {
		return Chunk{Done: true}
	}
	if !is(data, '{') {
		return c
	}
	var kind, response, fault []byte
	for fields := walk(data); ; {
		key, value, _, ok := fields.member()
		switch {
		case !ok:
			return a.responsesEnd(kind, response, fault, data)
		case same(key, "type"):
			kind = value
		case same(key, "delta") && said(value),
			same(key, "item") && string(kind) == `"response.output_item.added"` && act(value):
			return Chunk{Semantic: true}
		case same(key, "response"):
			response = value
		case same(key, "error"):
			fault = value
		}
	}
}

// act reports whether an item of an answer says something by being there: all
// do, but messages and thoughts, which begin empty.
func act(item []byte) bool {
	for fields := walk(item); ; {
		key, value, _, ok := fields.member()
		if !ok {
			return false
		}
		if same(key, "type") {
			return string(value) != `"message"` && string(value) != `"reasoning"`
		}
	}
}

// responsesEnd reads an event that carries no piece of the answer: its beginning,
// its end, or a failure.
func (a *Answer) responsesEnd(kind, response, fault, data []byte) (c Chunk) {
	switch string(kind) {
	case `"response.created"`, `"response.in_progress"`, `"response.queued"`:
		if a.ID == "" {
			_ = a.response(response) // it has only begun
		}
	case `"response.completed"`, `"response.incomplete"`, `"response.failed"`, `"response.cancelled"`:
		c.Failure = a.response(response)
		c.Done = c.Failure == nil
	case `"error"`:
		if !said(fault) {
			fault = data // the schema has it flat; what is sent has it nested
		}
		c.Failure = responsesFailure(fault)
	case "": // some servers put what is wrong in an event without a type, as in a chat
		if said(fault) {
			c.Failure = failure(fault, data)
		}
	}
	return c
}

// response reads the Response object, which stands alone as a whole answer and in
// the first and last events of a stream.
func (a *Answer) response(text []byte) (failed *Failure) {
	if !is(bytes.TrimSpace(text), '{') {
		return nil
	}
	var status, output, details, fault []byte
	for fields := walk(text); ; {
		key, value, _, ok := fields.member()
		switch {
		case !ok:
			if said(fault) {
				return responsesFailure(fault)
			}
			if string(status) == `"failed"` || string(status) == `"cancelled"` {
				return responsesFailure([]byte(`{"message":"the response has failed"}`))
			}
			a.finish(status, output, details)
			return nil
		case same(key, "id") && a.ID == "":
			a.ID, _ = str(value)
		case same(key, "model") && a.Model == "":
			a.Model, _ = str(value)
		case same(key, "status"):
			status = value
		case same(key, "output") && is(value, '['):
			output = value
		case same(key, "incomplete_details") && is(value, '{'):
			details = value
		case same(key, "error"):
			fault = value
		case same(key, "usage") && is(value, '{'):
			a.usage(value)
		}
	}
}

// finish says how a Response has ended in the words of a chat.
func (a *Answer) finish(status, output, details []byte) {
	reason := FinishStop
	switch string(status) {
	case `"completed"`:
		for list := walk(output); output != nil; {
			item, ok := list.element()
			if !ok {
				break
			}
			if calls(item) {
				reason = FinishTools
			}
		}
	case `"incomplete"`:
		reason = FinishLength
		for fields := walk(details); details != nil; {
			key, value, _, ok := fields.member()
			if !ok {
				break
			}
			if same(key, "reason") && string(value) == `"content_filter"` {
				reason = FinishFilter
			}
		}
	default:
		return // under way
	}
	a.begun.add(0)
	a.ended.add(0)
	a.FinishReasons = append(a.FinishReasons[:0], string(reason))
}

// calls reports whether an item is the call of a caller's tool.
func calls(item []byte) bool {
	for fields := walk(item); ; {
		key, value, _, ok := fields.member()
		if !ok {
			return false
		}
		if same(key, "type") {
			return string(value) == `"function_call"` || string(value) == `"custom_tool_call"`
		}
	}
}

// responsesFailure reads an error object. Its Body is what the provider would
// have answered with, had it failed at once.
func responsesFailure(fault []byte) *Failure {
	return failure(fault, append(append([]byte(`{"error":`), fault...), '}'))
}
