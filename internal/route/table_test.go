package route_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/route"
)

func entry(name, host, path, prefix string, methods ...string) *route.Entry {
	return &route.Entry{Host: host, Path: path, Prefix: prefix, Methods: methods, Route: &gateway.Route{Name: name}}
}

// TestAMethodIsRefusedAsSuch pins a trap of gorilla/mux, which forgets that only
// the method was wrong when the host of a later route matches.
func TestAMethodIsRefusedAsSuch(t *testing.T) {
	table := route.NewTable([]*route.Entry{
		entry("read", "", "/a/{x}", "", "GET"),
		entry("other", "a.com", "/a/b/c", "", "POST"),
	})
	_, err := table.Match(callTo("PUT", "a.com", "/a/1"))
	if e := gateway.AsError(err); e.Code != gateway.MethodNotAllowed || !slices.Equal(e.Allow, []string{"GET"}) {
		t.Errorf("PUT leads to %v, allowed are %v; want a 405 with GET", err, e.Allow)
	}
}

func callTo(method, host, path string) *gateway.Call {
	call := gateway.NewCall(method, path, nil)
	call.Host = host
	return call
}

func TestTheFirstEntryThatMatchesWins(t *testing.T) {
	table := route.NewTable([]*route.Entry{
		entry("chat", "", "/v1/chat/completions", "", "POST"),
		entry("model", "", "/v1/models/{id:.+}", "", "GET"),
		entry("shop", "shop.example.com", "/orders/{id}", ""),
		entry("order", "", "/orders/{id:[0-9]+}", "", "GET", "PUT"),
		entry("draft", "", "/orders/draft", "", "GET"),
		entry("new", "", "/orders/new", "", "POST"),
		entry("api", "", "", "/api"),
		entry("files", "", "", "/files/"),
		entry("tenant", "", "/{tenant}/users/{user}", "", "GET"),
		entry("late", "", "/late/users/x", "", "GET"),
		entry("root", "", "/", "", "GET"),
	})
	for _, c := range []struct {
		method, host, path string
		want               string // the entry, or the code and what is allowed
		params             string
	}{
		{"POST", "gateway", "/v1/chat/completions", "chat", ""},
		{"GET", "gateway", "/v1/chat/completions", "method_not_allowed [POST]", ""},
		{"POST", "gateway", "/v1/chat/completions/", "no_route []", ""},
		{"POST", "gateway", "/v1/Chat/completions", "no_route []", ""},
		{"GET", "gateway", "/v1/models/openai/gpt-5", "model", "map[id:openai/gpt-5]"},
		{"GET", "gateway", "/v1/models/", "no_route []", ""},
		{"GET", "shop.example.com", "/orders/draft", "shop", "map[id:draft]"},
		{"GET", "gateway", "/orders/7", "order", "map[id:7]"},
		{"GET", "gateway", "/orders/draft", "draft", "map[]"},
		{"POST", "gateway", "/orders/new", "new", "map[]"},
		{"DELETE", "gateway", "/orders/7", "method_not_allowed [GET PUT]", ""},
		{"DELETE", "gateway", "/api", "api", "map[]"},
		{"GET", "gateway", "/api/x/y", "api", "map[]"},
		{"GET", "gateway", "/apis", "no_route []", ""},
		{"GET", "gateway", "/files/x", "files", "map[]"},
		{"GET", "gateway", "/files", "no_route []", ""},
		{"GET", "gateway", "/acme/users/a%20b", "tenant", "map[tenant:acme user:a%20b]"},
		{"GET", "gateway", "/late/users/x", "tenant", "map[tenant:late user:x]"},
		{"GET", "gateway", "/", "root", "map[]"},
		{"POST", "gateway", "/", "method_not_allowed [GET]", ""},
	} {
		call := callTo(c.method, c.host, c.path)
		found, err := table.Match(call)
		var got string
		if err != nil {
			e := gateway.AsError(err)
			got = fmt.Sprintf("%s %v", e.Code, e.Allow)
		} else {
			got = found.Route.Name
			if call.Route != found.Route {
				t.Errorf("%s %s: the call was not told its route", c.method, c.path)
			}
			if params := fmt.Sprint(call.Params); params != c.params && len(call.Params) > 0 {
				t.Errorf("%s %s: the variables are %s, want %s", c.method, c.path, params, c.params)
			}
		}
		if got != c.want {
			t.Errorf("%s %s%s leads to %s, want %s", c.method, c.host, c.path, got, c.want)
		}
	}
}

// TestTheIndexChangesNothing compares the table with each entry alone, asked in
// their order, for random tables and requests.
func TestTheIndexChangesNothing(t *testing.T) {
	for seed := range uint64(250) {
		random := rand.New(rand.NewPCG(seed, 7)) // the same each time
		entries := randomEntries(random)
		table := route.NewTable(entries)
		for range 20 {
			call := callTo(pick(random, "GET", "POST", "PUT"), pick(random, "", "a.com", "b.com"), randomPath(random))
			want := oneByOne(entries, call)
			var got string
			if found, err := table.Match(call); err != nil {
				e := gateway.AsError(err)
				got = fmt.Sprintf("%s %v", e.Code, e.Allow)
			} else {
				got = fmt.Sprintf("%s %v", found.Route.Name, call.Params)
			}
			if strings.Replace(want, "map[]", "", 1) != strings.Replace(got, "map[]", "", 1) {
				t.Fatalf("seed %d: %s %s%s leads to %s, want %s, in\n%s", seed, call.Method, call.Host, call.Path, got, want, listed(entries))
			}
		}
	}
}

func pick(random *rand.Rand, from ...string) string { return from[random.IntN(len(from))] }

func randomEntries(random *rand.Rand) (entries []*route.Entry) {
	for i := range 1 + random.IntN(8) {
		e := &route.Entry{Route: &gateway.Route{Name: fmt.Sprintf("entry%d", i)}, Host: pick(random, "", "", "a.com")}
		if random.IntN(4) == 0 {
			e.Prefix = pick(random, "/", "/a", "/a/", "/b/c", "/ab")
		} else {
			e.Path = pick(random, "", "", "/a", "/b")
			for j := range 1 + random.IntN(2) {
				e.Path += pick(random, "/a", "/b", "/ab", "/c", "/", fmt.Sprintf("/{v%d}", j), fmt.Sprintf("/a{v%d:[bc]+}", j), fmt.Sprintf("/{v%d:.*}", j))
			}
		}
		for _, method := range []string{"GET", "POST"} {
			if random.IntN(3) == 0 {
				e.Methods = append(e.Methods, method)
			}
		}
		entries = append(entries, e)
	}
	return entries
}

func randomPath(random *rand.Rand) (path string) {
	for range 1 + random.IntN(3) {
		path += pick(random, "/a", "/b", "/ab", "/c", "/abc", "/a%20b", "/%61")
	}
	return path + pick(random, "", "", "/")
}

// oneByOne is what the table means.
func oneByOne(entries []*route.Entry, call *gateway.Call) string {
	for _, e := range entries {
		if vars, ok := alone(e, call, call.Method); ok {
			return fmt.Sprintf("%s %v", e.Route.Name, vars)
		}
	}
	var allowed []string
	for _, method := range route.Methods() {
		if slices.ContainsFunc(entries, func(e *route.Entry) bool { _, ok := alone(e, call, method); return ok }) {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		return fmt.Sprintf("%s %v", gateway.MethodNotAllowed, allowed)
	}
	return fmt.Sprintf("%s %v", gateway.NoRoute, allowed)
}

// alone asks gorilla/mux about one entry.
func alone(e *route.Entry, call *gateway.Call, method string) (vars map[string]string, ok bool) {
	if len(e.Methods) > 0 && !slices.Contains(e.Methods, method) || e.Host != "" && e.Host != call.Host {
		return nil, false
	}
	if e.Prefix != "" {
		return nil, call.Path == e.Prefix || strings.HasPrefix(call.Path, strings.TrimSuffix(e.Prefix, "/")+"/")
	}
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	router.Path(e.Path).Handler(http.NotFoundHandler())
	path, err := url.PathUnescape(call.Path)
	if err != nil {
		return nil, false
	}
	var match mux.RouteMatch
	ok = router.Match(&http.Request{Method: method, URL: &url.URL{Path: path, RawPath: call.Path}}, &match)
	return match.Vars, ok && match.MatchErr == nil
}

func listed(entries []*route.Entry) string {
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%s host=%q path=%q prefix=%q methods=%v\n", e.Route.Name, e.Host, e.Path, e.Prefix, e.Methods)
	}
	return b.String()
}
