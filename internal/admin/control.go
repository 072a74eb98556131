package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// Control is what the control listener can do. Whoever can open its socket may
// use it; on TCP they must show the token.
type Control struct {
	Token  string                         // "" on a unix socket
	Reload func() (changed bool, _ error) // reads the configuration again
	Config func() []byte                  // the configuration in force as YAML, without secrets

	Faults     func() any              // the faults that are put in on purpose now, as JSON shows them
	StartFault func(text []byte) error // starts one that is written as JSON
	StopFault  func(name string) (stopped bool)
}

// maxFault bounds what is read of a fault.
const maxFault = 64 << 10

// Handler serves POST /reload, GET /config, and the faults: GET and POST /faults,
// DELETE /faults/NAME.
func (c *Control) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.allowed(r) {
			say(w, http.StatusForbidden, map[string]any{"error": "the control token is needed"})
			return
		}
		if name, ok := strings.CutPrefix(r.URL.Path, "/faults/"); ok && r.Method == http.MethodDelete && name != "" {
			if !c.StopFault(name) {
				say(w, http.StatusNotFound, map[string]any{"error": "no such fault is running"})
				return
			}
			say(w, http.StatusOK, map[string]any{"stopped": name})
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
		case "GET /faults":
			say(w, http.StatusOK, map[string]any{"faults": c.Faults()})
		case "POST /faults":
			if err := c.start(r.Body); err != nil {
				say(w, http.StatusUnprocessableEntity, map[string]any{"error": err.Error()})
				return
			}
			say(w, http.StatusOK, map[string]any{"faults": c.Faults()})
		default:
			say(w, http.StatusNotFound, map[string]any{"error": "there are POST /reload, GET /config, GET and POST /faults, DELETE /faults/NAME here"})
		}
	})
}

func (c *Control) start(fault io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(fault, maxFault+1))
	switch {
	case err != nil:
		return err
	case len(text) > maxFault:
		return errors.New("a fault takes no more than 64 KiB")
	}
	return c.StartFault(text)
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
