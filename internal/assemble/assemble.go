// Package assemble joins the packages, by hand and in this one place:
// configuration in, a generation out. A generation is all that was built from
// one configuration; what lives longer belongs to the process and is handed in.
package assemble

import (
	"context"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/spanway/spanway/internal/admin"
	"github.com/spanway/spanway/internal/config"
	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
	"github.com/spanway/spanway/internal/observe"
	"github.com/spanway/spanway/internal/policy"
	"github.com/spanway/spanway/internal/provider"
	"github.com/spanway/spanway/internal/route"
	"github.com/spanway/spanway/internal/server"
	"github.com/spanway/spanway/internal/upstream"
)

// Process is what outlives a generation.
type Process struct {
	Observer *observe.Observer
	Pools    *upstream.Pools
	Memory   *policy.Memory
	Faults   *policy.Faults
	Budgets  *policy.Budgets
	Jitter   func(most time.Duration) time.Duration
	Breakers *policy.Breakers
	Limiters *policy.Limiters
	Paces    *policy.Paces
}

// Generation is everything built from one configuration.
type Generation struct {
	File *config.File
	Live *server.Live

	upstreams map[string]*wired
}

// wired is an upstream with its way to the wire.
type wired struct {
	name     string
	settings *upstream.Settings
	sender   gateway.Handler
	leased   *upstream.Upstream // nil for the mock provider
}

// builder is a generation on its way.
type builder struct {
	file    *config.File
	process *Process
	tools   policy.Tools
	wires   map[string]*wired
}

// New builds a generation. On error nothing is left behind.
func New(file *config.File, process *Process) (*Generation, error) {
	b := &builder{
		file: file, process: process, wires: map[string]*wired{},
		tools: policy.Tools{Callers: policy.NewCallers(file.Keys), Memory: process.Memory, Faults: process.Faults,
			Budgets: process.Budgets, Jitter: process.Jitter, Wait: process.Observer.Wait, Breakers: process.Breakers, Limiters: process.Limiters, Paces: process.Paces, Queue: process.Observer.Queue},
	}
	g := &Generation{File: file, upstreams: b.wires}
	if err := b.connect(); err != nil {
		g.Close()
		return nil, err
	}
	process.Memory.Resize(buffered(file))
	process.Faults.Allow(faulty(file))
	g.Live = &server.Live{
		Handler: b.front(route.NewTable(b.entries())),
		Dialect: provider.OpenAI,
		Trusted: file.TrustedProxies,
		Limits:  file.Limits,
	}
	return g, nil
}

// buffered is the room for bodies: that of the file, but no more than half of
// GOMEMLIMIT, where there is one. What calls hold cannot be collected, and half
// of the calls answered is better than a process killed with all of them.
func buffered(file *config.File) int64 {
	const ask = -1 // sets nothing
	return min(int64(file.Limits.Buffered), debug.SetMemoryLimit(ask)/2)
}

// faulty reports whether any pipeline lets faults in.
func faulty(file *config.File) bool {
	if file.Attempt.Fault != nil {
		return true
	}
	for _, model := range file.Models {
		if model.Attempt.Fault != nil {
			return true
		}
	}
	return slices.ContainsFunc(file.Routes, func(r config.Route) bool { return r.Attempt.Fault != nil })
}

// Close gives back what the generation has leased. Calls under way go on.
func (g *Generation) Close() {
	for _, w := range g.upstreams {
		if w.leased != nil {
			w.leased.Close()
		}
	}
}

// Dependencies tells the state of each upstream, from what calls have seen.
func (g *Generation) Dependencies() []admin.Dependency {
	var list []admin.Dependency
	for name, w := range g.upstreams {
		if w.leased != nil {
			ok, state := w.leased.State()
			list = append(list, admin.Dependency{Name: "upstream " + name, OK: ok, State: state})
		}
	}
	return list
}

func (b *builder) connect() error {
	for name, settings := range b.file.Upstreams {
		w := &wired{name: name, settings: settings}
		b.wires[name] = w
		if settings.URL == mockURL {
			w.sender = provider.NewMock()
			continue
		}
		leased, err := b.process.Pools.Open(name, *settings)
		if err != nil {
			return err
		}
		w.sender, w.leased = leased, leased
	}
	return nil
}

// mockURL names the built-in provider.
const mockURL = "mock:"

// front is what every call meets: the routing table, then the joint around the
// call, then the pipeline of its route. What the server refused, and what has no
// route, goes through the joint too, and becomes a trace.
func (b *builder) front(table *route.Table) gateway.Handler {
	refuse := func(err error) gateway.Handler {
		return b.process.Observer.Call(gateway.HandlerFunc(func(context.Context, *gateway.Call) (*gateway.Reply, error) {
			return nil, err
		}))
	}
	return gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
		if _, ok := call.Header["Anthropic-Version"]; ok {
			call.Dialect = provider.Anthropic // until a route says otherwise
		}
		if call.Refused != nil {
			return refuse(call.Refused).Handle(ctx, call)
		}
		entry, err := table.Match(call)
		if err != nil {
			return refuse(err).Handle(ctx, call)
		}
		if named := entry.Route; named.Dialect != nil && (named.Operation != llm.Models || call.Dialect != provider.Anthropic) {
			call.Dialect = named.Dialect
		}
		return entry.Handler.Handle(ctx, call)
	})
}

// entries is the routing table: the LLM routes, then those of the file.
func (b *builder) entries() []*route.Entry {
	var entries []*route.Entry
	if !b.file.LLM.Off {
		entries = b.llmEntries()
	}
	for i := range b.file.Routes {
		r := &b.file.Routes[i]
		named := &gateway.Route{Name: r.Name, Template: r.Path, Idempotent: r.Idempotent}
		if r.Prefix != "" {
			named.Template = r.Prefix
		}
		entries = append(entries, &route.Entry{
			Host: r.Host, Path: r.Path, Prefix: r.Prefix, Methods: r.Methods, Route: named,
			Handler: b.pipeline(named, *r.Admission, b.service(r)),
		})
	}
	if !b.file.LLM.Off && b.file.LLM.Passthrough {
		entries = append(entries, b.rest()...)
	}
	return entries
}

// pipeline puts the joint and the admission stretch in front of a route.
func (b *builder) pipeline(named *gateway.Route, admission policy.Admission, target gateway.Handler) gateway.Handler {
	return b.process.Observer.Call(gateway.Chain(target, admission.Admit(named, b.tools)...))
}

// service is the routing and attempt stretches of an ordinary route.
func (b *builder) service(r *config.Route) gateway.Handler {
	ways := make([]policy.Way, len(r.Targets))
	for i, t := range r.Targets {
		target := &gateway.Target{Upstream: t.Upstream}
		ways[i] = b.way(target, t, *r.Attempt, b.attempt(target, *r.Attempt, b.wires[t.Upstream].sender, plain))
	}
	handler := policy.Fallback("route", ways)
	if len(ways) > 1 || r.Attempt.Resends() {
		handler = policy.Hold(b.process.Memory)(handler)
	}
	return handler
}

// way is a target with the attempt stretch in front of it.
func (b *builder) way(target *gateway.Target, written route.Target, settings policy.Attempt, handler gateway.Handler) policy.Way {
	return policy.Way{Target: target, Handler: handler, For: gateway.Failure(written.For), Ready: settings.Ready(target, b.tools)}
}

// attempt puts the attempt stretch, and the joint around each attempt, in front
// of a target: its dialect and the wire.
func (b *builder) attempt(target *gateway.Target, settings policy.Attempt, wire gateway.Handler, dialect gateway.Policy) gateway.Handler {
	outside, within, before := settings.Around(target, b.tools)
	policies := append(append(outside, b.process.Observer.Attempt(target)), within...)
	return gateway.Chain(dialect(gateway.Chain(wire, before...)), policies...)
}

// plain is the dialect of ordinary services: none.
func plain(wire gateway.Handler) gateway.Handler { return wire }

// operations are the LLM routes. The list of models is there for the callers of
// every dialect; who sends anthropic-version gets it in Anthropic's.
var operations = []struct {
	method, path string
	operation    llm.Operation
	speaks       llm.Dialect
	dialect      gateway.Dialect
}{
	{http.MethodPost, "/v1/chat/completions", llm.Chat, llm.OpenAI, provider.OpenAI},
	{http.MethodPost, "/v1/completions", llm.Completion, llm.OpenAI, provider.OpenAI},
	{http.MethodPost, "/v1/embeddings", llm.Embeddings, llm.OpenAI, provider.OpenAI},
	{http.MethodPost, "/v1/responses", llm.Chat, llm.Responses, provider.Responses},
	{http.MethodPost, "/v1/messages", llm.Chat, llm.Anthropic, provider.Anthropic},
	{http.MethodPost, "/v1/messages/count_tokens", llm.CountTokens, llm.Anthropic, provider.Anthropic},
	{http.MethodGet, "/v1/models", llm.Models, llm.OpenAI, provider.OpenAI},
	{http.MethodGet, "/v1/models/{id:.+}", llm.Models, llm.OpenAI, provider.OpenAI},
}

func (b *builder) llmEntries() []*route.Entry {
	models := b.models()
	list := &provider.Models{
		Names: models.Listed(),
		May:   b.tools.Callers.May,
		Open: func(model string) (gateway.Handler, error) {
			if model != "" {
				return models.Find(model)
			}
			if open, ok := models.Upstreams[models.Default]; ok {
				return open(""), nil
			}
			return nil, nil //nolint:nilnil // there is no default provider, which is no error
		},
	}
	entries := make([]*route.Entry, 0, len(operations))
	for _, o := range operations {
		named := &gateway.Route{Name: o.path, Template: o.path, Operation: o.operation, Dialect: o.dialect, Speaks: o.speaks}
		var target gateway.Handler = models
		if o.operation == llm.Models {
			named.Template = template(o.path)
			target = list
		}
		entries = append(entries, &route.Entry{
			Path: o.path, Methods: []string{o.method}, Route: named,
			Handler: b.pipeline(named, b.file.Admission, target),
		})
	}
	return entries
}

// template is a path as http.route shows it: without the regular expressions.
func template(path string) string {
	if path == "/v1/models/{id:.+}" {
		return "/v1/models/{id}"
	}
	return path
}

// models are the names that callers may ask for.
func (b *builder) models() *route.Models {
	models := &route.Models{Names: map[string]gateway.Handler{}, Upstreams: map[string]route.Open{}}
	for name, m := range b.file.Models {
		ways := make([]policy.Way, len(m.Targets))
		for i, t := range m.Targets {
			b.process.Observer.Expect(t.Model)
			w := b.wires[t.Upstream]
			target := gateway.Target{Upstream: w.name, Provider: w.provider(), Model: t.Model}
			ways[i] = b.way(&target, t, *m.Attempt, b.model(target, *m.Attempt, w))
		}
		models.Names[name] = policy.Fallback("name", ways)
	}
	if !b.file.LLM.Passthrough {
		return models
	}
	for name, w := range b.wires {
		if w.settings.Dialect == "" {
			continue
		}
		if w.settings.Default {
			models.Default = name
		}
		models.Upstreams[name] = func(model string) gateway.Handler {
			return b.model(gateway.Target{Upstream: name, Provider: w.provider(), Model: model}, b.file.Attempt, w)
		}
	}
	return models
}

func (b *builder) model(target gateway.Target, settings policy.Attempt, w *wired) gateway.Handler {
	how := provider.Settings{Dialect: llm.Dialect(w.settings.Dialect), Responses: w.responses(), DropUnsupported: w.settings.DropUnsupported}
	return b.attempt(&target, settings, w.sender, func(wire gateway.Handler) gateway.Handler { return provider.New(target, how, wire) })
}

// responses reports whether an upstream takes Responses beside OpenAI's chats.
func (w *wired) responses() bool {
	if said := w.settings.Responses; said != nil {
		return *said
	}
	return w.settings.URL != mockURL && provider.TakesResponses(w.provider())
}

// provider is what spans call the one behind an upstream.
func (w *wired) provider() string {
	if w.settings.Provider != "" {
		return w.settings.Provider
	}
	return provider.Name(w.settings.URL, w.name)
}
