package admin_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/spanway/spanway/internal/admin"
)

// ask sends one request to a handler.
func ask(t *testing.T, h http.Handler, method, target string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	maps.Copy(r.Header, header)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// probe is one that is ready, and its dependencies fine, unless changed.
func probe() *admin.Probe {
	return &admin.Probe{
		Unready:      func() string { return "" },
		Dependencies: func() []admin.Dependency { return []admin.Dependency{{Name: "redis", OK: true, State: "connected"}} },
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "a_metric 1\n")
		}),
	}
}

func TestProbeTellsAliveFromReady(t *testing.T) {
	broken := func() []admin.Dependency {
		return []admin.Dependency{{Name: "telemetry", OK: true}, {Name: "redis", OK: false, State: "refused"}}
	}
	for _, c := range []struct {
		name     string
		draining bool
		broken   bool
		path     string
		status   int
		answer   string
	}{
		{name: "alive", path: "/healthz", status: 200, answer: "ok\n"},
		{name: "alive while it drains", draining: true, path: "/healthz", status: 200, answer: "ok\n"},
		{name: "alive without what it needs", broken: true, path: "/healthz", status: 200, answer: "ok\n"},
		{name: "ready", path: "/readyz", status: 200, answer: "ready\n"},
		{name: "not ready while it drains", draining: true, path: "/readyz", status: 503, answer: "unready: draining\n"},
		{name: "ready without what it needs: other replicas see the same", broken: true, path: "/readyz", status: 200, answer: "degraded: redis: refused\n"},
		{name: "metrics", path: "/metrics", status: 200, answer: "a_metric 1\n"},
		{name: "nothing else", path: "/", status: 404, answer: "error: there are /healthz, /readyz and /metrics here\n"},
		{name: "no redirect from a slash", path: "/healthz/", status: 404, answer: "error: there are /healthz, /readyz and /metrics here\n"},
		{name: "no redirect from two slashes", path: "//healthz", status: 404, answer: "error: there are /healthz, /readyz and /metrics here\n"},
		{name: "no profiles", path: "/debug/pprof/", status: 404, answer: "error: there are /healthz, /readyz and /metrics here\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := probe()
			if c.draining {
				p.Unready = func() string { return "draining" }
			}
			if c.broken {
				p.Dependencies = broken
			}
			w := ask(t, p.Handler(), http.MethodGet, "http://probe"+c.path, nil)
			if w.Code != c.status || w.Body.String() != c.answer || w.Header().Get("Location") != "" {
				t.Errorf("GET %s: %d %q %v, want %d %q", c.path, w.Code, w.Body, w.Header(), c.status, c.answer)
			}
		})
	}
}

func TestProbeAnswersGetAndHeadOnly(t *testing.T) {
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "gEt"} {
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			if w := ask(t, probe().Handler(), method, path, nil); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %d, allowed is %q", method, path, w.Code, w.Header().Get("Allow"))
			}
		}
	}
	if w := ask(t, probe().Handler(), http.MethodHead, "/readyz", nil); w.Code != http.StatusOK {
		t.Errorf("HEAD /readyz: %d", w.Code)
	}
}

func TestProbeIsVerboseIfAsked(t *testing.T) {
	w := ask(t, probe().Handler(), http.MethodGet, "/readyz?verbose", nil)
	var said struct {
		Status       string
		Dependencies []admin.Dependency
	}
	if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil {
		t.Fatal(err)
	}
	want := []admin.Dependency{{Name: "redis", OK: true, State: "connected"}}
	if said.Status != "ready" || !slices.Equal(said.Dependencies, want) || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("said %+v, headers %v", said, w.Header())
	}
}

func TestProbeTellsWhoAsked(t *testing.T) {
	p := probe()
	var seen []string
	p.Seen = func(r *http.Request, status int) { seen = append(seen, r.URL.Path+" "+http.StatusText(status)) }
	ask(t, p.Handler(), http.MethodGet, "/healthz", nil)
	ask(t, p.Handler(), http.MethodGet, "/nothing", nil)
	if strings.Join(seen, ", ") != "/healthz OK, /nothing Not Found" {
		t.Errorf("seen %q", seen)
	}
}
