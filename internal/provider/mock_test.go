package provider

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// mocked asks the mock through the dialect, as a caller's chat does.
func mocked(t *testing.T, op llm.Operation, body string) (status int, answer string, attempt *gateway.Attempt, err error) {
	t.Helper()
	call := chatCall(t, op, body)
	reply, err := newOpenAI(gateway.Target{}, NewMock()).Handle(t.Context(), call)
	if err != nil {
		return 0, "", call.Attempt, err
	}
	defer reply.Close()
	if reply.Header.Get("X-Spanway-Mock") != "true" {
		t.Error("the mock does not say that it is one")
	}
	text, err := io.ReadAll(reply.Body)
	return reply.Status, string(text), call.Attempt, err
}

func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

type completion struct {
	Object  string
	Choices []struct {
		Index   int
		Text    string
		Message struct {
			Content   *string
			ToolCalls []struct {
				ID       string
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
		FinishReason string `json:"finish_reason"`
	}
}

func TestTheMockIsDeterministic(t *testing.T) {
	for op, body := range map[llm.Operation]string{
		llm.Chat:       `{"model":"a","messages":[{"role":"user","content":"Hi"}],"stream":true,"stream_options":{"include_usage":true}}`,
		llm.Completion: `{"model":"a","prompt":"Hi"}`,
		llm.Embeddings: `{"model":"a","input":["Hi","there"]}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			_, first, _, err := mocked(t, op, body)
			_, second, _, _ := mocked(t, op, body)
			if err != nil || first == "" || first != second {
				t.Errorf("%s: got\n%s\nthen\n%s\n%v", op, first, second, err)
			}
		})
	}
}

func TestTheMockChats(t *testing.T) {
	status, text, attempt, err := mocked(t, llm.Chat, `{"model":"a","n":2,"messages":[{"role":"system","content":"Be kind"},{"role":"user","content":[{"type":"text","text":"How are you?"}]}]}`)
	got := decode[completion](t, text)
	if err != nil || status != 200 || len(got.Choices) != 2 {
		t.Fatalf("got %d %s %v", status, text, err)
	}
	if said := *got.Choices[1].Message.Content; said != "Hello from Spanway's mock provider. You said: How are you?" {
		t.Errorf("said %q", said)
	}
	if u := attempt.Answer.Usage; u.Input != 5 || u.Output != 20 || attempt.ServerAddress != "mock" || attempt.Status != 200 {
		t.Errorf("learned %+v", attempt)
	}
}

func TestTheMockStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, text, attempt, err := mocked(t, llm.Chat, `{"model":"a","messages":[{"role":"user","content":"Hi"}],"stream":true,"stream_options":{"include_usage":true}}`)
		if err != nil || !strings.HasSuffix(text, "data: [DONE]\n\n") {
			t.Fatalf("got %s %v", text, err)
		}
		s := attempt.Stream
		if s.Chunks != 9 || s.First.Sub(start) != 30*time.Millisecond || s.MaxGap != 10*time.Millisecond || s.Outcome != gateway.Complete {
			t.Errorf("learned %+v", s)
		}
		if u := attempt.Answer.Usage; u.Input != 1 || u.Output != 8 {
			t.Errorf("counted %+v", u)
		}
		_, text, _, _ = mocked(t, llm.Chat, `{"model":"a","messages":[],"stream":true}`)
		if strings.Contains(text, `"usage":{`) {
			t.Error("the usage was not asked for")
		}
		_, text, attempt, err = mocked(t, llm.Completion, `{"model":"a","prompt":"Hi","stream":true}`)
		if err != nil || !strings.Contains(text, `"text":"Hi"`) || attempt.Stream.Outcome != gateway.Complete {
			t.Errorf("a completion: got %s %v", text, err)
		}
	})
}

const weather = `{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":9},"unit":{"enum":["C","F"]},` +
	`"more":{"anyOf":[{"$ref":"#/$defs/more"},{"type":"null"}]}},"$defs":{"more":{"type":"array","items":{"type":"boolean"},"minItems":2}}}`

const filled = `{"city":"mock","days":9,"unit":"C","more":[true,true]}`

func TestTheMockCallsTools(t *testing.T) {
	const tools = `"tools":[{"type":"function","function":{"name":"weather","parameters":` + weather + `}}]`
	_, text, _, err := mocked(t, llm.Chat, `{"model":"a","messages":[{"role":"user","content":"Hi"}],`+tools+`}`)
	got := decode[completion](t, text).Choices
	if err != nil || got[0].FinishReason != "tool_calls" || got[0].Message.Content != nil {
		t.Fatalf("got %s %v", text, err)
	}
	if f := got[0].Message.ToolCalls[0].Function; f.Name != "weather" || f.Arguments != filled {
		t.Errorf("called %+v", f)
	}
	_, text, _, _ = mocked(t, llm.Chat, `{"model":"a","messages":[{"role":"user","content":"Hi"},{"role":"tool","content":"sunny"}],`+tools+`}`)
	if decode[completion](t, text).Choices[0].FinishReason != "stop" {
		t.Errorf("a tool that has answered was called again: %s", text)
	}
	synctest.Test(t, func(t *testing.T) {
		_, text, attempt, err := mocked(t, llm.Chat, `{"model":"a","messages":[],"stream":true,`+tools+`}`)
		if err != nil || !slices.Equal(attempt.Answer.FinishReasons, []string{"tool_calls"}) {
			t.Fatalf("got %v %v", attempt.Answer, err)
		}
		arguments := ""
		for line := range strings.Lines(text) {
			data, ok := strings.CutPrefix(line, "data: {")
			if !ok {
				continue
			}
			for _, choice := range decode[struct {
				Choices []struct {
					Delta struct {
						ToolCalls []struct{ Function struct{ Arguments string } } `json:"tool_calls"`
					}
				}
			}](t, "{"+data).Choices {
				for _, call := range choice.Delta.ToolCalls {
					arguments += call.Function.Arguments
				}
			}
		}
		if arguments != filled {
			t.Errorf("the pieces of the arguments are %s", arguments)
		}
	})
}

func TestTheMockFillsSchemas(t *testing.T) {
	for format, want := range map[string]string{
		`{"type":"json_schema","json_schema":{"name":"w","schema":` + weather + `}}`: filled,
		`{"type":"json_object"}`: `{"answer":"Hello from Spanway's mock provider."}`,
	} {
		_, text, _, _ := mocked(t, llm.Chat, `{"model":"a","messages":[],"response_format":`+format+`}`)
		if got := *decode[completion](t, text).Choices[0].Message.Content; got != want {
			t.Errorf("%s: got %s, want %s", format, got, want)
		}
	}
	tree := `{"$ref":"#/$defs/t","$defs":{"t":{"type":"object","properties":{"l":{"$ref":"#/$defs/t"},"r":{"$ref":"#/$defs/t"}}}}}`
	if got := fill([]byte(tree)); !json.Valid([]byte(got)) || len(got) > 2*maxFilled {
		t.Errorf("a schema that refers to itself is filled with %d bytes", len(got))
	}
}

func TestTheMockEmbeds(t *testing.T) {
	type list struct {
		Data []struct{ Embedding any }
	}
	_, text, attempt, err := mocked(t, llm.Embeddings, `{"model":"a","input":["one","two words"]}`)
	floats := decode[list](t, text).Data
	if err != nil || len(floats) != 2 || len(floats[0].Embedding.([]any)) != 16 || attempt.Answer.Usage.Input != 3 {
		t.Fatalf("got %s %v %+v", text, err, attempt.Answer)
	}
	if reflect.DeepEqual(floats[0], floats[1]) {
		t.Error("two inputs have the same vector")
	}
	_, text, _, _ = mocked(t, llm.Embeddings, `{"model":"a","input":["one"],"encoding_format":"base64"}`)
	packed, err := base64.StdEncoding.DecodeString(decode[list](t, text).Data[0].Embedding.(string))
	vector := make([]float32, 16)
	if _, err := binary.Decode(packed, binary.LittleEndian, vector); err != nil || len(packed) != 64 {
		t.Fatalf("%d bytes, %v", len(packed), err)
	}
	if float64(vector[3]) != floatOf(floats[0].Embedding, 3) || err != nil {
		t.Errorf("base64 says %v, floats say %v", vector, floats[0].Embedding)
	}
	_, text, _, _ = mocked(t, llm.Embeddings, `{"model":"a","input":[1,2,3],"dimensions":4}`)
	if got := decode[list](t, text).Data; len(got) != 1 || len(got[0].Embedding.([]any)) != 4 {
		t.Errorf("tokens: got %s", text)
	}
}

func floatOf(list any, i int) float64 { return float64(float32(list.([]any)[i].(float64))) }

func TestTheMockListsModels(t *testing.T) {
	for path, want := range map[string]string{
		"/v1/models":       `{"data":[{"created":1767225600,"id":"mock","object":"model","owned_by":"spanway"},{"created":1767225600,"id":"mock-embedding","object":"model","owned_by":"spanway"}],"object":"list"}`,
		"/v1/models/gpt-5": `{"created":1767225600,"id":"gpt-5","object":"model","owned_by":"spanway"}`,
		"/v1/models/a%2Fb": `{"created":1767225600,"id":"a/b","object":"model","owned_by":"spanway"}`,
	} {
		call := chatCall(t, llm.Models, `{"model":"unused"}`)
		call.Path = path
		reply, err := newOpenAI(gateway.Target{}, NewMock()).Handle(t.Context(), call)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(reply.Body); string(got) != want {
			t.Errorf("%s: got %s", path, got)
		}
	}
}

func TestTheMockMisbehavesByName(t *testing.T) {
	for model, want := range map[string]int{"mock-401": 401, "mock-404": 404, "mock-429": 429, "mock-500": 500, "mock-503": 503} {
		status, text, _, err := mocked(t, llm.Chat, `{"model":"`+model+`","stream":true}`)
		if status != want || err != nil || !strings.HasPrefix(text, `{"error":{"code":"`) {
			t.Errorf("%s: got %d %s %v", model, status, text, err)
		}
	}
	reply, err := NewMock().Handle(t.Context(), &gateway.Call{Method: http.MethodPost, Path: "/chat/completions", Body: gateway.Body{Bytes: []byte(`{"model":"mock-429"}`)}})
	if err != nil || reply.Header.Get("Retry-After") != "1" {
		t.Errorf("429 without Retry-After: %v", err)
	}

	for _, tt := range []struct {
		model   string
		stream  string
		outcome gateway.Outcome
		failed  gateway.Code
	}{
		{"mock-cut", "true", gateway.Truncated, gateway.UpstreamFailed},
		{"mock-cut", "false", "", gateway.UpstreamFailed},
		{"mock-error", "true", gateway.UpstreamError, ""},
		{"mock-slow", "true", gateway.Complete, ""},
		{"mock-slow", "false", "", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			_, text, attempt, err := mocked(t, llm.Chat, `{"model":"`+tt.model+`","messages":[],"stream":`+tt.stream+`}`)
			if (err == nil) != (tt.failed == "") || err != nil && gateway.AsError(err).Code != tt.failed {
				t.Errorf("%s: got %v, want %q", tt.model, err, tt.failed)
			}
			if attempt.Stream != nil && attempt.Stream.Outcome != tt.outcome {
				t.Errorf("%s: outcome %s, want %s", tt.model, attempt.Stream.Outcome, tt.outcome)
			}
			if tt.model == "mock-slow" && time.Since(start) < time.Second {
				t.Error("mock-slow is fast")
			}
			if tt.model == "mock-error" && !strings.Contains(text, `data: {"error":`) {
				t.Errorf("mock-error says %s", text)
			}
		})
	}
}

func TestTheMockHangsUntilItsCallEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := newOpenAI(gateway.Target{}, NewMock()).Handle(ctx, chatCall(t, llm.Chat, `{"model":"mock-timeout"}`))
		if !errors.Is(err, context.DeadlineExceeded) || gateway.AsError(err).Code != gateway.UpstreamTimeout {
			t.Errorf("got %v", err)
		}
		streaming, leave := context.WithCancel(t.Context())
		reply, err := newOpenAI(gateway.Target{}, NewMock()).Handle(streaming, chatCall(t, llm.Chat, `{"model":"mock-slow","messages":[],"stream":true}`))
		if err != nil {
			t.Fatal(err)
		}
		leave()
		if _, err := io.ReadAll(reply.Body); err == nil || reply.Outcome != gateway.ClientGone {
			t.Errorf("a stream whose call has ended went on: %v, %s", err, reply.Outcome)
		}
	})
}
