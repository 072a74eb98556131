package provider

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/spanway/spanway/internal/gateway"
)

func TestAProvidersWordsSayWhatKindOfFailureItIs(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   gateway.Failure
	}{
		// Three things that 429 may mean.
		{429, `{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}`, gateway.FailRateLimited},
		{429, `{"error":{"message":"Slow down","type":"requests","code":"slow_down"}}`, gateway.FailOverloaded},
		{429, `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}`, gateway.FailBilling},
		{429, `{"error":{"message":"Your credit is low, and so is your balance","type":"requests","code":null}}`, gateway.FailRateLimited},
		{429, `too many requests`, gateway.FailRateLimited},
		{429, ``, gateway.FailRateLimited},

		{400, `{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}`, gateway.FailContextWindow},
		{400, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum"}}`, gateway.FailContextWindow},
		{400, `{"error":{"message":"This model's maximum context length is 8192 tokens.","type":"BadRequestError","code":400}}`, gateway.FailContextWindow},
		{400, `{"error":{"message":"say that a prompt is too long","type":"invalid_request_error","code":null}}`, gateway.FailBadRequest},
		{400, `{"error":{"message":"filtered","type":null,"code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}`, gateway.FailContentPolicy},
		{400, `{"error":{"message":"flagged","type":"invalid_request_error","code":"invalid_prompt"}}`, gateway.FailContentPolicy},
		{400, `{"error":{"message":"No","type":"invalid_request_error","code":null}}`, gateway.FailBadRequest},
		{404, `{"error":{"message":"No","type":"invalid_request_error","code":"model_not_found"}}`, gateway.FailBadRequest},

		{401, `{"error":{"message":"No","type":"invalid_request_error","code":"invalid_api_key"}}`, gateway.FailAuth},
		{402, `{"error":{"message":"No","code":402}}`, gateway.FailBilling},
		{403, `{"type":"error","error":{"type":"permission_error","message":"No"}}`, gateway.FailAuth},
		{403, `{"error":{"message":"Pay","type":"billing_error"}}`, gateway.FailBilling},
		{403, `{"error":{"code":403,"message":"Your chosen model requires moderation","metadata":{"reasons":["violence"],"flagged_input":"…"}}}`, gateway.FailContentPolicy},
		{402, `{"error":{"code":402,"message":"Too much under way","metadata":{"limit_source":"in_flight_budget"}}}`, gateway.FailRateLimited},
		{400, `{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed","status":"INVALID_ARGUMENT"}}`, gateway.FailContextWindow},
		{529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, gateway.FailOverloaded},
		{500, `{"error":{"message":"Oh","type":"server_error"}}`, gateway.FailServer},
		{503, `<html>`, gateway.FailOverloaded},
		{429, `[{"error":{"code":429,"message":"Resource has been exhausted","status":"RESOURCE_EXHAUSTED"}}]`, gateway.FailRateLimited},
		{429, `[{"error":{"code":"insufficient_quota","message":"No"}}]`, gateway.FailBilling},
	} {
		reply := gateway.NewReply(c.status, nil, strings.NewReader(c.body), -1, nil)
		explain(reply)
		if got := gateway.FailureOf(reply, nil); got != c.want {
			t.Errorf("%d %s is %q, want %q", c.status, c.body, got, c.want)
		}
		if body, err := io.ReadAll(reply.Body); string(body) != c.body || err != nil {
			t.Errorf("the client gets %q, %v; want %q", body, err, c.body)
		}
	}
}

func TestALongErrorIsPassedOnWhole(t *testing.T) {
	long := `{"error":{"code":"insufficient_quota","message":"` + strings.Repeat("x", 2*readFailure) + `"}}`
	reply := gateway.NewReply(429, nil, strings.NewReader(long), int64(len(long)), nil)
	explain(reply)
	if body, err := io.ReadAll(reply.Body); string(body) != long || err != nil {
		t.Errorf("the client gets %d bytes, %v; want %d", len(body), err, len(long))
	}
	broken := errors.New("broken")
	reply = gateway.NewReply(429, nil, io.MultiReader(strings.NewReader("{"), failing{broken}), 10, nil)
	explain(reply)
	if body, err := io.ReadAll(reply.Body); string(body) != "{" || !errors.Is(err, broken) {
		t.Errorf("of an error that breaks off the client gets %q, %v", body, err)
	}
}

func TestGooglesDelayBecomesAHeader(t *testing.T) {
	const body = `{"error":{"code":429,"message":"No","status":"RESOURCE_EXHAUSTED","details":[{"@type":"a"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"12.4s"}]}}`
	for _, text := range []string{body, "[" + body + "]"} {
		reply := gateway.NewReply(429, nil, strings.NewReader(text), -1, nil)
		explain(reply)
		if got := reply.Header.Get("Retry-After"); got != "13" {
			t.Errorf("Retry-After is %q, want 13", got)
		}
	}
	reply := gateway.NewReply(429, map[string][]string{"Retry-After": {"2"}}, strings.NewReader(body), -1, nil)
	explain(reply)
	if got := reply.Header.Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After is %q, and was 2", got)
	}
}
