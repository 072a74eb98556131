package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"
)

// Control is what the control listener can do. Whoever can open its socket may
// use it; on TCP they must show the token.
type Control struct {
	Token  string                         // "" on a unix socket
	Reload func() (changed bool, _ error) // reads the configuration again
	Config func() []byte                  // the configuration in force as YAML, without secrets
}

// Handler serves POST /reload and GET /config.
func (c *Control) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.allowed(r) {
			say(w, http.StatusForbidden, map[string]any{"error": "the control token is needed"})
			return
		}
		switch r.Method + " " + r.URL.Path {
		case "POST /reload":
			changed, err := c.Reload()
			if err != nil {
				say(w, http.StatusUnprocessableEntity, map[string]any{"error": err.Error()})
				return
			}
			say(w, http.StatusOK, map[string]any{"changed": changed})
		case "GET /config":
			w.Header().Set("Content-Type", "application/yaml")
			_, _ = w.Write(c.Config()) // who asked and left has no use for it
		default:
			say(w, http.StatusNotFound, map[string]any{"error": "there are POST /reload and GET /config here"})
		}
	})
}

// allowed also refuses browsers, which send an Origin for every page that would
// like to reach a port of its reader's machine.
func (c *Control) allowed(r *http.Request) bool {
	if r.Header.Get("Origin") != "" {
		return false
	}
	if c.Token == "" {
		return true
	}
	shown, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	a, b := sha256.Sum256([]byte(shown)), sha256.Sum256([]byte(c.Token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

func say(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
