package llm

import (
	"fmt"
	"reflect"
	"testing"
)

func TestScanAnswer(t *testing.T) {
	tests := []struct {
		name, body string
		want       Answer
		failed     string
	}{
		{"a chat", `{"id":"chatcmpl-1","model":"gpt-5-2026-01","choices":[{"index":0,"message":{"role":"assistant","content":"{\"usage\":1}"},"finish_reason":"stop"},` +
			`{"index":1,"finish_reason":"made_up"}],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18,` +
			`"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":3,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":2}}}`,
			Answer{ID: "chatcmpl-1", Model: "gpt-5-2026-01", FinishReasons: []string{"stop", "made_up"}, Usage: Usage{true, 11, 7, 4, 3, 2}}, ""},
		{"embeddings", `{"object":"list","data":[{"embedding":[0.1]}],"model":"embed","usage":{"prompt_tokens":8,"total_tokens":8}}`,
			Answer{Model: "embed", Usage: Usage{Known: true, Input: 8}}, ""},
		{"a count of nothing is known", `{"usage":{"prompt_tokens":0,"completion_tokens":0}}`, Answer{Usage: Usage{Known: true}}, ""},
		{"no usage is not known", `{"usage":null,"id":"a"}`, Answer{ID: "a"}, ""},
		{"an empty usage is not known", `{"usage":{}}`, Answer{}, ""},
		{"counts that are none", `{"usage":{"prompt_tokens":-5,"completion_tokens":1.5,"completion_tokens_details":{"reasoning_tokens":"9"}}}`, Answer{}, ""},
		{"an error", `{"error":{"message":"No \"credits\"","type":"insufficient_quota","param":null,"code":402}}`, Answer{}, `402 the provider failed: insufficient_quota: 402: No "credits"`},
		{"an error that is a sentence", `{"error":"overloaded"}`, Answer{}, "502 the provider failed: overloaded"},
		{"an error that says nothing", `{"error":null,"id":"a"}`, Answer{ID: "a"}, ""},
		{"no object", `["error"]`, Answer{}, ""},
		{"no JSON", `<html>"error":{"message":"x"}`, Answer{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, failure := ScanAnswer([]byte(tt.body))
			got.begun, got.ended = choices{}, choices{}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			failed := ""
			if failure != nil {
				failed = fmt.Sprint(failure.Status(), " ", failure)
				if string(failure.Body) != tt.body {
					t.Errorf("the failure's body is %s", failure.Body)
				}
			}
			if failed != tt.failed {
				t.Errorf("failed: %q, want %q", failed, tt.failed)
			}
		})
	}
}

func TestWhichChunksCarryAnAnswer(t *testing.T) {
	for choice, want := range map[string]bool{
		`{"delta":{"role":"assistant"}}`:                               false,
		`{"delta":{"role":"assistant","content":""}}`:                  false,
		`{"delta":{"role":"assistant","content":null,"refusal":null}}`: false,
		`{"delta":{"tool_calls":[]},"finish_reason":null}`:             false,
		`{"delta":{},"logprobs":{"content":[1]}}`:                      false,
		`{"text":"","finish_reason":null}`:                             false,
		`{"delta":{"content":"a"}}`:                                    true,
		`{"delta":{"content":" "}}`:                                    true,
		`{"delta":{"tool_calls":[{"index":0}]}}`:                       true,
		`{"delta":{"function_call":{"name":"f"}}}`:                     true,
		`{"delta":{"refusal":"No"}}`:                                   true,
		`{"delta":{"reasoning_content":"Hm"}}`:                         true,
		`{"delta":{},"finish_reason":"stop"}`:                          true,
		`{"text":"a"}`:                                                 true,
	} {
		var a Answer
		got := a.Chunk([]byte(`{"id":"a","choices":[` + choice + `],"usage":null}`))
		if got.Semantic != want || got.Done || got.Failure != nil {
			t.Errorf("%s: got %+v, want %v", choice, got, want)
		}
	}
}

func TestAnswersAreFinishedWhenAllChoicesAre(t *testing.T) {
	var a Answer
	f := func(data string, asked int64, want bool) {
		t.Helper()
		a.Chunk([]byte(data))
		if got := a.Finished(asked); got != want {
			t.Errorf("after %s: got %v, want %v", data, got, want)
		}
	}
	f(`{"choices":[{"index":0,"delta":{"content":"a"}}]}`, 0, false)
	f(`{"choices":[{"index":0,"finish_reason":"stop"}]}`, 0, true)
	f(`{"choices":[]}`, 2, false)
	f(`{"choices":[{"index":1,"delta":{"content":"a"}}]}`, 0, false)
	f(`{"choices":[{"index":1,"finish_reason":"stop"},{"index":0,"finish_reason":"stop"}]}`, 2, true)
	f(`{"choices":[{"index":-1},{"index":128},{"index":99999999999999999999}]}`, 2, true)
	if want := []string{"stop", "stop"}; !reflect.DeepEqual(a.FinishReasons, want) {
		t.Errorf("ended by %q", a.FinishReasons)
	}
}

func TestTail(t *testing.T) {
	for tail, want := range map[string]Answer{
		`.1]}],"model":"embed","usage":{"prompt_tokens":8}}`:                 {Model: "embed", Usage: Usage{Known: true, Input: 8}},
		`"x\"usage\":{\"prompt_tokens\":9}"},"usage" : {"prompt_tokens":8}}`: {Usage: Usage{Known: true, Input: 8}},
		`\"usage\":{\"prompt_tokens\":9}`:                                    {},
		`"usage"`:                                                            {},
		`"usage":`:                                                           {},
		`"model":"cut`:                                                       {},
		``:                                                                   {},
	} {
		var a Answer
		a.Tail([]byte(tail))
		if !reflect.DeepEqual(a, want) {
			t.Errorf("%s: got %+v, want %+v", tail, a, want)
		}
	}
}

func TestFailureStatus(t *testing.T) {
	for want, failures := range map[int][]Failure{
		429: {{Code: "429"}, {Code: "rate_limit_exceeded", Type: "requests"}, {Code: "insufficient_quota"}, {Type: "rate_limit_error"}},
		404: {{Code: "model_not_found", Type: "invalid_request_error"}},
		400: {{Type: "invalid_request_error"}, {Code: "context_length_exceeded"}},
		502: {{}, {Code: "200"}, {Code: "1000"}, {Code: "strange"}, {Message: "rate_limit_exceeded"}},
		500: {{Code: "server_error"}},
	} {
		for _, f := range failures {
			if got := f.Status(); got != want {
				t.Errorf("%+v: got %d, want %d", f, got, want)
			}
		}
	}
}
