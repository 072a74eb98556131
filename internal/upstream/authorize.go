package upstream

import (
	"context"
	"net/url"
	"strings"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/gateway"
)

// Authorizer gives the credentials of one attempt. It is asked for each, after
// the call has been encoded and its endpoint chosen, so that it may sign what is
// sent, or get a token from elsewhere before it goes on.
type Authorizer interface {
	Authorize(ctx context.Context, out Outgoing) (Credentials, error)
}

// Outgoing is what is about to be sent. None of it may be changed.
type Outgoing struct {
	Call   *gateway.Call // as it is encoded for the upstream
	Host   string        // the Host field, with the port if it is not the scheme's own
	Prefix string        // what stands in front of the call's path
}

// Path is the escaped path that is sent.
func (o Outgoing) Path() string { return o.Prefix + o.Call.Path }

// Body is the whole body, to be signed; not ok where it streams.
func (o Outgoing) Body() (body []byte, ok bool) {
	return o.Call.Body.Bytes, o.Call.Body.Replayable()
}

// Credentials are what an attempt goes out with. The caller's own fields and
// parameters of these names do not travel.
type Credentials struct {
	Fields []gateway.Fact // header fields
	Query  []gateway.Fact // parameters, escaped
}

// Authorize implements [Authorizer] for what is the same for every attempt.
func (c Credentials) Authorize(context.Context, Outgoing) (Credentials, error) { return c, nil }

// Auth says how a key is shown. By default it is a bearer token, or what the
// dialect asks for.
type Auth struct {
	Header string `yaml:"header"` // in this header field, as it is
	Query  string `yaml:"query"`  // in this parameter of the query
}

// authorizer returns what shows a key to the upstream.
func (s Settings) authorizer(key check.Secret) Authorizer {
	field := s.Auth.Header
	if field == "" && s.Dialect == "anthropic" {
		field = "X-Api-Key"
	}
	switch {
	case s.Auth.Query != "":
		return Credentials{Query: []gateway.Fact{{Key: url.QueryEscape(s.Auth.Query), Value: url.QueryEscape(key.Reveal())}}}
	case field != "":
		return Credentials{Fields: []gateway.Fact{{Key: field, Value: key.Reveal()}}}
	default:
		return Credentials{Fields: []gateway.Fact{{Key: "Authorization", Value: "Bearer " + key.Reveal()}}}
	}
}

// appendQuery writes the caller's query without what has the name of a
// credential, however it is escaped, and then the credentials.
func appendQuery(b []byte, query string, credentials []gateway.Fact) []byte {
	if len(credentials) == 0 {
		if query == "" {
			return b
		}
		return append(append(b, '?'), query...)
	}
	mark := byte('?')
	put := func(parameter string) {
		b = append(append(b, mark), parameter...)
		mark = '&'
	}
	for parameter := range strings.SplitSeq(query, "&") {
		if parameter != "" && !passesFor(parameter, credentials) {
			put(parameter)
		}
	}
	for _, f := range credentials {
		put(f.Key + "=" + f.Value)
	}
	return b
}

// passesFor reports whether a server could take a parameter of the caller for a
// credential. Some read ";" like "&", some care for no case, and what cannot be
// unescaped could be anything.
func passesFor(parameter string, credentials []gateway.Fact) bool {
	for part := range strings.SplitSeq(parameter, ";") {
		escaped, _, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(escaped)
		if err != nil {
			return true
		}
		for _, f := range credentials {
			if own, _ := url.QueryUnescape(f.Key); strings.EqualFold(own, name) {
				return true
			}
		}
	}
	return false
}
