package assemble

import (
	"net/http"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
	"github.com/spanway/spanway/internal/policy"
	"github.com/spanway/spanway/internal/provider"
	"github.com/spanway/spanway/internal/route"
)

// rest is the route of what is for a provider and has none of its own; none where
// there is no provider, or calls are redacted. It comes last.
func (b *builder) rest() []*route.Entry {
	rest := &route.Rest{Upstreams: map[string]route.Whole{}, Largest: int64(b.file.Limits.Upload), Taken: taken}
	for name, w := range b.wires {
		if w.settings.Dialect == "" || w.leased == nil {
			continue
		}
		if w.settings.Default {
			rest.Default = name
		}
		target := &gateway.Target{Upstream: name, Provider: w.provider()}
		how := provider.Settings{Dialect: llm.Dialect(w.settings.Dialect)}
		rest.Upstreams[name] = route.Whole{
			Anthropic: how.Dialect == llm.Anthropic,
			Handler: b.attempt(target, b.file.Attempt, w.sender, func(wire gateway.Handler) gateway.Handler {
				return provider.Passthrough(*target, how, wire)
			}),
		}
	}
	if len(rest.Upstreams) == 0 || b.file.Admission.Redact != nil { // what is not read cannot be redacted
		return nil
	}
	named := &gateway.Route{Name: "/v1/*", Template: "/v1/*"}
	policies := []gateway.Policy{policy.Unread(b.tools.Callers)}
	if b.file.Attempt.Resends() {
		policies = append(policies, policy.Hold(b.process.Memory))
	}
	return []*route.Entry{{
		Prefix: "/v1/", Route: named,
		Handler: b.pipeline(named, b.file.Admission, gateway.Chain(rest, policies...)),
	}}
}

// taken reports whether a path is that of an LLM route which reads bodies.
func taken(path string) bool {
	for _, o := range operations {
		if o.path == path && o.method == http.MethodPost {
			return true
		}
	}
	return false
}
