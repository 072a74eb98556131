package provider

import (
	"context"
	"net/http"
	"strings"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// Pass sends on what the gateway does not read: audio, images, files, batches and
// all else that a provider has under its /v1. Bodies stream, whatever is in them;
// the account behind the key is the gateway's, so headers are sifted as ever.
type Pass struct {
	Dialect llm.Dialect
	Sender  gateway.Handler
}

// Handle implements [gateway.Handler].
func (p *Pass) Handle(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
	put := *call
	put.Path = strings.TrimPrefix(call.Path, "/v1")
	put.Header = requestHeader(call)
	for _, name := range []string{"Content-Type", "Accept-Encoding", "Range"} {
		delete(put.Header, name)
		if values := call.Header[name]; len(values) > 0 {
			put.Header[name] = values
		}
	}
	dialectOf(p.Dialect, "").header(call, put.Header)
	reply, err := p.Sender.Handle(ctx, &put)
	if err != nil {
		return nil, err
	}
	if reply.Status >= 300 && reply.Status < 400 && reply.Status != http.StatusNotModified {
		// Where it leads is not the caller's to know.
		reply.Close()
		return nil, gateway.Errorf(gateway.UpstreamFailed, "the provider answered with status %d", reply.Status)
	}
	reply.Header = answerHeader(reply.Header)
	return reply, nil
}
