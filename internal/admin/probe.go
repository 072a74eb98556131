package admin

import (
	"encoding/json"
	"net/http"
	"time"
)

// Dependency is something outside that the daemon can do without for a while.
type Dependency struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	State string `json:"state"` // a few words: "2 of 3 endpoints", "exporting", "refused since …"
}

// Probe is what the probe port tells. All functions answer at once, from memory.
type Probe struct {
	Unready      func() string // why no calls should be sent here; "" where they should
	Dependencies func() []Dependency
	Metrics      http.Handler
	Seen         func(r *http.Request, status int) // told of each request; may be nil
}

// Handler serves GET and HEAD on /healthz, /readyz and /metrics. It never
// redirects: a kubelet takes a redirect for a success.
func (p *Probe) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := p.serve(w, r)
		if p.Seen != nil {
			p.Seen(r, status)
		}
	})
}

func (p *Probe) serve(w http.ResponseWriter, r *http.Request) int {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return p.answer(w, r, http.StatusMethodNotAllowed, "error", "only GET is answered here")
	}
	switch r.URL.Path {
	case "/healthz":
		// Whoever can answer is alive. Nothing outside may have a say here, or a
		// lost dependency would restart every replica at once.
		return p.answer(w, r, http.StatusOK, "ok", "")
	case "/readyz":
		if why := p.Unready(); why != "" {
			return p.answer(w, r, http.StatusServiceUnavailable, "unready", why)
		}
		for _, d := range p.Dependencies() {
			if !d.OK {
				return p.answer(w, r, http.StatusOK, "degraded", d.Name+": "+d.State)
			}
		}
		return p.answer(w, r, http.StatusOK, "ready", "")
	case "/metrics":
		p.Metrics.ServeHTTP(w, r)
		return http.StatusOK
	default:
		return p.answer(w, r, http.StatusNotFound, "error", "there are /healthz, /readyz and /metrics here")
	}
}

// answer writes one line, or with ?verbose a JSON object with the state of each
// dependency.
func (p *Probe) answer(w http.ResponseWriter, r *http.Request, status int, state, why string) int {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.URL.Query().Has("verbose") {
		h.Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(struct {
			Status       string       `json:"status"`
			Reason       string       `json:"reason,omitempty"`
			Dependencies []Dependency `json:"dependencies"`
		}{state, why, p.Dependencies()})
		return status
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	if why != "" {
		state += ": " + why
	}
	_, _ = w.Write([]byte(state + "\n")) // a probe that has gone needs no answer
	return status
}

// Server serves h on a probe or control listener. It outlives the drain of the
// data listener, so it is closed, not shut down.
func Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}
