package provider

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/spanway/spanway/internal/gateway"
)

// mockRequest is what the mock provider reads of a body.
type mockRequest struct {
	Model         string
	Stream        bool
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	N        int
	Messages []struct {
		Role    string
		Content json.RawMessage
	}
	Tools []struct {
		Function struct {
			Name       string
			Parameters json.RawMessage
		}
	}
	ToolChoice     json.RawMessage `json:"tool_choice"`
	ResponseFormat struct {
		Type       string
		JSONSchema struct{ Schema json.RawMessage } `json:"json_schema"`
	} `json:"response_format"`
	Prompt         json.RawMessage
	Input          json.RawMessage
	EncodingFormat string `json:"encoding_format"`
	Dimensions     int
}

type object = map[string]any

// chat answers with a sentence, with what the response format asks for, or with
// a call of the first tool, unless a tool has answered already.
func (r *mockRequest) chat(ctx context.Context, id string) *gateway.Reply {
	text, tool := r.text(), r.tool(id)
	reason := "stop"
	if tool != nil {
		text, reason = "", "tool_calls"
	}
	usage := r.usage(text, tool)
	base := object{"id": id, "created": mockCreated, "model": r.Model, "system_fingerprint": "fp_mock"}
	if !r.Stream {
		message := object{"role": "assistant", "content": text, "refusal": nil}
		if tool != nil {
			message["content"], message["tool_calls"] = nil, []any{tool}
		}
		choices := make([]any, r.choices())
		for i := range choices {
			choices[i] = object{"index": i, "message": message, "logprobs": nil, "finish_reason": reason}
		}
		return r.whole(ctx, with(base, object{"object": "chat.completion", "choices": choices, "usage": usage}))
	}
	var events []any
	event := func(index int, delta object, reason any) {
		choice := object{"index": index, "delta": delta, "logprobs": nil, "finish_reason": reason}
		events = append(events, with(base, object{"object": "chat.completion.chunk", "choices": []any{choice}}))
	}
	for i := range r.choices() {
		event(i, object{"role": "assistant", "content": ""}, nil)
		for _, word := range strings.SplitAfter(text, " ") {
			if word != "" {
				event(i, object{"content": word}, nil)
			}
		}
		for _, delta := range toolDeltas(tool) {
			event(i, delta, nil)
		}
		event(i, object{}, reason)
	}
	if r.StreamOptions.IncludeUsage {
		for _, e := range events {
			e.(object)["usage"] = nil
		}
		events = append(events, with(base, object{"object": "chat.completion.chunk", "choices": []any{}, "usage": usage}))
	}
	return r.events(ctx, events)
}

// completion answers the older kind of request.
func (r *mockRequest) completion(ctx context.Context, id string) *gateway.Reply {
	text := sentence(words(r.Prompt))
	base := object{"id": id, "object": "text_completion", "created": mockCreated, "model": r.Model}
	choice := func(text string, reason any) object {
		return object{"choices": []any{object{"index": 0, "text": text, "logprobs": nil, "finish_reason": reason}}}
	}
	if !r.Stream {
		return r.whole(ctx, with(base, choice(text, "stop"), object{"usage": r.usage(text, nil)}))
	}
	var events []any
	for _, word := range strings.SplitAfter(text, " ") {
		events = append(events, with(base, choice(word, nil)))
	}
	events = append(events, with(base, choice("", "stop")))
	if r.StreamOptions.IncludeUsage {
		events = append(events, with(base, object{"choices": []any{}, "usage": r.usage(text, nil)}))
	}
	return r.events(ctx, events)
}

// whole gives an answer at once, unless its model is named for something else.
func (r *mockRequest) whole(ctx context.Context, answer object) *gateway.Reply {
	reply := mockJSON(http.StatusOK, answer)
	body, _ := json.Marshal(answer) // as in mockJSON
	switch r.Model {
	case "mock-slow":
		reply.Body = &pieces{ctx, []piece{{time.Second, body, nil}}}
	case "mock-cut":
		reply.Body = &pieces{ctx, []piece{{0, body[:len(body)/2], nil}, {0, nil, errCut}}}
	case "mock-error":
		return mockError(http.StatusInternalServerError, "server_error", "server_error", midway)
	}
	return reply
}

const midway = "The mock provider failed midway, as it was asked to."

var errCut = gateway.Errorf(gateway.UpstreamFailed, "the mock provider broke off, as it was asked to")

// events streams an answer: a short wait, then an event every 10 ms.
func (r *mockRequest) events(ctx context.Context, events []any) *gateway.Reply {
	first, step := 20*time.Millisecond, 10*time.Millisecond
	if r.Model == "mock-slow" {
		first, step = time.Second, time.Second
	}
	left := make([]piece, 0, len(events)+1)
	for i, e := range events {
		wait := step
		if i == 0 {
			wait = first
		}
		if i == len(events)/2 && r.Model == "mock-error" {
			left = append(left, piece{wait, sse(mockFailure("server_error", "server_error", midway)), nil})
			break
		}
		if i == len(events)/2 && r.Model == "mock-cut" {
			break
		}
		left = append(left, piece{wait, sse(e), nil})
	}
	if r.Model != "mock-error" && r.Model != "mock-cut" {
		left = append(left, piece{0, []byte("data: [DONE]\n\n"), nil})
	}
	header := http.Header{"Content-Type": {"text/event-stream; charset=utf-8"}}
	return gateway.NewReply(http.StatusOK, header, &pieces{ctx, left}, -1, nil)
}

func sse(v any) []byte {
	body, _ := json.Marshal(v) // as in mockJSON
	return append(append([]byte("data: "), body...), "\n\n"...)
}

func (r *mockRequest) choices() int { return min(max(r.N, 1), 16) }

// text is what the mock says: JSON where that is asked for.
func (r *mockRequest) text() string {
	switch r.ResponseFormat.Type {
	case "json_schema":
		return fill(r.ResponseFormat.JSONSchema.Schema)
	case "json_object":
		return `{"answer":"Hello from Spanway's mock provider."}`
	}
	said := ""
	for _, m := range r.Messages {
		if m.Role == "user" {
			said = words(m.Content)
		}
	}
	return sentence(said)
}

func sentence(said string) string {
	return "Hello from Spanway's mock provider. You said: " + cmp.Or(said, "nothing")
}

// tool is the call of the first tool; nil where none is to be called.
func (r *mockRequest) tool(id string) object {
	if len(r.Tools) == 0 || string(r.ToolChoice) == `"none"` {
		return nil
	}
	for _, m := range r.Messages {
		if m.Role == "tool" {
			return nil
		}
	}
	f := r.Tools[0].Function
	return object{
		"id": strings.Replace(id, "chatcmpl-", "call_", 1), "type": "function",
		"function": object{"name": f.Name, "arguments": fill(f.Parameters)},
	}
}

// toolDeltas cuts a tool call as OpenAI does: its name first, then pieces of
// its arguments.
func toolDeltas(tool object) []object {
	if tool == nil {
		return nil
	}
	function := tool["function"].(object)
	arguments := function["arguments"].(string)
	head := with(tool, object{"index": 0, "function": object{"name": function["name"], "arguments": ""}})
	deltas := []object{{"tool_calls": []any{head}}}
	for len(arguments) > 0 {
		n := min(len(arguments), 8)
		part := object{"index": 0, "function": object{"arguments": arguments[:n]}}
		deltas, arguments = append(deltas, object{"tool_calls": []any{part}}), arguments[n:]
	}
	return deltas
}

// usage counts words for tokens.
func (r *mockRequest) usage(text string, tool object) object {
	in := len(strings.Fields(words(r.Prompt))) + len(strings.Fields(words(r.Input)))
	for _, m := range r.Messages {
		in += len(strings.Fields(words(m.Content)))
	}
	out := len(strings.Fields(text)) * r.choices()
	if tool != nil {
		out = 1
	}
	return object{
		"prompt_tokens": in, "completion_tokens": out, "total_tokens": in + out,
		"prompt_tokens_details":     object{"cached_tokens": 0},
		"completion_tokens_details": object{"reasoning_tokens": 0},
	}
}

// words finds the text in a content, a prompt or an input: a string, or a list
// of strings, or of parts with a text.
func words(raw json.RawMessage) string {
	if len(bytes.TrimSpace(raw)) == 0 {
		return ""
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return one
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return ""
	}
	var texts []string
	for _, element := range list {
		var part struct{ Text string }
		if json.Unmarshal(element, &one) == nil {
			texts = append(texts, one)
		} else if json.Unmarshal(element, &part) == nil && part.Text != "" {
			texts = append(texts, part.Text)
		}
	}
	return strings.Join(texts, " ")
}

// with returns one object with the members of all.
func with(objects ...object) object {
	all := object{}
	for _, o := range objects {
		maps.Copy(all, o)
	}
	return all
}
