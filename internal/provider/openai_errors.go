package provider

import (
	"strings"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// Error implements [gateway.Dialect].
func (openAI) Error(e *gateway.Error, traceID string) (contentType string, body []byte) {
	return "application/json", appendError(nil, e, traceID)
}

// StreamError implements [gateway.Dialect]: an event with the error in it, on
// which OpenAI's libraries raise. It begins with an empty line, because the
// stream may have broken within an event.
func (openAI) StreamError(e *gateway.Error, traceID string) []byte {
	return append(appendError([]byte("\n\ndata: "), e, traceID), "\n\n"...)
}

func appendError(to []byte, e *gateway.Error, traceID string) []byte {
	to = append(to, `{"error":{"message":`...)
	to = llm.AppendString(to, e.Message)
	to = append(to, `,"type":`...)
	to = llm.AppendString(to, statusType(e.Code.Status()))
	to = append(to, `,"param":`...)
	if e.Param == "" {
		to = append(to, "null"...)
	} else {
		to = llm.AppendString(to, e.Param)
	}
	to = append(to, `,"code":`...)
	to = llm.AppendString(to, string(e.Code))
	if traceID != "" {
		to = append(to, `,"trace_id":`...)
		to = llm.AppendString(to, traceID)
	}
	return append(to, "}}"...)
}

// statusType gives the word by which OpenAI's libraries and their users tell
// kinds of errors apart.
func statusType(status int) string {
	switch {
	case status == 401:
		return "authentication_error"
	case status == 403:
		return "permission_error"
	case status == 429:
		return "rate_limit_error"
	case status < 500:
		return "invalid_request_error"
	case status == 502 || status == 504:
		return "api_error"
	default:
		return "server_error"
	}
}

// appendFailure implements [dialect].
func (openAI) appendFailure(to []byte, status int, failure *llm.Failure) []byte {
	w := scribe(to)
	w.begin('{')
	w.name("error")
	w.begin('{')
	message := failureMessage(failure)
	if failure.Code == "" && failure.Type != "" && failure.Type != statusType(status) {
		message = failure.Type + ": " + message // or the provider's own word would be lost
	}
	w.str("message", message)
	w.str("type", statusType(status))
	w.raw("param", "null")
	w.str("code", failureCode(status, failure))
	w.end('}')
	w.end('}')
	return w
}

func failureMessage(failure *llm.Failure) string {
	if failure.Message == "" {
		return "the provider failed"
	}
	return failure.Message
}

// failureCode is the word on which OpenAI's users match: the provider's, where it
// has codes, else that of the status.
func failureCode(status int, failure *llm.Failure) string {
	switch {
	case failure.Code != "":
		return failure.Code
	case strings.Contains(failure.Message, "prompt is too long"): // Anthropic has no word of its own for it
		return "context_length_exceeded"
	}
	switch status {
	case 401:
		return string(gateway.Unauthenticated)
	case 404:
		return string(gateway.NoModel)
	case 429:
		return "rate_limit_exceeded"
	case 503:
		return string(gateway.Overloaded)
	}
	if failure.Type != "" {
		return failure.Type
	}
	return statusType(status)
}
