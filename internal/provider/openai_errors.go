package provider

import (
	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// OpenAI is how callers on OpenAI's routes are spoken to.
var OpenAI gateway.Dialect = openAI{}

type openAI struct{}

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
	to = llm.AppendString(to, errorType(e.Code))
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

// errorType gives the word by which OpenAI's libraries and their users tell
// kinds of errors apart.
func errorType(code gateway.Code) string {
	switch status := code.Status(); {
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
