package upstream

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spanway/spanway/internal/check"
)

// Check reports what is wrong with the settings.
func (s Settings) Check(p check.Problems) {
	switch {
	case s.URL != "" && len(s.Endpoints) > 0:
		p.Addf("", "must have url or endpoints, has both")
	case s.URL == "" && len(s.Endpoints) == 0:
		p.Addf("", "must have url or endpoints, has neither")
	}
	if s.URL == "mock:" {
		if s.Dialect != "openai" {
			p.Addf("dialect", "must be openai, because the url is mock:")
		}
	} else if s.URL != "" {
		checkURL(p.At("url"), s.URL)
	}
	for i, endpoint := range s.Endpoints {
		checkURL(p.At("endpoints", i), endpoint)
		if slices.Contains(s.Endpoints[:i], endpoint) {
			p.At("endpoints", i).Addf("", "is there twice")
		}
	}
	switch s.Dialect {
	case "":
		if s.Default {
			p.Addf("default", "needs a dialect, because it takes model names")
		}
	case "openai", "responses", "anthropic":
	default:
		p.Addf("dialect", "must be openai, responses or anthropic, or absent for an ordinary service, is %q", s.Dialect)
	}
	if s.Responses != nil && s.Dialect != "openai" {
		p.Addf("responses", "needs the dialect openai, beside which /responses may be")
	}
	if s.DropUnsupported && s.Dialect == "" {
		p.Addf("drop_unsupported", "needs a dialect, because it is about the fields of chats")
	}
	if !visible(s.Provider) {
		p.Addf("provider", "must be a word such as openai, is %q", s.Provider)
	}
	if s.Auth.Header != "" && s.Auth.Query != "" {
		p.At("auth").Addf("", "must have header or query, has both")
	}
	if s.TLS != (TLS{}) && !s.https() {
		p.Addf("tls", "needs an https:// address")
	}
	for i, key := range s.Keys {
		if key.Empty() || !visible(key.Reveal()) {
			p.At("keys", i).Addf("", "must be printable ASCII without spaces, as it goes into a header")
		}
	}
}

// https reports whether any of the servers is spoken to by TLS.
func (s Settings) https() bool {
	return strings.HasPrefix(s.URL, "https:") ||
		slices.ContainsFunc(s.Endpoints, func(e string) bool { return strings.HasPrefix(e, "https:") })
}

// Check reports what is wrong with the settings.
func (a Auth) Check(p check.Problems) {
	if !isToken(a.Header) {
		p.Addf("header", "must be the name of a header field, is %q", a.Header)
	}
	switch http.CanonicalHeaderKey(a.Header) {
	case "Connection", "Content-Length", "Expect", "Host", "Keep-Alive", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		p.Addf("header", "must not be a field that frames or routes, is %q", a.Header)
	}
	if !visible(a.Query) {
		p.Addf("query", "must be the name of a parameter, is %q", a.Query)
	}
}

func isToken(text string) bool {
	for i := range len(text) {
		if !token[text[i]] || text[i] == '_' {
			return false
		}
	}
	return true
}

// visible reports whether there is nothing in a text but printable ASCII.
func visible(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// checkURL never shows the URL: it may hold a password.
func checkURL(p check.Problems, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		p.Addf("", "must be a URL such as http://orders:8080")
		return
	case u.User != nil:
		p.Addf("", "must not hold a user or a password; credentials go into keys")
		return
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#"):
		p.Addf("", "must not hold a query or a fragment")
		return
	}
	switch u.Scheme {
	case "http", "https":
		port, portErr := strconv.ParseUint(u.Port(), 10, 16)
		if u.Hostname() == "" || strings.HasSuffix(u.Host, ":") || u.Port() != "" && (portErr != nil || port == 0) {
			p.Addf("", "must name a host, and a port from 1 to 65535 if any, such as http://orders:8080")
		}
	case "unix":
		if u.Host != "" || !strings.HasPrefix(u.Path, "/") || u.Path == "/" {
			p.Addf("", "must be unix:///path with an absolute path")
		}
	case "mock":
		p.Addf("", "must be mock: and nothing else, as a url and not among endpoints")
	case "":
		p.Addf("", "must begin with http://, https:// or unix://")
	default:
		p.Addf("", "must begin with http://, https:// or unix://, begins with %q", u.Scheme+":")
	}
}

// Check reports what is wrong with the settings.
func (h Health) Check(p check.Problems) {
	if h.FailAfter < 0 {
		p.Addf("fail_after", "must be at least 0, is %d", h.FailAfter)
	}
	if h.ReviveIn < 0 || h.ReviveIn == 0 && h.FailAfter > 0 {
		p.Addf("revive_in", "must be more than 0s, is %s", h.ReviveIn)
	}
}
