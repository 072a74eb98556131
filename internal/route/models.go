package route

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/spanway/spanway/internal/gateway"
)

// Models finds the target of a model's name: an entry of that name; else, where
// the name's first segment is an upstream ("openai/gpt-5"), that upstream gets
// the rest; else the default upstream gets the whole name; else it is NoModel.
type Models struct {
	Names     map[string]gateway.Handler // the configured names; they note what they decide
	Upstreams map[string]Open            // upstreams that take any name, by their own
	Default   string                     // the upstream that takes what nothing else names; "" is none

	opened opened
}

// opened keeps the handlers of names that pass through, so that a call need not
// build one. Callers make names up, so there is a bound; what is over it is
// built each time.
type opened struct {
	mu       sync.RWMutex
	handlers map[[2]string]gateway.Handler // by upstream and model
}

const maxOpened = 1000

func (o *opened) get(upstream, model string, open Open) gateway.Handler {
	key := [2]string{upstream, model}
	o.mu.RLock()
	handler, ok := o.handlers[key]
	full := len(o.handlers) >= maxOpened
	o.mu.RUnlock()
	if ok {
		return handler
	}
	handler = open(model)
	if full {
		return handler
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.handlers == nil {
		o.handlers = map[[2]string]gateway.Handler{}
	}
	o.handlers[key] = handler
	return handler
}

// Open makes the handler of an upstream that takes any model's name.
type Open func(model string) gateway.Handler

// Handle implements [gateway.Handler]. The call's body has been read.
func (m *Models) Handle(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
	handler, how, upstream, err := m.find(call.LLM.Model)
	if err != nil {
		return nil, err
	}
	if upstream != "" {
		call.Note("route", "decided", gateway.Fact{Key: "upstream", Value: upstream}, gateway.Fact{Key: "by", Value: how})
	}
	return handler.Handle(ctx, call)
}

// Find returns the handler that a name leads to.
func (m *Models) Find(name string) (gateway.Handler, error) {
	handler, _, _, err := m.find(name)
	return handler, err
}

// find looks a name up. how says by which rule, prefix or default, and which
// upstream gets the name; they are "" for a configured one.
func (m *Models) find(name string) (handler gateway.Handler, how, upstream string, err error) {
	if model, ok := m.Names[name]; ok {
		return model, "", "", nil
	}
	if prefix, rest, ok := strings.Cut(name, "/"); ok && rest != "" {
		if open, ok := m.Upstreams[prefix]; ok {
			return m.opened.get(prefix, rest, open), "prefix", prefix, nil
		}
	}
	if open, ok := m.Upstreams[m.Default]; ok {
		return m.opened.get(m.Default, name, open), "default", m.Default, nil
	}
	e := gateway.Errorf(gateway.NoModel, "there is no model %q", name)
	e.Param = "model"
	return nil, "", "", e
}

// Listed returns the configured names, sorted.
func (m *Models) Listed() []string {
	names := make([]string, 0, len(m.Names))
	for name := range m.Names {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
