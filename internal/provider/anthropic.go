package provider

import (
	"net/http"
	"strings"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// Anthropic is how callers of Anthropic's Messages are spoken to.
var Anthropic gateway.Dialect = anthropic{}

// anthropic is the dialect.
type anthropic struct{}

func (anthropic) word() llm.Dialect { return llm.Anthropic }

// native implements [dialect].
func (anthropic) native(caller gateway.Dialect, _ llm.Operation) bool {
	_, ok := caller.(anthropic)
	return ok
}

// path implements [dialect].
func (anthropic) path(op llm.Operation) string {
	switch op {
	case llm.Chat:
		return "/messages"
	case llm.CountTokens:
		return "/messages/count_tokens"
	default:
		return ""
	}
}

// anthropicVersion is the one version that there is.
var anthropicVersion = []string{"2023-06-01"}

// header implements [dialect]. What a caller of this dialect says of versions
// belongs to its body, which passes as it is.
func (a anthropic) header(call *gateway.Call, to http.Header) {
	to["Anthropic-Version"] = anthropicVersion
	if !a.native(call.Dialect, llm.Chat) {
		return
	}
	for _, name := range []string{"Anthropic-Version", "Anthropic-Beta"} {
		if values := call.Header[name]; len(values) > 0 {
			to[name] = values
		}
	}
}

// sign implements [dialect]: Anthropic's libraries show the id of a request from
// this header.
func (anthropic) sign(call *gateway.Call, header http.Header) {
	if call.ID != "" {
		header["Request-Id"] = []string{call.ID}
	}
}

// answer implements [dialect].
func (anthropic) answer(body []byte) (llm.Answer, *llm.Failure) { return llm.ScanMessage(body) }

// event implements [dialect].
func (anthropic) event(learned *llm.Answer, e llm.Event) llm.Chunk {
	return learned.MessageEvent(e.Data)
}

// spelling implements [dialect].
func (anthropic) spelling(field string) string {
	switch field {
	case "stop":
		return "stop_sequences"
	case "reasoning_effort":
		return "thinking"
	case "response_format":
		return "output_config.format"
	case "user":
		return "metadata.user_id"
	}
	return field
}

// Error implements [gateway.Dialect].
func (anthropic) Error(e *gateway.Error, traceID string) (contentType string, body []byte) {
	return "application/json", anthropicError(nil, anthropicType(e.Code.Status()), e.Message, string(e.Code), traceID)
}

// StreamError implements [gateway.Dialect]. It begins with an empty line, because
// the stream may have broken within an event.
func (anthropic) StreamError(e *gateway.Error, traceID string) []byte {
	to := anthropicError([]byte("\n\nevent: error\ndata: "), anthropicType(e.Code.Status()), e.Message, string(e.Code), traceID)
	return append(to, "\n\n"...)
}

// appendFailure implements [dialect].
func (anthropic) appendFailure(to []byte, status int, failure *llm.Failure) []byte {
	return anthropicError(to, anthropicType(status), failureMessage(failure), failure.Code, "")
}

// anthropicError writes an error. The code stands beside what Anthropic has: it is
// the gateway's word, or that of a provider that has codes.
func anthropicError(to []byte, kind, message, code, traceID string) []byte {
	w := scribe(to)
	w.begin('{')
	w.str("type", "error")
	w.name("error")
	w.begin('{')
	w.str("type", kind)
	w.str("message", message)
	if code != "" {
		w.str("code", code)
	}
	w.end('}')
	if traceID != "" {
		w.str("trace_id", traceID)
	}
	w.end('}')
	return w
}

// anthropicType is the word by which Anthropic's libraries tell errors apart.
func anthropicType(status int) string {
	switch status {
	case 401:
		return "authentication_error"
	case 402:
		return "billing_error"
	case 403:
		return "permission_error"
	case 404:
		return "not_found_error"
	case 413:
		return "request_too_large"
	case 429:
		return "rate_limit_error"
	case 503, statusOverloaded:
		return "overloaded_error"
	case 504:
		return "timeout_error"
	}
	if status < 500 {
		return "invalid_request_error"
	}
	return "api_error"
}

// anthropicStop is a reason in Anthropic's words.
func anthropicStop(finish llm.Finish) string {
	switch finish {
	case llm.FinishLength:
		return "max_tokens"
	case llm.FinishTools:
		return "tool_use"
	case llm.FinishFilter:
		return "refusal"
	}
	return "end_turn"
}

// anthropicFinish reads a reason in Anthropic's words.
func anthropicFinish(reason string) llm.Finish {
	switch reason {
	case "max_tokens", "model_context_window_exceeded":
		return llm.FinishLength
	case "tool_use":
		return llm.FinishTools
	case "refusal":
		return llm.FinishFilter
	}
	return llm.FinishStop
}

// jsonTool is the tool that a model is made to call where its caller wants any
// JSON object: Anthropic can be held to a schema, and to a tool's arguments, but
// not to that. What is written for the tool is the text of the answer.
const jsonTool = "respond_with_json"

// asObject makes of a tool call's arguments what Anthropic takes for one: an object.
// What a model wrote that is none is kept, under a name that says so.
func asObject(arguments string) string {
	text := strings.TrimSpace(arguments)
	if text == "" {
		return "{}"
	}
	if text[0] == '{' && llm.Valid([]byte(text)) {
		return text
	}
	w := scribe(nil)
	w.begin('{')
	w.str("invalid_arguments", arguments)
	w.end('}')
	return string(w)
}
