package llm

import (
	"bytes"
	"strconv"
	"strings"
)

// Failure is an error in the words of a provider: OpenAI's error object. Some
// send it with status 200, as a body or as an event.
type Failure struct {
	Message string
	Type    string
	Code    string
	Body    []byte // the JSON that it came in
}

// Error implements error; it is the operator's view.
func (f *Failure) Error() string {
	words := []string{"the provider failed"}
	for _, word := range []string{f.Type, f.Code, f.Message} {
		if word != "" {
			words = append(words, word)
		}
	}
	return strings.Join(words, ": ")
}

// Status is the HTTP status that the failure would have had, had it come in
// time: the code where that is a status (OpenRouter), else what its type or
// code means, else 502.
func (f *Failure) Status() int {
	if status, err := strconv.Atoi(f.Code); err == nil && status >= 400 && status <= 599 {
		return status
	}
	for _, word := range []string{f.Code, f.Type} {
		if status, ok := failures[word]; ok {
			return status
		}
	}
	return 502
}

var failures = map[string]int{
	"invalid_request_error": 400, "context_length_exceeded": 400, "invalid_prompt": 400, "content_filter": 400,
	"invalid_api_key": 401, "authentication_error": 401,
	"permission_error": 403, "permission_denied": 403,
	"model_not_found": 404, "not_found_error": 404,
	"rate_limit_exceeded": 429, "rate_limit_error": 429, "insufficient_quota": 429, "requests": 429, "tokens": 429,
	"server_error": 500, "internal_error": 500, "api_error": 500,
	"overloaded": 503, "overloaded_error": 503, "slow_down": 503, "service_unavailable": 503,
}

// failure reads the value of "error": an object, or a mere sentence.
func failure(value, body []byte) *Failure {
	f := &Failure{Body: bytes.Clone(body)}
	if !is(value, '{') {
		f.Message, _ = str(value)
		return f
	}
	for fields := walk(value); ; {
		key, value, _, ok := fields.member()
		switch {
		case !ok:
			return f
		case same(key, "message"):
			f.Message, _ = str(value)
		case same(key, "type"):
			f.Type, _ = str(value)
		case same(key, "code") && is(value, '"'):
			f.Code, _ = str(value)
		case same(key, "code") && said(value):
			f.Code = string(value)
		}
	}
}
