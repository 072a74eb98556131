package provider

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

const chatAnswer = `{"id":"chatcmpl-1","model":"gpt-5-2026-01","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],` +
	`"usage":{"prompt_tokens":11,"completion_tokens":7,"completion_tokens_details":{"reasoning_tokens":2},"prompt_tokens_details":{"cached_tokens":4}}}`

// sent returns a sender that keeps the call it got.
func sent(to **gateway.Call) gateway.Handler {
	return gateway.HandlerFunc(func(_ context.Context, call *gateway.Call) (*gateway.Reply, error) {
		*to = call
		return mockJSON(200, object{"id": "a"}), nil
	})
}

func TestOpenAIRequest(t *testing.T) {
	tests := []struct {
		name             string
		op               llm.Operation
		path, body       string
		model            string
		wantPath, wanted string
	}{
		{"a chat keeps its bytes but for the model", llm.Chat, "/v1/chat/completions", `{ "x" : 1e2, "model" :"smart","y":"\u00e9"}`, "gpt-5", "/chat/completions", `{ "x" : 1e2, "model" :"gpt-5","y":"\u00e9"}`},
		{"a target without a model keeps the caller's", llm.Chat, "/v1/chat/completions", `{"model":"gpt-5"}`, "", "/chat/completions", `{"model":"gpt-5"}`},
		{"a completion", llm.Completion, "/v1/completions", `{"model":"a","prompt":"x"}`, "b", "/completions", `{"model":"b","prompt":"x"}`},
		{"embeddings", llm.Embeddings, "/v1/embeddings", `{"model":"a","input":"x"}`, "b", "/embeddings", `{"model":"b","input":"x"}`},
		{"the list of models", llm.Models, "/v1/models", "", "", "/models", ""},
		{"one model, as the caller names it", llm.Models, "/v1/models/meta%2Fllama", "", "", "/models/meta%2Fllama", ""},
		{"one model, as the target names it", llm.Models, "/v1/models/smart", "", "meta/llama", "/models/meta%2Fllama", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var put *gateway.Call
			body := tt.body
			if body == "" {
				body = `{"model":"unused"}`
			}
			call := chatCall(t, tt.op, body)
			call.Path, call.Query = tt.path, "x=1"
			if _, err := newOpenAI(gateway.Target{Model: tt.model}, sent(&put)).Handle(t.Context(), call); err != nil {
				t.Fatal(err)
			}
			if put.Path != tt.wantPath || string(put.Body.Bytes) != tt.wanted || put.Query != "" {
				t.Errorf("sent %q ?%q %q, want %q %q", put.Path, put.Query, put.Body.Bytes, tt.wantPath, tt.wanted)
			}
			if put.Body.Length != int64(len(put.Body.Bytes)) {
				t.Errorf("the length is %d, of %d bytes", put.Body.Length, len(put.Body.Bytes))
			}
			if string(call.Body.Bytes) != body || call.Path != tt.path {
				t.Error("the caller's call was changed")
			}
		})
	}
}

func TestAModelCannotLeaveItsPath(t *testing.T) {
	var put *gateway.Call
	for _, model := range []string{"..", "."} {
		call := chatCall(t, llm.Models, `{"model":"unused"}`)
		call.Path = "/v1/models/x"
		_, err := newOpenAI(gateway.Target{Model: model}, sent(&put)).Handle(t.Context(), call)
		if err == nil || gateway.AsError(err).Code != gateway.NoModel || put != nil {
			t.Errorf("%q: got %v", model, err)
		}
	}
}

func TestOnlyListedHeadersGoToAProvider(t *testing.T) {
	var put *gateway.Call
	call := chatCall(t, llm.Chat, `{"model":"a"}`)
	call.ID = "req-1"
	call.Header = http.Header{
		"Authorization": {"Bearer secret"}, "X-Api-Key": {"secret"}, "Api-Key": {"secret"}, "Cookie": {"a=secret"},
		"Openai-Organization": {"theirs"}, "Openai-Project": {"theirs"}, "X-Stainless-Lang": {"js"}, "X-Forwarded-For": {"10.0.0.1"},
		"Traceparent": {"00-1"}, "Baggage": {"a=b"}, "X-Request-Id": {"caller's"}, "Accept-Encoding": {"gzip"}, "Content-Type": {"text/plain"},
		"User-Agent": {"openai/6"}, "Openai-Beta": {"x=1"}, "Idempotency-Key": {"k"}, "Accept": {"*/*"}, "Http-Referer": {"app"}, "X-Title": {"App"},
	}
	if _, err := newOpenAI(gateway.Target{}, sent(&put)).Handle(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	want := http.Header{
		"User-Agent": {"openai/6"}, "Openai-Beta": {"x=1"}, "Idempotency-Key": {"k"}, "Accept": {"*/*"}, "Http-Referer": {"app"}, "X-Title": {"App"},
		"Content-Type": {"application/json"}, "Accept-Encoding": {"identity"}, "X-Request-Id": {"req-1"},
	}
	if !reflect.DeepEqual(put.Header, want) {
		t.Errorf("sent %v\nwant %v", put.Header, want)
	}
}

func TestProviderHeadersThatACallerGets(t *testing.T) {
	got := answerHeader(http.Header{
		"Content-Type": {"application/json"}, "X-Ratelimit-Remaining-Requests": {"9"}, "Retry-After": {"1"}, "Openai-Processing-Ms": {"7"},
		"X-Request-Id": {"req_1"}, "X-Generation-Id": {"gen"},
		"Set-Cookie": {"a=b"}, "Server": {"cf"}, "Openai-Organization": {"ours"}, "Openai-Project": {"ours"}, "Traceresponse": {"00"},
		"Access-Control-Allow-Origin": {"*"}, "Strict-Transport-Security": {"x"}, "Content-Length": {"3"},
	})
	want := http.Header{
		"Content-Type": {"application/json"}, "X-Ratelimit-Remaining-Requests": {"9"}, "Retry-After": {"1"}, "Openai-Processing-Ms": {"7"},
		"X-Upstream-Request-Id": {"req_1"}, "X-Generation-Id": {"gen"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestOpenAIAnswer(t *testing.T) {
	large := `{"id":"x","object":"list","data":[{"embedding":"` + strings.Repeat("A", 2*readWhole) + `"}],"model":"embed-1","usage":{"prompt_tokens":8,"total_tokens":8}}`
	const plain, streamed = `{"model":"a"}`, `{"model":"a","stream":true}`
	tests := []struct {
		name   string
		asked  string
		status int
		kind   string
		length int // 0: that of the body; -1: not said
		body   string
		end    error
		want   string
	}{
		{"a whole answer is passed on and read", plain, 200, "application/json", 0, chatAnswer, io.EOF,
			"status 200\noutcome complete\nid chatcmpl-1, model gpt-5-2026-01\nended by [\"stop\"]\n11 in (4 cached), 7 out (2 reasoning)\n"},
		{"its length need not be known", plain, 200, "application/json; charset=utf-8", -1, chatAnswer, io.EOF,
			"status 200\noutcome complete\nid chatcmpl-1, model gpt-5-2026-01\nended by [\"stop\"]\n11 in (4 cached), 7 out (2 reasoning)\n"},
		{"a large one gives its usage at the end", plain, 200, "application/json", 0, large, io.EOF,
			"status 200\noutcome complete\nid x, model embed-1\nended by []\n8 in (0 cached), 0 out (0 reasoning)\n"},
		{"a large one that breaks off is an error within the body", plain, 200, "application/json", 0, large[:readWhole*3/2], errors.New("reset"),
			"status 200\noutcome upstream_error\nerror upstream_failed: the provider's answer broke off\nid x, model \nended by []\n"},
		{"a cut answer is an ordinary error", plain, 200, "application/json", len(chatAnswer) + 1, chatAnswer, io.ErrUnexpectedEOF,
			"error upstream_failed: the provider's answer broke off\n"},
		{"an error keeps its status and bytes", plain, 429, "application/json", 0, `{"error":{"code":"x"}}`, io.EOF, "status 429\noutcome \n"},
		{"an error page with its status is passed on", plain, 503, "text/html", 0, `<html>`, io.EOF, "status 503\noutcome \n"},
		{"an error with status 200 gets the status it should have had", plain, 200, "application/json", 0, `{"error":{"code":402,"message":"no credits"}}`, io.EOF,
			"status 402\noutcome upstream_error\n"},
		{"a page with status 200 is a failure", plain, 200, "text/html", 0, `<html>`, io.EOF, "error upstream_failed: the provider answered with \"text/html\" instead of JSON\n"},
		{"text that is called JSON is a failure", plain, 200, "application/json", 0, `upstream connect error`, io.EOF, "error upstream_failed: the provider answered with something that is not JSON\n"},
		{"nothing is a failure", plain, 200, "application/json", -1, ``, io.EOF, "error upstream_failed: the provider answered with something that is not JSON\n"},
		{"a redirect is a failure", plain, 307, "text/plain", 0, `x`, io.EOF, "error upstream_failed: the provider answered with status 307\n"},
		{"a whole answer to a call for a stream is a failure", streamed, 200, "application/json", 0, `{"id":""}`, io.EOF,
			"error upstream_failed: the provider answered a call for a stream with a whole answer\n"},
		{"an error in place of a stream gets its status", streamed, 200, "application/json", 0, `{"error":{"type":"authentication_error"}}`, io.EOF,
			"status 401\noutcome upstream_error\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			length := int64(tt.length)
			if tt.length == 0 {
				length = int64(len(tt.body))
			}
			call := chatCall(t, llm.Chat, tt.asked)
			body := io.MultiReader(strings.NewReader(tt.body), iotest.ErrReader(tt.end))
			reply, err := newOpenAI(gateway.Target{}, says(tt.status, tt.kind, length, body)).Handle(t.Context(), call)
			if err == nil {
				var got []byte
				if got, err = io.ReadAll(reply.Body); string(got) != tt.body {
					t.Errorf("the client got %d bytes, other than the provider's %d", len(got), len(tt.body))
				}
			}
			if got := facts(call.Attempt, reply, err); got != tt.want {
				t.Errorf("learned\n%swant\n%s", got, tt.want)
			}
		})
	}
}

func TestAnEncodingThatWasNotAskedForIsAFailure(t *testing.T) {
	sender := gateway.HandlerFunc(func(context.Context, *gateway.Call) (*gateway.Reply, error) {
		return gateway.NewReply(200, http.Header{"Content-Encoding": {"gzip"}}, nil, -1, nil), nil
	})
	_, err := newOpenAI(gateway.Target{}, sender).Handle(t.Context(), chatCall(t, llm.Chat, `{"model":"a"}`))
	if err == nil || gateway.AsError(err).Code != gateway.UpstreamFailed {
		t.Errorf("got %v", err)
	}
}

// closing counts how often a provider's connection was let go.
type closing struct{ closed int }

func (c *closing) Close() error { c.closed++; return nil }

func TestTheConnectionIsLetGoWhateverComes(t *testing.T) {
	for _, body := range []string{"data: {\"error\":{}}\n\n", "data: [DONE]\n\n", "<html>", "data: {\"error\":\"sorry\"}\n\n", ""} {
		wire := new(closing)
		sender := gateway.HandlerFunc(func(context.Context, *gateway.Call) (*gateway.Reply, error) {
			return gateway.NewReply(200, http.Header{"Content-Type": {"text/event-stream"}}, strings.NewReader(body), -1, wire), nil
		})
		reply, err := newOpenAI(gateway.Target{}, sender).Handle(t.Context(), chatCall(t, llm.Chat, `{"model":"a","stream":true}`))
		if err == nil {
			reply.Close()
		}
		if wire.closed != 1 {
			t.Errorf("%q: closed %d times", body, wire.closed)
		}
	}
}

// A stream's times are those of its tokens: comments and chunks with a role
// only count for nothing.
func TestTimesOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token := []byte(`data: {"choices":[{"delta":{"content":"a"}}]}` + "\n\n")
		body := &pieces{t.Context(), []piece{
			{time.Second, []byte(": wait\n\n"), nil},
			{time.Second, []byte(`data: {"choices":[{"delta":{"role":"assistant","content":""}}]}` + "\n\n"), nil},
			{time.Second, token, nil}, {time.Second, token, nil}, {3 * time.Second, token, nil}, {time.Second, token, nil},
			{5 * time.Second, []byte("data: [DONE]\n\n"), nil},
		}}
		call := chatCall(t, llm.Chat, `{"model":"a","stream":true}`)
		start := time.Now()
		reply, err := newOpenAI(gateway.Target{}, says(200, "text/event-stream", -1, body)).Handle(t.Context(), call)
		if err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited != 3*time.Second {
			t.Errorf("the reply came after %v, want 3s: with the first token", waited)
		}
		if !reply.Stream || reply.Length != -1 || reply.Header.Get("X-Accel-Buffering") != "no" {
			t.Errorf("the reply is no stream: %+v", reply)
		}
		if _, err := io.ReadAll(reply.Body); err != nil {
			t.Error(err)
		}
		s := call.Attempt.Stream
		if s.First.Sub(start) != 3*time.Second || s.Last.Sub(start) != 8*time.Second || s.MaxGap != 3*time.Second || s.Chunks != 4 {
			t.Errorf("learned %+v", s)
		}
	})
}

func TestHowAStreamIsLeft(t *testing.T) {
	hi := "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
	stalled := gateway.Errorf(gateway.UpstreamTimeout, "nothing came for 20s")
	tests := []struct {
		name  string
		body  io.Reader
		cause error // the context ends with it before the second read
		said  gateway.Outcome
		want  gateway.Outcome
	}{
		{"the client closes", strings.NewReader(hi), nil, "", gateway.ClientGone},
		{"the server has said why", strings.NewReader(hi), nil, gateway.Stalled, gateway.Stalled},
		{"the reader timed out", io.MultiReader(strings.NewReader(hi), iotest.ErrReader(stalled)), nil, "", gateway.Stalled},
		{"the context timed out", io.MultiReader(strings.NewReader(hi), iotest.ErrReader(errors.New("closed"))), stalled, "", gateway.Stalled},
		{"the context was cancelled", io.MultiReader(strings.NewReader(hi), iotest.ErrReader(errors.New("closed"))), context.Canceled, "", gateway.ClientGone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			call := chatCall(t, llm.Chat, `{"model":"a","stream":true}`)
			reply, err := newOpenAI(gateway.Target{}, says(200, "text/event-stream", -1, tt.body)).Handle(ctx, call)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(reply.Body, make([]byte, len(hi))); err != nil {
				t.Fatal(err)
			}
			if tt.cause != nil {
				cancel(tt.cause)
			}
			if tt.said == "" && tt.name != "the client closes" {
				_, err := reply.Body.Read(make([]byte, 1))
				if err == nil || err == io.EOF {
					t.Errorf("read gave %v", err)
				}
			}
			reply.Outcome = max(reply.Outcome, tt.said)
			reply.Close()
			if call.Attempt.Stream.Outcome != tt.want || reply.Outcome != tt.want {
				t.Errorf("outcome %q and %q, want %q", call.Attempt.Stream.Outcome, reply.Outcome, tt.want)
			}
		})
	}
}

// An event may be as large as an image, and must come through as it is.
func TestALargeEventComesThrough(t *testing.T) {
	for _, size := range []int{1 << 20, 16 << 20} {
		text := []byte(`data: {"choices":[{"index":0,"delta":{"content":"` + strings.Repeat("x", size-64) + `"},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n")
		call := chatCall(t, llm.Chat, `{"model":"a","stream":true}`)
		reply, err := newOpenAI(gateway.Target{}, says(200, "text/event-stream", -1, bytes.NewReader(text))).Handle(t.Context(), call)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(reply.Body)
		if err != nil || !bytes.Equal(got, text) || reply.Outcome != gateway.Complete {
			t.Errorf("%d: got %d of %d bytes, %v, %s", size, len(got), len(text), err, reply.Outcome)
		}
	}
}

func TestAnEventWithoutEndIsAnError(t *testing.T) {
	endless := io.MultiReader(strings.NewReader("data: "), strings.NewReader(strings.Repeat("x", llm.MaxEvent)))
	_, err := newOpenAI(gateway.Target{}, says(200, "text/event-stream", -1, endless)).Handle(t.Context(), chatCall(t, llm.Chat, `{"model":"a","stream":true}`))
	if !errors.Is(err, llm.ErrEventTooLarge) || gateway.AsError(err).Code != gateway.UpstreamFailed {
		t.Errorf("got %v", err)
	}
}
