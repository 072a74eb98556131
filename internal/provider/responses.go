package provider

import (
	"net/http"
	"slices"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// Responses is how callers of OpenAI's Responses are spoken to.
var Responses gateway.Dialect = responses{}

// responses is OpenAI's newer way to ask for an answer. All else that OpenAI
// offers is in its own dialect, also at a provider that is asked for chats so.
type responses struct{}

func (responses) word() llm.Dialect { return llm.Responses }

// Error implements [gateway.Dialect].
func (responses) Error(e *gateway.Error, traceID string) (contentType string, body []byte) {
	return openAI{}.Error(e, traceID)
}

// StreamError implements [gateway.Dialect]. The schema has the error's words in
// the event itself, and what OpenAI sends has them in an object: some libraries
// raise on that one only. Which number the event would have is not known here.
func (responses) StreamError(e *gateway.Error, traceID string) []byte {
	w := scribe("\n\nevent: error\ndata: ")
	w.begin('{')
	w.str("type", "error")
	w.str("code", string(e.Code))
	w.str("message", e.Message)
	w.raw("param", "null")
	_, body := openAI{}.Error(e, traceID) // {"error": …}
	w.comma()
	w = append(w, body[1:]...)
	return append(w, "\n\n"...)
}

// appendFailure implements [dialect].
func (responses) appendFailure(to []byte, status int, failure *llm.Failure) []byte {
	return openAI{}.appendFailure(to, status, failure)
}

func (responses) native(caller gateway.Dialect, _ llm.Operation) bool {
	_, ok := caller.(responses)
	return ok
}

func (responses) path(op llm.Operation) string {
	if op == llm.Chat {
		return "/responses"
	}
	return ""
}

func (responses) header(call *gateway.Call, to http.Header) { openAI{}.header(call, to) }

func (responses) sign(*gateway.Call, http.Header) {}

func (responses) answer(body []byte) (llm.Answer, *llm.Failure) { return llm.ScanResponse(body) }

func (responses) event(learned *llm.Answer, e llm.Event) llm.Chunk {
	return learned.ResponsesEvent(e.Data)
}

// responsesSpellings are the fields of a chat that are spelled otherwise here.
var responsesSpellings = map[string]string{
	"messages": "input", "messages.content": "input", "max_tokens": "max_output_tokens", "max_completion_tokens": "max_output_tokens",
	"response_format": "text.format", "reasoning_effort": "reasoning.effort", "verbosity": "text.verbosity",
}

func (responses) spelling(field string) string {
	if here, ok := responsesSpellings[field]; ok {
		return here
	}
	return field
}

// spoken returns the dialect in which a call is put. Where OpenAI's is spoken,
// Responses may be, too, and a caller of it is not translated; where Responses is,
// all that is no chat is OpenAI's.
func (h *handler) spoken(caller dialect, op llm.Operation) dialect {
	if h.beside == nil {
		return h.speaks
	}
	chat := op == llm.Chat
	if _, ok := h.speaks.(responses); ok {
		if !chat {
			return h.beside
		}
	} else if chat && caller.word() == llm.Responses {
		return h.beside
	}
	return h.speaks
}

// without are the providers that have OpenAI's dialect and no Responses.
var without = []string{"gcp.gemini", "mistral_ai", "deepseek", "perplexity"}

// TakesResponses reports whether a provider that speaks OpenAI's dialect is taken
// to have Responses, too. Most servers have, the ones that people run included.
func TakesResponses(provider string) bool { return !slices.Contains(without, provider) }
