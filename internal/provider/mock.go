package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spanway/spanway/internal/gateway"
)

// mock is the built-in provider. What it answers follows from the request
// alone, so the same request gets the same bytes each time.
type mock struct{}

// NewMock returns the built-in mock provider. It stands where an upstream's
// sender stands and speaks OpenAI's dialect: chats (plain, streamed, with tools
// and structured output), completions, embeddings and models. All models exist;
// these misbehave:
//
//	mock-401 mock-404 mock-429 mock-500 mock-503   that status; 429 with Retry-After
//	mock-slow                                      every step takes a second
//	mock-timeout                                   never answers
//	mock-cut                                       breaks off midway
//	mock-error                                     an error event midway
func NewMock() gateway.Handler { return mock{} }

// Handle implements [gateway.Handler].
func (mock) Handle(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
	if call.Attempt != nil {
		call.Attempt.ServerAddress, call.Attempt.Sent = "mock", true
	}
	reply, err := mockReply(ctx, call)
	if err != nil {
		return nil, err
	}
	reply.Header.Set("X-Spanway-Mock", "true")
	if call.Attempt != nil {
		call.Attempt.Status = reply.Status
	}
	return reply, nil
}

func mockReply(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
	if call.Method == http.MethodGet {
		return mockModels(call.Path), nil
	}
	var ask mockRequest
	if err := json.Unmarshal(call.Body.Bytes, &ask); err != nil {
		return mockError(http.StatusBadRequest, "invalid_request_error", "", "the body is not what the mock provider reads: "+err.Error()), nil //nolint:nilerr // the error is in the answer
	}
	if reply, err := misbehave(ctx, ask.Model); reply != nil || err != nil {
		return reply, err
	}
	sum := fnv.New64a()
	_, _ = sum.Write(call.Body.Bytes)
	id := fmt.Sprintf("%016x", sum.Sum64())
	switch call.Path {
	case "/chat/completions":
		return ask.chat(ctx, "chatcmpl-"+id), nil
	case "/completions":
		return ask.completion(ctx, "cmpl-"+id), nil
	case "/embeddings":
		return ask.embeddings(), nil
	}
	return mockError(http.StatusNotFound, "invalid_request_error", "not_found", "the mock provider has nothing at "+call.Path), nil
}

// misbehave gives the failures that models are named for.
func misbehave(ctx context.Context, model string) (*gateway.Reply, error) {
	switch model {
	case "mock-401":
		return mockError(401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."), nil
	case "mock-404":
		return mockError(404, "invalid_request_error", "model_not_found", "The model `mock-404` does not exist."), nil
	case "mock-429":
		reply := mockError(429, "requests", "rate_limit_exceeded", "Rate limit reached.")
		reply.Header.Set("Retry-After", "1")
		return reply, nil
	case "mock-500":
		return mockError(500, "server_error", "server_error", "The server had an error."), nil
	case "mock-503":
		return mockError(503, "server_error", "overloaded", "The server is overloaded."), nil
	case "mock-timeout":
		<-ctx.Done()
		return nil, gateway.AsError(context.Cause(ctx))
	}
	return nil, nil //nolint:nilnil // neither: it behaves
}

func mockModels(path string) *gateway.Reply {
	model := func(id string) any {
		return map[string]any{"id": id, "object": "model", "created": mockCreated, "owned_by": "spanway"}
	}
	if id, ok := strings.CutPrefix(path, "/models/"); ok {
		if plain, err := url.PathUnescape(id); err == nil {
			id = plain
		}
		return mockJSON(200, model(id))
	}
	return mockJSON(200, map[string]any{"object": "list", "data": []any{model("mock"), model("mock-embedding")}})
}

// mockCreated stands for the time wherever OpenAI gives one.
const mockCreated = 1767225600

func mockJSON(status int, v any) *gateway.Reply {
	body, _ := json.Marshal(v) // maps, slices and strings only: it cannot fail
	header := http.Header{"Content-Type": {"application/json"}, "Content-Length": {strconv.Itoa(len(body))}}
	return gateway.NewReply(status, header, bytes.NewReader(body), int64(len(body)), nil)
}

func mockError(status int, kind, code, message string) *gateway.Reply {
	return mockJSON(status, mockFailure(kind, code, message))
}

func mockFailure(kind, code, message string) any {
	return map[string]any{"error": map[string]any{"message": message, "type": kind, "param": nil, "code": code}}
}

// piece is one part of a body, and the wait before it.
type piece struct {
	after time.Duration
	text  []byte
	err   error // instead of text
}

// pieces gives a body part by part, no sooner than each is due.
type pieces struct {
	ctx  context.Context
	left []piece
}

// Read implements io.Reader.
func (p *pieces) Read(to []byte) (int, error) {
	if len(p.left) == 0 {
		return 0, io.EOF
	}
	next := &p.left[0]
	if next.after > 0 {
		due := time.NewTimer(next.after)
		defer due.Stop()
		select {
		case <-due.C:
			next.after = 0
		case <-p.ctx.Done():
			return 0, gateway.AsError(context.Cause(p.ctx))
		}
	}
	if next.err != nil {
		return 0, next.err
	}
	n := copy(to, next.text)
	if next.text = next.text[n:]; len(next.text) == 0 {
		p.left = p.left[1:]
	}
	return n, nil
}
