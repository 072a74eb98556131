package route

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/spanway/spanway/internal/gateway"
)

// Rest is where calls go that are for a provider and are not translated: to the
// upstream that the header x-spanway-upstream names, else to the default one. The
// model is not looked for in such a call. Its body may be of any kind, and of a
// size that is not worth holding for the sake of a name.
type Rest struct {
	Upstreams map[string]Whole
	Default   string // "" is none
	Largest   int64  // of a body
	Taken     func(path string) bool
}

// Whole is an upstream that takes calls as they are.
type Whole struct {
	Handler   gateway.Handler
	Anthropic bool // it speaks Anthropic's dialect, not OpenAI's
}

const chooses = "X-Spanway-Upstream"

// Handle implements [gateway.Handler].
func (r *Rest) Handle(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
	name, by := r.Default, "default"
	if asked := call.Header.Get(chooses); asked != "" {
		name, by = asked, "header"
	}
	whole, ok := r.Upstreams[name]
	_, anthropic := call.Header["Anthropic-Version"]
	switch path, err := url.PathUnescape(call.Path); {
	case err != nil || r.Taken(strings.ToLower(strings.TrimRight(path, "/"))) && call.Method == http.MethodPost:
		// A route that reads the body is meant: nothing may go past it by a spelling.
		return nil, refuse(call, "there is nothing at %s %s", call.Method, call.Path)
	case !ok && by == "header":
		return nil, refuse(call, "there is no upstream %q for this", name)
	case !ok:
		return nil, refuse(call, "there is no default upstream for %s %s: name one in the header x-spanway-upstream", call.Method, call.Path)
	case anthropic && !whole.Anthropic:
		return nil, refuse(call, "the upstream %q does not speak Anthropic's dialect: name one that does in the header x-spanway-upstream", name)
	}
	call.Body.Extend(r.Largest)
	call.Note("route", "decided", gateway.Fact{Key: "upstream", Value: name}, gateway.Fact{Key: "by", Value: by})
	return whole.Handler.Handle(ctx, call)
}

func refuse(call *gateway.Call, format string, args ...any) error {
	call.Note("route", "refused")
	return gateway.Errorf(gateway.NoRoute, format, args...)
}
