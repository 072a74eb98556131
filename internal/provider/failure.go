package provider

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// readFailure is how much of an error's body is looked at. Those of providers are
// a few hundred bytes.
const readFailure = 16 << 10

// explain finds out what kind of failure a reply with an error's status tells of.
// It reads the beginning of the body, and puts it back.
func explain(reply *gateway.Reply) {
	body, err := io.ReadAll(io.LimitReader(reply.Body, readFailure))
	rest := reply.Body
	if err != nil {
		rest = failing{err}
	}
	reply.Body = io.MultiReader(bytes.NewReader(body), rest)
	text := bytes.TrimRight(bytes.TrimLeft(body, " \t\r\n["), " \t\r\n]") // Gemini may send a list of one
	_, failure := llm.ScanAnswer(text)
	if failure == nil {
		return
	}
	reply.Failure = failureOf(reply.Status, failure)
	if !gjson.ValidBytes(failure.Body) {
		return
	}
	said := gjson.GetBytes(failure.Body, "error")
	switch metadata := said.Get("metadata"); { // OpenRouter's
	case metadata.Get("flagged_input").Exists():
		reply.Failure = gateway.FailContentPolicy // with 403, and yet nothing is wrong with the key
	case metadata.Get("limit_source").Str == "in_flight_budget":
		reply.Failure = gateway.FailRateLimited // with 402, until other calls have ended
	}
	wait, err := time.ParseDuration(said.Get("details.#(retryDelay).retryDelay").Str) // Google's
	if err == nil && wait > 0 && reply.Header["Retry-After"] == nil {
		seconds := (wait + time.Second - 1) / time.Second
		reply.Header["Retry-After"] = []string{strconv.FormatInt(int64(seconds), 10)}
	}
}

// failing is a reader of an error that came before.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// failureOf is the kind of a failure by the words of its provider, else by its
// status. Only whole words count, and sentences as they begin: to look for
// "credit" or "balance" anywhere in a text has put good keys out of use.
func failureOf(status int, failure *llm.Failure) gateway.Failure {
	for _, word := range []string{failure.Code, failure.Type} {
		if kind, ok := failureWords[strings.ToLower(word)]; ok {
			return kind
		}
	}
	if status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge {
		for _, begin := range tooLong {
			if strings.HasPrefix(failure.Message, begin) {
				return gateway.FailContextWindow
			}
		}
	}
	return gateway.FailureOfStatus(status)
}

// failureWords are the codes and types by which providers tell failures apart that have
// the same status. Those that say no more than a status are not here.
var failureWords = map[string]gateway.Failure{
	"insufficient_quota": gateway.FailBilling, "credit_balance_exhausted": gateway.FailBilling,
	"billing_error": gateway.FailBilling, "billing_not_active": gateway.FailBilling, "billing_hard_limit_reached": gateway.FailBilling,

	"rate_limit_exceeded": gateway.FailRateLimited, "rate_limit_error": gateway.FailRateLimited,

	"slow_down": gateway.FailOverloaded, "overloaded": gateway.FailOverloaded, "overloaded_error": gateway.FailOverloaded,
	"engine_overloaded": gateway.FailOverloaded, "engine_overloaded_error": gateway.FailOverloaded,

	"invalid_api_key": gateway.FailAuth, "authentication_error": gateway.FailAuth, "permission_error": gateway.FailAuth,
	"account_deactivated": gateway.FailAuth,

	"context_length_exceeded": gateway.FailContextWindow, "model_context_window_exceeded": gateway.FailContextWindow,

	"content_filter": gateway.FailContentPolicy, "content_policy_violation": gateway.FailContentPolicy,
	"moderation_blocked": gateway.FailContentPolicy, "invalid_prompt": gateway.FailContentPolicy,
}

// tooLong is how messages begin that say so without a code: those of Anthropic, of
// vLLM and its kin, of OpenRouter, of Google.
var tooLong = []string{
	"prompt is too long", "This model's maximum context length is", "This endpoint's maximum context length is", "The input token count",
}

// inside is the kind of a failure that came with status 200.
func inside(failure *llm.Failure) gateway.Failure {
	if kind := failureOf(failure.Status(), failure); kind != gateway.FailServer {
		return kind
	}
	return gateway.FailStreamError
}
