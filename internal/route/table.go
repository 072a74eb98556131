package route

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/spanway/spanway/internal/gateway"
)

var everyMethod = Methods()

// Entry is one line of the table: what is matched, and what it leads to.
type Entry struct {
	Host    string // exact, lower case, without a port; "" is any
	Path    string // gorilla/mux's template
	Prefix  string // instead of Path
	Methods []string
	Route   *gateway.Route
	Handler gateway.Handler
}

// Table finds the entry of a call. The first entry that matches wins, in the
// order in which they were given.
//
// gorilla/mux tries its routes one by one, most of them by a regular
// expression. So an index stands in front: a map of whole literal paths, then a
// router for each literal first segment. Neither changes which entry wins.
type Table struct {
	exact    map[string][]*Entry    // path -> entries, where no earlier entry could win
	segments map[string]*mux.Router // first segment -> the entries that can match it
	rest     *mux.Router            // entries whose first segment is a variable
}

// NewTable returns a table of entries. Templates are valid: config checked them.
func NewTable(entries []*Entry) *Table {
	t := &Table{exact: map[string][]*Entry{}, segments: map[string]*mux.Router{}, rest: newRouter()}
	for _, e := range entries {
		if segment, ok := firstSegment(e); ok && t.segments[segment] == nil {
			t.segments[segment] = newRouter()
		}
	}
	open := false // an entry with a variable first segment came before
	shadowed := map[string]bool{}
	for _, e := range entries {
		segment, literal := firstSegment(e)
		if !literal {
			open = true
			e.add(t.rest)
			for _, router := range t.segments {
				e.add(router)
			}
			continue
		}
		e.add(t.segments[segment])
		switch {
		case e.Path != "" && !strings.ContainsAny(e.Path, "{}") && !open && !shadowed[segment] && e.Host == "":
			t.exact[e.Path] = append(t.exact[e.Path], e)
		default:
			shadowed[segment] = true // later literals below it must ask mux, which keeps the order
		}
	}
	return t
}

// newRouter returns a router that neither cleans paths nor redirects: a request
// means what it says, or is refused before it comes here.
func newRouter() *mux.Router { return mux.NewRouter().SkipClean(true).UseEncodedPath() }

func (e *Entry) add(router *mux.Router) {
	r := router.NewRoute()
	if e.Host != "" {
		r = r.Host(e.Host)
	}
	if e.Prefix != "" {
		r = r.MatcherFunc(func(req *http.Request, _ *mux.RouteMatch) bool { return under(e.Prefix, req.URL.EscapedPath()) })
	} else {
		r = r.Path(e.Path)
	}
	r.Methods(e.methods()...).Handler(handler{e})
}

func (e *Entry) methods() []string {
	if len(e.Methods) == 0 {
		return everyMethod
	}
	return e.Methods
}

// under reports whether path is prefix or lies below it: /api is not over /apis.
func under(prefix, path string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/' || strings.HasSuffix(prefix, "/"))
}

// handler carries an entry through mux, which wants an http.Handler.
type handler struct{ *Entry }

// ServeHTTP is never called: the table is only asked.
func (handler) ServeHTTP(http.ResponseWriter, *http.Request) {}

// firstSegment returns the first segment of an entry's path, and whether it is
// literal.
func firstSegment(e *Entry) (string, bool) {
	path := e.Path
	if e.Prefix != "" {
		path = e.Prefix
	}
	segment, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return segment, segment != "" && !strings.ContainsAny(segment, "{}")
}

// Match finds the entry of a call and fills in its route and the variables of
// its path. Where there is none the error is NoRoute, or MethodNotAllowed with
// the methods that would do.
func (t *Table) Match(call *gateway.Call) (*Entry, error) {
	if candidates, ok := t.exact[call.Path]; ok {
		for _, e := range candidates {
			if slices.Contains(e.methods(), call.Method) {
				call.Route = e.Route
				return e, nil
			}
		}
	}
	segment, _, _ := strings.Cut(call.Path[1:], "/")
	router, ok := t.segments[segment]
	if !ok {
		router = t.rest
	}
	// mux reads the method, the host and the escaped path, and nothing else.
	path, err := url.PathUnescape(call.Path)
	if err != nil {
		return nil, gateway.Errorf(gateway.Invalid, "the path is not well encoded").Because(err)
	}
	req := &http.Request{Method: call.Method, Host: call.Host, URL: &url.URL{Path: path, RawPath: call.Path, Host: call.Host}}
	var match mux.RouteMatch
	if router.Match(req, &match) {
		e := match.Handler.(handler).Entry //nolint:forcetypeassert // add gives nothing else
		call.Route, call.Params = e.Route, match.Vars
		return e, nil
	}
	// mux's ErrMethodMismatch is not asked: it is lost when the host of a later
	// route matches.
	if allowed := t.allowed(router, req); len(allowed) > 0 {
		e := gateway.Errorf(gateway.MethodNotAllowed, "%s is not allowed here", call.Method)
		e.Allow = allowed
		return nil, e
	}
	return nil, gateway.Errorf(gateway.NoRoute, "there is nothing at %s %s", call.Method, call.Path)
}

// allowed lists the methods with which a request would find an entry.
func (t *Table) allowed(router *mux.Router, req *http.Request) (methods []string) {
	for _, method := range everyMethod {
		var match mux.RouteMatch
		req.Method = method
		if router.Match(req, &match) {
			methods = append(methods, method)
		}
	}
	return methods
}
