package provider

import (
	"context"
	"net/http"
	"strings"

	"github.com/spanway/spanway/internal/gateway"
)

// passed lists what of a caller goes to a provider beside asked, where neither
// the body nor the answer is read here: how they are spelled, and which part of
// the answer is wanted.
var passed = []string{
	"Content-Type", "Content-Encoding", "Content-Language", "Accept-Encoding", "Range",
	"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range",
}

// passthrough puts calls to a provider as they are.
type passthrough struct {
	speaks dialect
	sender gateway.Handler
}

// Passthrough returns the handler of what is not translated: whatever the path,
// the method and the body are, they go to the provider as they came, and its
// answer comes back so. Only headers are chosen, as for all other calls.
func Passthrough(target gateway.Target, settings Settings, sender gateway.Handler) gateway.Handler {
	return passthrough{dialectOf(settings.Dialect, target.Provider), sender}
}

// Handle implements [gateway.Handler].
func (p passthrough) Handle(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
	put := *call
	put.Path = strings.TrimPrefix(call.Path, "/v1") // with which the upstream's URL ends
	put.Header = requestHeader(call)
	delete(put.Header, "Content-Type")
	delete(put.Header, "Accept-Encoding")
	for _, name := range passed {
		if values := call.Header[name]; len(values) > 0 {
			put.Header[name] = values
		}
	}
	p.speaks.header(call, put.Header)
	reply, err := p.sender.Handle(ctx, &put)
	if err != nil {
		return nil, err
	}
	reply.Attempt = call.Attempt
	reply.Header = answerHeader(reply.Header)
	if caller, ok := call.Dialect.(dialect); ok {
		caller.sign(call, reply.Header)
	}
	switch {
	case reply.Status >= http.StatusBadRequest:
		explain(reply, p.speaks)
	case reply.Status >= http.StatusMultipleChoices && reply.Status != http.StatusNotModified:
		// It is not followed, and where it leads is not the caller's to know.
		reply.Close()
		return nil, gateway.Errorf(gateway.UpstreamFailed, "the provider answered with status %d", reply.Status)
	default:
		kind, _, _ := strings.Cut(reply.Header.Get("Content-Type"), ";")
		reply.Stream = strings.EqualFold(strings.TrimSpace(kind), "text/event-stream") && reply.Header.Get("Content-Encoding") == ""
	}
	return reply, nil
}
