package llm

import (
	"errors"
	"reflect"
	"testing"
)

func TestScanMessages(t *testing.T) {
	half := 0.5
	r, err := Scan(Anthropic, Chat, []byte(`{"system":"{\"model\":\"x\"}","model":"claude","max_tokens":64,"stream":true,"temperature":0.5,"top_p":0.5,"n":"free","stream_options":7,"metadata":{"model":"y"}}`))
	want := &Request{Model: "claude", Stream: true, MaxTokens: 64, Temperature: &half, TopP: &half}
	if err == nil {
		r.modelAt, r.modelEnd, r.usage = 0, 0, usageAsked{}
	}
	if err != nil || !reflect.DeepEqual(r, want) {
		t.Errorf("got %+v, %v", r, err)
	}
	if r, err := Scan(Anthropic, CountTokens, []byte(`{"model":"claude","stream":true}`)); err != nil || r.Stream {
		t.Errorf("a count is no stream: got %+v, %v", r, err)
	}
	for body, param := range map[string]string{
		`{"model":"a","Model":"b"}`:                   "model",
		`{"model":"a","max_tokens":1,"max_tokens":9}`: "max_tokens",
		`{"model":"a","Max_Tokens":9}`:                "max_tokens",
		`{"model":"a","stream":"true"}`:               "stream",
		`{"model":"a","max_tokens":1.5}`:              "max_tokens",
		`{"max_tokens":1}`:                            "model",
	} {
		_, err := Scan(Anthropic, Chat, []byte(body))
		if field, ok := errors.AsType[*FieldError](err); !ok || field.Param != param {
			t.Errorf("%s: got %v, want a complaint of %s", body, err, param)
		}
	}
}

// learn reads events one after the other.
func learn(events ...string) (a Answer, chunks []Chunk) {
	for _, event := range events {
		chunks = append(chunks, a.MessageEvent([]byte(event)))
	}
	return a, chunks
}

const messageStart = `{"type":"message_start","message":{"id":"msg_1","model":"claude-1","stop_reason":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":5,"cache_read_input_tokens":100,"output_tokens":1}}}`

func TestWhichEventsOfAMessageAreAPartOfTheAnswer(t *testing.T) {
	for event, want := range map[string]Chunk{
		messageStart:      {},
		`{"type":"ping"}`: {},
		`{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"x","name":"f","input":{}}}`: {},
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""}}`:                            {},
		`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":""}}`:              {},
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}`:                           {Semantic: true},
		`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"a"}}`:                   {Semantic: true},
		`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{"}}`:             {Semantic: true},
		`{"type":"content_block_stop","index":0}`:                                                                     {},
		`{"type":"message_delta","delta":{},"usage":{"output_tokens":7}}`:                                             {},
		`{"type":"message_delta","delta":{"stop_reason":"refusal"},"usage":{}}`:                                       {Semantic: true},
		`{"type":"message_stop"}`: {Done: true},
		`{"type":"weather"}`:      {},
		`{"type":7}`:              {},
		`[]`:                      {},
		``:                        {},
	} {
		if _, got := learn(event); got[0] != want {
			t.Errorf("%s: got %+v, want %+v", event, got[0], want)
		}
	}
	_, got := learn(`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`)
	if f := got[0].Failure; f == nil || f.Type != "overloaded_error" || f.Status() != 503 {
		t.Errorf("an error: got %+v", f)
	}
}

func TestTheUsageOfAMessageComesInPieces(t *testing.T) {
	a, _ := learn(messageStart,
		`{"type":"message_delta","delta":{},"usage":{"output_tokens":4}}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9,"cache_read_input_tokens":120}}`)
	want := Usage{Known: true, Input: 128, Output: 9, CacheRead: 120, CacheWrite: 5}
	if a.Usage != want || a.ID != "msg_1" || a.Model != "claude-1" || !reflect.DeepEqual(a.FinishReasons, []string{"end_turn"}) {
		t.Errorf("learned %+v", a)
	}
	a, _ = learn(`{"type":"message_delta","usage":{"input_tokens":9223372036854775807,"cache_read_input_tokens":9223372036854775807,"output_tokens":-1}}`)
	if a.Usage.Input != 9223372036854775807 || a.Usage.Output != 0 {
		t.Errorf("counts that cannot be: %+v", a.Usage)
	}
}

func TestScanMessage(t *testing.T) {
	a, failure := ScanMessage([]byte(` {"type":"message","id":"msg_1","model":"claude-1","content":[{"type":"text","text":"\"usage\":{}"}],"stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":7}}`))
	want := Answer{ID: "msg_1", Model: "claude-1", FinishReasons: []string{"tool_use"}, Usage: Usage{Known: true, Input: 3, Output: 7}}
	if failure != nil || !reflect.DeepEqual(a, want) {
		t.Errorf("got %+v, %v", a, failure)
	}
	if _, failure := ScanMessage([]byte(`{"type":"error","error":{"type":"not_found_error","message":"x"}}`)); failure == nil || failure.Status() != 404 {
		t.Errorf("an error: got %v", failure)
	}
	if a, failure := ScanMessage([]byte(`[`)); failure != nil || a.ID != "" {
		t.Errorf("no message: got %+v, %v", a, failure)
	}
}
