package llm

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const responsesUsage = `"usage":{"input_tokens":11,"input_tokens_details":{"cached_tokens":4},"output_tokens":7,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":18}`

func TestResponsesEvent(t *testing.T) {
	tests := []struct {
		name, data string
		want       string
	}{
		{"the answer has begun and says nothing", `{"type":"response.created","response":{"id":"resp_1","model":"gpt-5","status":"in_progress","error":null,"output":[]}}`, "resp_1 gpt-5"},
		{"it is under way", `{"type":"response.in_progress","response":{"id":"resp_1","model":"gpt-5","status":"in_progress"}}`, "resp_1 gpt-5"},
		{"a message is announced", `{"type":"response.output_item.added","item":{"type":"message","content":[]}}`, ""},
		{"thoughts are announced", `{"type":"response.output_item.added","item":{"id":"rs_1","type":"reasoning","summary":[]}}`, ""},
		{"a call begins", `{"type":"response.output_item.added","item":{"type":"function_call","name":"f"}}`, "semantic"},
		{"a hosted tool begins", `{"type":"response.output_item.added","item":{"type":"web_search_call"}}`, "semantic"},
		{"a call has ended, which was told before", `{"type":"response.output_item.done","item":{"type":"function_call","name":"f"}}`, ""},
		{"a piece of text", `{"type":"response.output_text.delta","delta":"Hi"}`, "semantic"},
		{"an empty piece", `{"type":"response.output_text.delta","delta":""}`, ""},
		{"a piece of a thought", `{"type":"response.reasoning_summary_text.delta","delta":"So"}`, "semantic"},
		{"a piece of a refusal", `{"delta":"No","type":"response.refusal.delta"}`, "semantic"},
		{"an unknown event", `{"type":"response.hum","hum":1}`, ""},
		{"no JSON", `hello`, ""},
		{"half of an event", `{"type":"response.output_text.del`, ""},
		{"the end mark of a chat", `[DONE]`, "done"},
		{"the end", `{"type":"response.completed","response":{"id":"resp_1","model":"gpt-5","status":"completed","output":[{"type":"message"}],` + responsesUsage + `}}`,
			"done resp_1 gpt-5 [stop] 11 4 7 2"},
		{"the end, with a call", `{"type":"response.completed","response":{"status":"completed","output":[{"type":"reasoning"},{"name":"f","type":"function_call"}]}}`, "done [tool_calls]"},
		{"the end, too early", `{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}}`, "done [length]"},
		{"the end, by a filter", `{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"content_filter"}}}`, "done [content_filter]"},
		{"a failure", `{"type":"response.failed","response":{"id":"resp_1","status":"failed","error":{"code":"rate_limit_exceeded","message":"slow"}}}`,
			`failed 429 slow {"error":{"code":"rate_limit_exceeded","message":"slow"}} resp_1`},
		{"a failure without a reason", `{"type":"response.failed","response":{"status":"failed","error":null}}`, `failed 502 the response has failed {"error":{"message":"the response has failed"}}`},
		{"an error as the schema has it", `{"type":"error","code":"insufficient_quota","message":"pay","param":null}`,
			`failed 429 pay {"error":{"type":"error","code":"insufficient_quota","message":"pay","param":null}}`},
		{"an error as it is sent", `{"type":"error","sequence_number":2,"error":{"type":"server_error","code":null,"message":"oh"}}`,
			`failed 500 oh {"error":{"type":"server_error","code":null,"message":"oh"}}`},
		{"an error as in a chat", `{"error":{"message":"no","code":401}}`, `failed 401 no {"error":{"message":"no","code":401}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var a Answer
			if got := strings.Join(strings.Fields(chunkText(a.ResponsesEvent([]byte(tt.data)))+answerText(&a)), " "); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func chunkText(c Chunk) (text string) {
	if c.Semantic {
		text += "semantic "
	}
	if c.Done {
		text += "done "
	}
	if f := c.Failure; f != nil {
		text += fmt.Sprintf("failed %d %s %s ", f.Status(), f.Message, f.Body)
	}
	return text
}

func answerText(a *Answer) (text string) {
	text = strings.TrimSpace(a.ID+" "+a.Model) + " "
	if a.FinishReasons != nil {
		text += fmt.Sprint(a.FinishReasons)
	}
	if u := a.Usage; u.Known {
		text += fmt.Sprint(" ", u.Input, u.CacheRead, u.Output, u.Reasoning)
	}
	return text
}

func TestScanResponse(t *testing.T) {
	a, failed := ScanResponse([]byte(` {"id":"resp_1","object":"response","status":"completed","error":null,"model":"gpt-5","output":[],` + responsesUsage + `}`))
	if got := answerText(&a); failed != nil || got != "resp_1 gpt-5 [stop] 11 4 7 2" {
		t.Errorf("got %s, %v", got, failed)
	}
	_, failed = ScanResponse([]byte(`{"error":{"message":"no such model","type":"invalid_request_error","code":"model_not_found"}}`))
	if failed == nil || failed.Status() != 404 || failed.Message != "no such model" {
		t.Errorf("got %v", failed)
	}
	if a, failed := ScanResponse([]byte(`[]`)); failed != nil || a.ID != "" {
		t.Errorf("got %v, %v", a, failed)
	}
}

// Of a Response too large to be read whole, the usage stands in its end.
func TestTailOfAResponse(t *testing.T) {
	var a Answer
	a.Tail([]byte(`AAAA"}],"tools":[],` + responsesUsage + `,"user":null,"metadata":{}}`))
	if a.Usage != (Usage{Known: true, Input: 11, Output: 7, CacheRead: 4, Reasoning: 2}) {
		t.Errorf("got %+v", a.Usage)
	}
}

// What was authorised of a Responses request is what it says.
func TestScanResponsesRequest(t *testing.T) {
	r, err := Scan(Responses, Chat, []byte(`{"model":"m","input":"x","stream":true,"max_output_tokens":9,"temperature":0.5,"n":7}`))
	if err != nil || r.Model != "m" || !r.Stream || r.MaxTokens != 9 || *r.Temperature != 0.5 || r.Choices != 0 {
		t.Errorf("got %+v, %v", r, err)
	}
	if _, err := Scan(Responses, Chat, []byte(`{"model":"m","Max_output_tokens":9}`)); err == nil {
		t.Error("another spelling passed")
	}
}

// An event of any kind whatever is read without panic, and a failure's body is
// what a client can read.
func FuzzResponsesEvent(f *testing.F) {
	for _, data := range []string{
		`{"type":"response.completed","response":{"status":"completed","output":[{"type":"function_call"}],"usage":{"input_tokens":1}}}`,
		`{"type":"error","error":{"message":"\u00e9"}}`, `{"type":"error"`, `{"type":"response.failed","response":{"error":"x"}}`, `{"error":{}}`, `{"response":`,
	} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var a Answer
		c := a.ResponsesEvent(data)
		if c.Failure != nil && json.Valid(data) && !json.Valid(c.Failure.Body) {
			t.Errorf("%q: the failure's body is %q", data, c.Failure.Body)
		}
		_, _ = ScanResponse(data)
	})
}

const responsesDelta = `{"type":"response.output_text.delta","sequence_number":17,"item_id":"msg_68af4030592c81938ec0a5fbab4a3e9f05438e46b5f69a3b","output_index":0,"content_index":0,` +
	`"delta":" there","logprobs":[],"obfuscation":"x8Kq2LwPz1"}`

func BenchmarkResponsesDelta(b *testing.B) {
	data := []byte(responsesDelta)
	var a Answer
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if !a.ResponsesEvent(data).Semantic {
			b.Fatal("no token was found")
		}
	}
}
