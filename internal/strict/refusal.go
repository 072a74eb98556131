package strict

import (
	"net/http"
	"net/url"
	"strings"
)

// Refusal says why strict let a request not pass.
type Refusal struct {
	Status  int    // of the answer
	Reason  string // one word, from the list in this file: safe as a metric's label
	Message string // one sentence for the client, without anything the client sent
	Close   bool   // the connection cannot go on
	Method  string // as sent, "" if it is not known; a token of at most 32 bytes
	Path    string // as sent, "" if it is not known; printable, at most 256 bytes
}

// Error is a request's body that broke its framing; reading the body returns
// it. By then net/http has cancelled the context of the request: answer without
// it. The connection ends with the answer.
type Error struct{ Refusal }

// Error implements error.
func (e *Error) Error() string { return "strict: " + e.Reason + ": " + e.Message }

// reason is a Refusal's Reason. "" is none.
type reason string

const (
	// These leave no doubt where the next request begins.
	badMethod   reason = "bad_method"
	badTarget   reason = "bad_target"
	badQuery    reason = "bad_query"
	misdirected reason = "misdirected"

	// These end the connection.
	badRequestLine reason = "bad_request_line"
	badVersion     reason = "bad_version"
	http2Preface   reason = "http2_preface"
	tunnel         reason = "tunnel"
	badHeader      reason = "bad_header"
	badHost        reason = "bad_host"
	bareLF         reason = "bare_lf"
	bareCR         reason = "bare_cr"
	obsFold        reason = "obs_fold"
	badLength      reason = "bad_length"
	bothLengths    reason = "both_lengths"
	badCoding      reason = "bad_coding"
	unknownCoding  reason = "unknown_coding"
	codingOnHTTP10 reason = "te_on_http10"
	uriTooLong     reason = "uri_too_long"
	headTooLarge   reason = "head_too_large"
	tooManyHeaders reason = "too_many_headers"
	headTimeout    reason = "head_timeout"
	overloaded     reason = "overloaded"
	badChunk       reason = "bad_chunk"
	badTrailer     reason = "bad_trailer"
)

var answers = map[reason]struct {
	status  int
	message string
}{
	badMethod:      {http.StatusMethodNotAllowed, "The method is not one of GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS."},
	badTarget:      {http.StatusBadRequest, "The request target is not a plain absolute path: it has empty or dot segments, parameters, or characters or escapes that have no place in a path."},
	badQuery:       {http.StatusBadRequest, "The query has characters or escapes that have no place there, or uses \";\"."},
	misdirected:    {http.StatusMisdirectedRequest, "The request target names another authority than the Host header."},
	badRequestLine: {http.StatusBadRequest, "The request does not begin with a method, a target and an HTTP version."},
	badVersion:     {http.StatusHTTPVersionNotSupported, "The HTTP version is neither 1.0 nor 1.1."},
	http2Preface:   {http.StatusBadRequest, "HTTP/2 is not spoken on this connection."},
	tunnel:         {http.StatusMethodNotAllowed, "CONNECT is not offered."},
	badHeader:      {http.StatusBadRequest, "A header line is malformed."},
	badHost:        {http.StatusBadRequest, "There must be one Host header, with a host and, where needed, a port."},
	bareLF:         {http.StatusBadRequest, "A line of the head ends in LF without CR."},
	bareCR:         {http.StatusBadRequest, "The head has a CR that does not end a line."},
	obsFold:        {http.StatusBadRequest, "A header line is folded."},
	badLength:      {http.StatusBadRequest, "There must be at most one Content-Length header, a plain number."},
	bothLengths:    {http.StatusBadRequest, "The request has Content-Length and Transfer-Encoding."},
	badCoding:      {http.StatusBadRequest, "There must be at most one Transfer-Encoding header, and it must be \"chunked\"."},
	unknownCoding:  {http.StatusNotImplemented, "The transfer coding is not \"chunked\"."},
	codingOnHTTP10: {http.StatusBadRequest, "HTTP/1.0 has no Transfer-Encoding."},
	uriTooLong:     {http.StatusRequestURITooLong, "The request target is too long."},
	headTooLarge:   {http.StatusRequestHeaderFieldsTooLarge, "The head of the request is too large."},
	tooManyHeaders: {http.StatusRequestHeaderFieldsTooLarge, "The request has too many header lines."},
	headTimeout:    {http.StatusRequestTimeout, "The head of the request did not arrive in time."},
	overloaded:     {http.StatusServiceUnavailable, "Too many connections are open."},
	badChunk:       {http.StatusBadRequest, "The body's chunked coding is malformed."},
	badTrailer:     {http.StatusBadRequest, "The trailer of the body is malformed, too large, or has a field that may not stand there."},
}

func newRefusal(why reason) Refusal {
	answer := answers[why]
	return Refusal{Status: answer.status, Reason: string(why), Message: answer.message, Close: true}
}

// refused is the method of the requests that stand for refused ones. No client
// can send it: it is not one of the methods that pass.
const refused = "REFUSED"

// request writes the request that stands for the refused one.
func (r Refusal) request() []byte {
	query := url.Values{"method": {r.Method}, "path": {r.Path}}
	text := refused + " /" + r.Reason + "?" + query.Encode() + " HTTP/1.1\r\nHost: refused\r\n"
	if r.Close {
		text += "Connection: close\r\n"
	}
	return []byte(text + "\r\n")
}

// Refused reports whether the request stands for one that strict refused, and
// why. Over HTTP/2, which strict does not guard, a client may send such a method
// itself; it is refused as any unknown one.
func Refused(r *http.Request) (Refusal, bool) {
	if r.Method != refused {
		return Refusal{}, false
	}
	if r.ProtoMajor != 1 {
		return newRefusal(badMethod), true
	}
	refusal := newRefusal(reason(strings.TrimPrefix(r.URL.Path, "/")))
	query := r.URL.Query()
	refusal.Close, refusal.Method, refusal.Path = r.Close, query.Get("method"), query.Get("path")
	return refusal, true
}
