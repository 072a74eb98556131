package server

import (
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/strict"
)

// kind says what becomes of a header.
type kind int

const (
	travels  kind = iota
	hopByHop      // it concerns one connection (RFC 9110 §7.6.1), or was made to
	spoken        // a proxy says whom it forwards for: from a peer that is not trusted, a lie until proven otherwise
)

// kinds of the headers that do not simply travel.
var kinds = map[string]kind{
	"Connection": hopByHop, "Keep-Alive": hopByHop, "Proxy-Connection": hopByHop, "Proxy-Authenticate": hopByHop,
	"Proxy-Authorization": hopByHop, "Te": hopByHop, "Trailer": hopByHop, "Transfer-Encoding": hopByHop,
	"Upgrade": hopByHop, "Http2-Settings": hopByHop, "Expect": hopByHop, "Content-Length": hopByHop,

	"Forwarded": spoken, "X-Forwarded-For": spoken, "X-Forwarded-Host": spoken, "X-Forwarded-Proto": spoken,
	"X-Forwarded-Port": spoken, "X-Forwarded-Prefix": spoken, "X-Forwarded-Uri": spoken, "X-Forwarded-Server": spoken,
	"X-Real-Ip": spoken, "X-Original-Url": spoken, "X-Rewrite-Url": spoken,
}

// credentials are the headers in which a caller may show a key. They are ours to
// read and never travel on.
var credentials = []string{"Authorization", "X-Api-Key", "Api-Key"}

// newCall makes a call of a request.
func newCall(r *http.Request, from *client, control *http.ResponseController, live *Live) (*gateway.Call, *clientBody) {
	call := gateway.NewCall(r.Method, r.URL.EscapedPath(), r.Header)
	call.Dialect = live.Dialect
	call.Query = r.URL.RawQuery
	call.Host = hostOnly(r.Host)
	call.Proto = strings.TrimPrefix(r.Proto, "HTTP/")
	call.Peer = from.peer
	call.Trusted = trusted(call.Peer, live.Trusted)
	call.Insight = call.Trusted // until auth knows whose key it is: a trusted peer may forward for anybody
	if refusal, ok := strict.Refused(r); ok {
		call.Refused = refused(refusal)
		call.Method, call.Path, call.Query, call.Host = refusal.Method, refusal.Path, "", ""
	}
	if call.Refused == nil && upgrades(call.Header["Upgrade"]) {
		call.Refused = gateway.Errorf(gateway.NotImplemented, "WebSocket is not passed on")
		call.Refused.Reason = "websocket"
	}
	takeCredential(call)
	takeExplain(call)
	clean(call, r, from)
	call.ID = requestID(call)
	body := &clientBody{
		reader: r.Body, limit: int64(live.Limits.Body), length: r.ContentLength,
		began: call.Received, control: control,
	}
	if r.ContentLength == 0 {
		body.err = io.EOF
		return call, body
	}
	call.Body = gateway.Body{Reader: body, Length: r.ContentLength, Limit: int64(live.Limits.Body)}
	return call, body
}

var refusalCodes = map[int]gateway.Code{
	http.StatusMethodNotAllowed:            gateway.MethodNotAllowed,
	http.StatusRequestTimeout:              gateway.ClientTimeout,
	http.StatusRequestURITooLong:           gateway.URITooLong,
	http.StatusMisdirectedRequest:          gateway.Misdirected,
	http.StatusRequestHeaderFieldsTooLarge: gateway.HeadTooLarge,
	http.StatusNotImplemented:              gateway.NotImplemented,
	http.StatusServiceUnavailable:          gateway.Overloaded,
	http.StatusHTTPVersionNotSupported:     gateway.BadVersion,
}

// methods are those that strict lets pass.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// refused is strict's verdict in the gateway's words.
func refused(r strict.Refusal) *gateway.Error {
	code, ok := refusalCodes[r.Status]
	if !ok {
		code = gateway.Invalid
	}
	e := gateway.Errorf(code, "%s", r.Message)
	e.Reason = r.Reason
	if code == gateway.MethodNotAllowed {
		e.Allow = methods
	}
	return e
}

// upgrades reports whether a client wants to go on in WebSocket. Passed on as if
// it did not, its call would end in an answer that makes no sense to it.
func upgrades(to []string) bool {
	return slices.ContainsFunc(to, func(line string) bool {
		for word := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(word), "websocket") {
				return true
			}
		}
		return false
	})
}

// hostOnly returns a Host header's host, in lower case, without its port.
func hostOnly(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return strings.ToLower(host)
}

// trusted reports whether a peer may say things about others: it is on this
// machine, or in a network that the configuration trusts.
func trusted(peer netip.AddrPort, networks []netip.Prefix) bool {
	address := peer.Addr().Unmap()
	return !peer.IsValid() || address.IsLoopback() ||
		slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(address) })
}

// takeCredential moves what the caller shows out of the headers.
func takeCredential(call *gateway.Call) {
	for _, name := range credentials {
		values, ok := call.Header[name]
		if !ok {
			continue
		}
		delete(call.Header, name)
		if call.Credential == "" && len(values) == 1 {
			call.Credential = bare(values[0])
		}
	}
}

// bare takes the scheme off a credential.
func bare(value string) string {
	if scheme, key, ok := strings.Cut(value, " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(key)
	}
	return value
}

// clean takes out what does not travel, and says whom the call is forwarded for.
// What Connection names goes first, so that it cannot name what is set here.
func clean(call *gateway.Call, r *http.Request, from *client) {
	h := call.Header
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for name := range h {
		switch what := kinds[name]; {
		case what == hopByHop, what == spoken && !call.Trusted:
			delete(h, name)
		case strings.IndexByte(name, '_') >= 0:
			delete(h, name) // some servers read "_" as "-"
		}
	}
	forwarded := h["X-Forwarded-For"]
	if from.address != "" {
		forwarded = append(forwarded, from.address)
	}
	if len(forwarded) > 0 {
		h["X-Forwarded-For"] = []string{strings.Join(forwarded, ", ")}
	}
	if h["X-Forwarded-Host"] == nil && r.Host != "" {
		h["X-Forwarded-Host"] = []string{r.Host}
	}
	if h["X-Forwarded-Proto"] == nil {
		h["X-Forwarded-Proto"] = cleartext
	}
}

// cleartext is what X-Forwarded-Proto says of every call. Nobody writes to it.
var cleartext = []string{"http"}

const maxRequestID = 128

// requestID returns the caller's id for the request, if it may set one and the
// id can stand in a log, else a new one.
func requestID(call *gateway.Call) string {
	if given := call.Header["X-Request-Id"]; call.Trusted && len(given) == 1 && plain(given[0]) {
		return given[0]
	}
	var raw [16]byte
	var text [2 * len(raw)]byte
	for i := 0; i < len(raw); i += 8 {
		n := rand.Uint64()
		for j := range 8 {
			raw[i+j] = byte(n >> (8 * j))
		}
	}
	hex.Encode(text[:], raw[:])
	id := string(text[:])
	call.Header["X-Request-Id"] = []string{id}
	return id
}

func plain(s string) bool {
	return s != "" && len(s) <= maxRequestID && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}
