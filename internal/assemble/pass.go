package assemble

import (
	"context"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
	"github.com/spanway/spanway/internal/provider"
	"github.com/spanway/spanway/internal/route"
)

// fallback is the upstream that takes what nothing else names; nil where there is
// none.
func (b *builder) fallback() *wired {
	for _, w := range b.wires {
		if !b.file.LLM.Off && b.file.LLM.Passthrough && w.settings.Default && w.settings.URL != mockURL {
			return w
		}
	}
	return nil
}

// passed is what goes to the default upstream unread. It is a list, and not all that
// nobody else claims: a path that a provider takes for a chat, and the gateway does
// not, must not lead around what guards chats.
var passed = []string{"audio", "batches", "files", "images", "moderations", "uploads", "vector_stores", "videos"}

func (b *builder) passEntries() []*route.Entry {
	w := b.fallback()
	if w == nil {
		return nil
	}
	entries := make([]*route.Entry, len(passed))
	for i, name := range passed {
		entries[i] = b.passEntry(w, "/v1/"+name)
	}
	return entries
}

// passEntry is a path with all below it. Who may ask for some models only may not
// ask for this, because nobody looks at which it names.
func (b *builder) passEntry(w *wired, prefix string) *route.Entry {
	named := &gateway.Route{Name: prefix, Template: prefix}
	target := &gateway.Target{Upstream: w.name, Provider: w.provider()}
	handler := b.attempt(target, b.file.Attempt, w.sender, func(wire gateway.Handler) gateway.Handler {
		return &provider.Pass{Dialect: llm.Dialect(w.settings.Dialect), Sender: wire}
	})
	return &route.Entry{Prefix: prefix, Route: named, Handler: b.pipeline(named, b.file.Admission, gateway.HandlerFunc(
		func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
			if !b.tools.Callers.May(call.Caller, "") {
				call.Note("scope", "refused")
				return nil, gateway.Errorf(gateway.Forbidden, "this API key may use some models only, and nothing else")
			}
			call.Note("route", "decided", gateway.Fact{Key: "upstream", Value: w.name}, gateway.Fact{Key: "by", Value: "default"})
			return handler.Handle(ctx, call)
		}))}
}
