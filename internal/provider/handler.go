package provider

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// Settings say how an upstream is spoken to.
type Settings struct {
	Dialect         llm.Dialect
	Responses       bool // one that speaks OpenAI's dialect takes Responses beside its chats
	DropUnsupported bool // leave out what it cannot do, instead of refusing the call
}

// handler puts calls to one model of a provider.
type handler struct {
	target   gateway.Target
	settings Settings
	speaks   dialect
	beside   dialect // what it speaks beside that; nil for nothing
	sender   gateway.Handler
}

// New returns the handler that puts calls to one model of a provider, in the
// provider's dialect. The call must be one for an attempt, with its body read in
// and scanned. sender is the wire; its upstream's URL ends in "/v1" or the like,
// so the paths here begin behind that.
func New(target gateway.Target, settings Settings, sender gateway.Handler) gateway.Handler {
	h := &handler{target: target, settings: settings, speaks: dialectOf(settings.Dialect, target.Provider), sender: sender}
	switch settings.Dialect {
	case llm.OpenAI:
		if settings.Responses {
			h.beside = responses{}
		}
	case llm.Responses:
		h.beside = openAI{target.Provider}
	}
	return h
}

// dialectOf is the table of the dialects.
func dialectOf(name llm.Dialect, provider string) dialect {
	switch name {
	case llm.Anthropic:
		return anthropic{}
	case llm.Responses:
		return responses{}
	default:
		return openAI{provider}
	}
}

// exchange is one call on its way to a provider and back.
type exchange struct {
	*handler

	call   *gateway.Call
	caller dialect
	speaks dialect     // of the provider, for this call
	asked  *llm.Prompt // what was asked, where the dialects differ; nil where the bytes pass
	strip  bool        // a stream's usage was asked for in the caller's place, and is not for its eyes
}

// Handle implements [gateway.Handler].
func (h *handler) Handle(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
	x := &exchange{handler: h, call: call}
	var ok bool
	if x.caller, ok = call.Dialect.(dialect); !ok {
		return nil, gateway.Errorf(gateway.Internal, "the call %s speaks no dialect", call.Route.Name)
	}
	x.speaks = h.spoken(x.caller, call.Route.Operation)
	put, err := x.put()
	if err != nil {
		return nil, err
	}
	if put == nil {
		return x.estimated(), nil
	}
	reply, err := h.sender.Handle(ctx, put)
	if err != nil {
		return nil, err
	}
	reply.Attempt = call.Attempt
	reply.Header = answerHeader(reply.Header)
	x.caller.sign(call, reply.Header)
	switch {
	case reply.Status >= 400:
		explain(reply, x.speaks)
		return x.refused(reply)
	case reply.Status != http.StatusOK:
		// A redirect above all: it is not followed, and where it leads is not the caller's to know.
		reply.Close()
		return nil, gateway.Errorf(gateway.UpstreamFailed, "the provider answered with status %d", reply.Status)
	}
	return x.answered(ctx, reply)
}

// answered turns a 200 into a Reply of the kind that was asked for.
func (x *exchange) answered(ctx context.Context, reply *gateway.Reply) (*gateway.Reply, error) {
	encoding := reply.Header.Get("Content-Encoding")
	kind, _, _ := strings.Cut(reply.Header.Get("Content-Type"), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	var failed error
	switch {
	case encoding != "" && encoding != "identity":
		failed = gateway.Errorf(gateway.UpstreamFailed, "the provider answered in an encoding that was not asked for")
	case kind == "text/event-stream":
		reply, failed = x.begin(ctx, reply)
	case kind == "" || kind == "application/json" || strings.HasSuffix(kind, "+json"):
		reply, failed = x.whole(reply)
	default:
		failed = gateway.Errorf(gateway.UpstreamFailed, "the provider answered with %q instead of JSON", kind)
	}
	if failed != nil {
		reply.Close()
		return nil, failed
	}
	return reply, nil
}

// put writes the call as the provider is to get it. It is nil where there is
// nothing to send: the answer is the gateway's own.
func (x *exchange) put() (*gateway.Call, error) {
	call := x.call
	op := call.Route.Operation
	put := *call
	put.Query = ""
	put.Header = requestHeader(call)
	x.speaks.header(call, put.Header)
	if op == llm.Models {
		path, err := x.modelPath(call.Path)
		put.Method, put.Path, put.Body = http.MethodGet, path, gateway.Body{}
		if x.speaks.word() == llm.Anthropic && path == "/models" {
			put.Query = "limit=1000" // all of them: a page has 20 otherwise
		}
		return &put, err
	}
	if call.LLM == nil || !call.Body.Replayable() {
		return nil, gateway.Errorf(gateway.Internal, "the call %s was not read before it came to its provider", call.Route.Name)
	}
	put.Method, put.Path = http.MethodPost, x.speaks.path(op)
	native := x.speaks.native(call.Dialect, op)
	switch {
	case put.Path == "" && op == llm.CountTokens:
		return nil, x.read()
	case put.Path == "" || !native && op != llm.Chat:
		return nil, x.incapable(strings.ReplaceAll(string(op), "_", " "), "model")
	case !native:
		body, err := x.translated()
		if err != nil {
			return nil, err
		}
		put.Body.Bytes = body
	default:
		put.Body.Bytes = x.patched()
	}
	put.Body.Length = int64(len(put.Body.Bytes))
	return &put, nil
}

// patched is the caller's body with the provider's name of the model, and with
// what makes a stream of OpenAI's tell its usage.
func (x *exchange) patched() []byte {
	request, body := x.call.LLM, x.call.Body.Bytes
	model := x.target.Model
	if model == "" {
		model = request.Model
	}
	_, asks := x.caller.(openAI) // others tell it anyway
	if asks && request.Stream && !request.IncludeUsage {
		x.strip = true
		return request.PatchUsage(body, model)
	}
	return request.Patch(body, model)
}

// modelPath returns the path of the list of models, or of the one that the
// caller's path names.
func (x *exchange) modelPath(path string) (string, error) {
	_, id, _ := strings.Cut(path, "/models")
	if id = strings.Trim(id, "/"); id == "" {
		return "/models", nil
	}
	if x.target.Model != "" {
		id = url.PathEscape(x.target.Model)
	}
	if id == "." || id == ".." {
		return "", gateway.Errorf(gateway.NoModel, "there is no model %q", id)
	}
	return "/models/" + id, nil
}
