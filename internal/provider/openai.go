package provider

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// openai sends calls in OpenAI's dialect, which is also the callers'.
type openai struct {
	target gateway.Target
	sender gateway.Handler
}

// NewOpenAI returns the handler that puts calls to one model of a provider that
// speaks OpenAI's dialect. The call must be one for an attempt, with its body
// read in and scanned. sender is the wire; its upstream's URL ends in "/v1" or
// the like, so the paths here begin behind that.
func NewOpenAI(target gateway.Target, sender gateway.Handler) gateway.Handler {
	return &openai{target, sender}
}

// Handle implements [gateway.Handler].
func (o *openai) Handle(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
	put, err := o.put(call)
	if err != nil {
		return nil, err
	}
	reply, err := o.sender.Handle(ctx, put)
	if err != nil {
		return nil, err
	}
	reply.Attempt = call.Attempt
	reply.Header = answerHeader(reply.Header)
	switch {
	case reply.Status >= 400:
		explain(reply)
		return reply, nil
	case reply.Status != http.StatusOK:
		// A redirect above all: it is not followed, and where it leads is not the caller's to know.
		reply.Close()
		return nil, gateway.Errorf(gateway.UpstreamFailed, "the provider answered with status %d", reply.Status)
	}
	return answered(ctx, call, reply)
}

// answered turns a 200 into a Reply of the kind that was asked for.
func answered(ctx context.Context, call *gateway.Call, reply *gateway.Reply) (*gateway.Reply, error) {
	encoding := reply.Header.Get("Content-Encoding")
	kind, _, _ := strings.Cut(reply.Header.Get("Content-Type"), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	wanted := call.LLM != nil && call.LLM.Stream
	var failed error
	switch {
	case encoding != "" && encoding != "identity":
		failed = gateway.Errorf(gateway.UpstreamFailed, "the provider answered in an encoding that was not asked for")
	case kind == "text/event-stream":
		reply, failed = begin(ctx, call, reply)
	case kind == "" || kind == "application/json" || strings.HasSuffix(kind, "+json"):
		reply, failed = whole(call, reply, wanted)
	default:
		failed = gateway.Errorf(gateway.UpstreamFailed, "the provider answered with %q instead of JSON", kind)
	}
	if failed != nil {
		reply.Close()
		return nil, failed
	}
	return reply, nil
}

// put writes the call as the provider is to get it.
func (o *openai) put(call *gateway.Call) (*gateway.Call, error) {
	put := *call
	put.Query = ""
	put.Header = requestHeader(call)
	if call.Route.Operation == llm.Models {
		path, err := o.modelPath(call.Path)
		put.Method, put.Path, put.Body = http.MethodGet, path, gateway.Body{}
		return &put, err
	}
	path, ok := paths[call.Route.Operation]
	if !ok || call.LLM == nil || !call.Body.Replayable() {
		return nil, gateway.Errorf(gateway.Internal, "the call %s was not read before it came to its provider", call.Route.Name)
	}
	put.Method, put.Path = http.MethodPost, path
	if o.target.Model != "" {
		put.Body.Bytes = call.LLM.Patch(call.Body.Bytes, o.target.Model)
	}
	put.Body.Length = int64(len(put.Body.Bytes))
	return &put, nil
}

var paths = map[llm.Operation]string{
	llm.Chat:       "/chat/completions",
	llm.Completion: "/completions",
	llm.Embeddings: "/embeddings",
}

// modelPath returns the path of the list of models, or of the one that the
// caller's path names.
func (o *openai) modelPath(path string) (string, error) {
	_, id, _ := strings.Cut(path, "/models")
	if id = strings.Trim(id, "/"); id == "" {
		return "/models", nil
	}
	if o.target.Model != "" {
		id = url.PathEscape(o.target.Model)
	}
	if id == "." || id == ".." {
		return "", gateway.Errorf(gateway.NoModel, "there is no model %q", id)
	}
	return "/models/" + id, nil
}
