package admin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/spanway/spanway/internal/admin"
)

// control counts what it was told to do.
type control struct {
	admin.Control
	reloads int
	faults  []string
}

func newControl(token string) *control {
	c := new(control)
	c.Control = admin.Control{
		Token:  token,
		Reload: func() (bool, error) { c.reloads++; return true, nil },
		Config: func() []byte { return []byte("listen: {}\n") },
		Faults: func() any { return c.faults },
		StartFault: func(text []byte) error {
			if string(text) == "nonsense" {
				return errors.New("it makes no sense")
			}
			c.faults = append(c.faults, string(text))
			return nil
		},
		StopFault: func(name string) bool {
			i := slices.Index(c.faults, name)
			if i >= 0 {
				c.faults = slices.Delete(c.faults, i, i+1)
			}
			return i >= 0
		},
	}
	return c
}

func TestControlDoesWhatItsSocketsOwnerSays(t *testing.T) {
	c := newControl("")
	if w := ask(t, c.Handler(), http.MethodPost, "/reload", nil); w.Code != http.StatusOK || w.Body.String() != `{"changed":true}`+"\n" || c.reloads != 1 {
		t.Errorf("POST /reload: %d %s, %d reloads", w.Code, w.Body, c.reloads)
	}
	if w := ask(t, c.Handler(), http.MethodGet, "/config", nil); w.Code != http.StatusOK || w.Body.String() != "listen: {}\n" {
		t.Errorf("GET /config: %d %s", w.Code, w.Body)
	}
	c.Reload = func() (bool, error) { return false, errors.New("spanway.yaml:1:1: no") }
	if w := ask(t, c.Handler(), http.MethodPost, "/reload", nil); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "spanway.yaml:1:1: no") {
		t.Errorf("a reload that failed: %d %s", w.Code, w.Body)
	}
}

func TestControlDoesNothingElse(t *testing.T) {
	c := newControl("")
	for _, target := range []string{"GET /reload", "HEAD /reload", "PUT /reload", "POST /config", "GET /", "POST /reload/", "POST //reload", "GET /config/", "GET /healthz", "PUT /faults", "DELETE /faults", "DELETE /faults/", "GET /faults/a", "POST /faults/a"} {
		method, path, _ := strings.Cut(target, " ")
		if w := ask(t, c.Handler(), method, "http://control"+path, nil); w.Code != http.StatusNotFound || w.Header().Get("Location") != "" {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
	if c.reloads != 0 {
		t.Errorf("%d reloads", c.reloads)
	}
}

func TestControlStartsAndStopsFaults(t *testing.T) {
	c := newControl("")
	tell := func(method, path, body string, status int, want string) {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), method, "http://control"+path, strings.NewReader(body))
		w := httptest.NewRecorder()
		c.Handler().ServeHTTP(w, r)
		if w.Code != status || w.Body.String() != want+"\n" {
			t.Errorf("%s %s: %d %s, want %d %s", method, path, w.Code, w.Body, status, want)
		}
	}
	tell(http.MethodPost, "/faults", "a", 200, `{"faults":["a"]}`)
	tell(http.MethodPost, "/faults", "b", 200, `{"faults":["a","b"]}`)
	tell(http.MethodPost, "/faults", "nonsense", 422, `{"error":"it makes no sense"}`)
	tell(http.MethodDelete, "/faults/a", "", 200, `{"stopped":"a"}`)
	tell(http.MethodDelete, "/faults/a", "", 404, `{"error":"no such fault is running"}`)
	tell(http.MethodGet, "/faults", "", 200, `{"faults":["b"]}`)
	tell(http.MethodPost, "/faults", strings.Repeat("x", 65<<10), 422, `{"error":"a fault takes no more than 64 KiB"}`)
}

func TestControlAsksForItsToken(t *testing.T) {
	for _, c := range []struct {
		name, authorization string
		may                 bool
	}{
		{"the token", "Bearer s3cret", true},
		{"nothing", "", false},
		{"another token", "Bearer s3cre", false},
		{"a longer one", "Bearer s3crett", false},
		{"none", "Bearer ", false},
		{"another scheme", "Basic s3cret", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			control := newControl("s3cret")
			header := http.Header{}
			if c.authorization != "" {
				header.Set("Authorization", c.authorization)
			}
			w := ask(t, control.Handler(), http.MethodPost, "/reload", header)
			if may := w.Code == http.StatusOK; may != c.may || !c.may && w.Code != http.StatusForbidden || (control.reloads == 1) != c.may {
				t.Errorf("%d, %d reloads", w.Code, control.reloads)
			}
			for _, path := range []string{"/config", "/faults"} {
				if w := ask(t, control.Handler(), http.MethodGet, path, header); (w.Code == http.StatusOK) != c.may {
					t.Errorf("GET %s: %d", path, w.Code)
				}
			}
			if strings.Contains(w.Body.String(), "s3cret") {
				t.Errorf("the answer shows the token: %s", w.Body)
			}
		})
	}
}

func TestControlRefusesBrowsers(t *testing.T) {
	for _, token := range []string{"", "s3cret"} {
		c := newControl(token)
		header := http.Header{"Origin": {"http://example.com"}, "Authorization": {"Bearer s3cret"}}
		if w := ask(t, c.Handler(), http.MethodPost, "/reload", header); w.Code != http.StatusForbidden || c.reloads != 0 {
			t.Errorf("a page may reload: %d", w.Code)
		}
		header["Origin"] = []string{"null"}
		if w := ask(t, c.Handler(), http.MethodGet, "/config", header); w.Code != http.StatusForbidden {
			t.Errorf("a page may read the configuration: %d", w.Code)
		}
	}
}
