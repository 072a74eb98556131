package provider

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

func TestAProvidersErrorIsToldInTheCallersDialect(t *testing.T) {
	anthropicSays := func(kind, message string) string {
		return fmt.Sprintf(`{"type":"error","error":{"type":%q,"message":%q},"request_id":"req_1"}`, kind, message)
	}
	for _, tt := range []struct {
		name, caller string
		speaks       llm.Dialect
		status       int
		body, want   string
	}{
		{"an unknown model", "openai", llm.Anthropic, 404, anthropicSays("not_found_error", "model: x"), `404 {"error":{"message":"not_found_error: model: x","type":"invalid_request_error","param":null,"code":"model_not_found"}}`},
		{"a key", "openai", llm.Anthropic, 401, anthropicSays("authentication_error", "no"), `401 {"error":{"message":"no","type":"authentication_error","param":null,"code":"invalid_api_key"}}`},
		{"too many requests", "openai", llm.Anthropic, 429, anthropicSays("rate_limit_error", "slow"), `429 {"error":{"message":"slow","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}`},
		{"no room", "openai", llm.Anthropic, 529, anthropicSays("overloaded_error", "no"), `503 {"error":{"message":"overloaded_error: no","type":"server_error","param":null,"code":"overloaded"}}`},
		{"a prompt that is too long", "openai", llm.Anthropic, 400, anthropicSays("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"), `400 {"error":{"message":"prompt is too long: 9 tokens \u003e 8 maximum","type":"invalid_request_error","param":null,"code":"context_length_exceeded"}}`},
		{"a page", "openai", llm.Anthropic, 502, `<html>`, `502 {"error":{"message":"the provider answered with status 502","type":"api_error","param":null,"code":"api_error"}}`},
		{"nothing", "anthropic", llm.OpenAI, 500, ``, `500 {"type":"error","error":{"type":"api_error","message":"the provider answered with status 500"}}`},
		{"an unknown model, the other way", "anthropic", llm.OpenAI, 404, `{"error":{"message":"x","type":"invalid_request_error","param":"model","code":"model_not_found"}}`, `404 {"type":"error","error":{"type":"not_found_error","message":"x","code":"model_not_found"}}`},
		{"no room, the other way", "anthropic", llm.OpenAI, 503, `{"error":{"message":"x"}}`, `503 {"type":"error","error":{"type":"overloaded_error","message":"x"}}`},
		{"money", "anthropic", llm.OpenAI, 402, `{"error":{"message":"x","code":402}}`, `402 {"type":"error","error":{"type":"billing_error","message":"x","code":"402"}}`},
		{"a body that is too large", "anthropic", llm.OpenAI, 413, `{"error":"x"}`, `413 {"type":"error","error":{"type":"request_too_large","message":"x"}}`},
		{"a list, as Gemini sends it", "anthropic", llm.OpenAI, 429, `[{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}]`, `429 {"type":"error","error":{"type":"rate_limit_error","message":"slow","code":"429"}}`},
		{"in the same dialect the bytes pass", "anthropic", llm.Anthropic, 529, anthropicSays("overloaded_error", "no"), `529 ` + anthropicSays("overloaded_error", "no")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sender := says(tt.status, "application/json", int64(len(tt.body)), strings.NewReader(tt.body))
			reply, err := New(gateway.Target{}, Settings{Dialect: tt.speaks}, sender).Handle(t.Context(), asks(t, byWord[tt.caller], llm.Chat, asking[tt.caller]))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(reply.Body)
			if got := fmt.Sprintf("%d %s", reply.Status, body); got != tt.want || err != nil || int64(len(body)) != reply.Length {
				t.Errorf("got\n%s, %v\nwant\n%s", got, err, tt.want)
			}
		})
	}
}

func TestAnErrorThatBreaksOffIsAnErrorOfTheGateway(t *testing.T) {
	body := io.MultiReader(strings.NewReader(`{"error"`), iotest.ErrReader(errors.New("reset")))
	_, err := New(gateway.Target{}, Settings{Dialect: llm.Anthropic}, says(500, "application/json", -1, body)).Handle(t.Context(), asks(t, OpenAI, llm.Chat, asking["openai"]))
	if err == nil || gateway.AsError(err).Code != gateway.UpstreamFailed {
		t.Errorf("got %v", err)
	}
}

func TestAnAnswerIsNotReadWithoutEnd(t *testing.T) {
	endless := io.MultiReader(strings.NewReader(`{"x":"`), endlessly('a'))
	_, err := New(gateway.Target{}, Settings{Dialect: llm.Anthropic}, says(200, "application/json", -1, endless)).Handle(t.Context(), asks(t, OpenAI, llm.Chat, asking["openai"]))
	if err == nil || gateway.AsError(err).Code != gateway.UpstreamFailed {
		t.Errorf("got %v", err)
	}
}

type endlessly byte

func (e endlessly) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

// What a caller says of versions and betas is about its own dialect.
func TestHeadersOfADialectStayInIt(t *testing.T) {
	header := http.Header{
		"Anthropic-Version": {"2024-01-01"}, "Anthropic-Beta": {"b-1", "b-2"}, "Openai-Beta": {"assistants=v2"}, "User-Agent": {"x"},
	}
	for _, tt := range []struct {
		caller string
		speaks llm.Dialect
		want   map[string]string
	}{
		{"anthropic", llm.Anthropic, map[string]string{"Anthropic-Version": "2024-01-01", "Anthropic-Beta": "b-1,b-2", "Openai-Beta": ""}},
		{"openai", llm.Anthropic, map[string]string{"Anthropic-Version": "2023-06-01", "Anthropic-Beta": "", "Openai-Beta": ""}},
		{"anthropic", llm.OpenAI, map[string]string{"Anthropic-Version": "", "Anthropic-Beta": ""}},
		{"openai", llm.OpenAI, map[string]string{"Anthropic-Version": "", "Anthropic-Beta": "", "Openai-Beta": "assistants=v2"}},
	} {
		var put *gateway.Call
		call := asks(t, byWord[tt.caller], llm.Chat, asking[tt.caller])
		call.Header = header.Clone()
		_, _ = New(gateway.Target{}, Settings{Dialect: tt.speaks}, sent(&put)).Handle(t.Context(), call) // the answer makes no sense
		for name, want := range tt.want {
			if got := strings.Join(put.Header[name], ","); got != want {
				t.Errorf("%s to %s: %s is %q, want %q", tt.caller, tt.speaks, name, got, want)
			}
		}
		if put.Header.Get("User-Agent") != "x" || put.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s to %s: got %v", tt.caller, tt.speaks, put.Header)
		}
	}
}

func TestACountIsGuessedWhereNobodyCounts(t *testing.T) {
	const text = `"messages":[{"role":"user","content":"` // and so many bytes
	count := func(body string) string {
		call := asks(t, Anthropic, llm.CountTokens, body)
		reply, err := New(gateway.Target{}, Settings{Dialect: llm.OpenAI}, nil).Handle(t.Context(), call)
		if err != nil {
			return err.Error()
		}
		got, _ := io.ReadAll(reply.Body)
		return string(got)
	}
	for body, want := range map[string]string{
		`{"model":"m",` + text + strings.Repeat("abcd", 100) + `"}]}`:                                               `{"input_tokens":104}`,
		`{"model":"m","system":"abcd",` + text + `abcd"}]}`:                                                         `{"input_tokens":10}`,
		`{"model":"m","tools":[{"name":"abcd","description":"abcd","input_schema":{"a":12}}],` + text + `abcd"}]}`:  `{"input_tokens":9}`,
		`{"model":"m","messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"x"}}]}]}`: `{"input_tokens":1504}`,
		`{"model":"m"}`: `"messages" is missing`,
	} {
		if got := count(body); got != want {
			t.Errorf("%.60s: got %s, want %s", body, got, want)
		}
	}
}
