package strict

import (
	"bytes"
	"time"
)

// Limits bound a request's head. All but HeadTimeout must be positive.
type Limits struct {
	Head    int64 // bytes, from the method to the empty line
	URI     int64 // bytes of the request target
	Headers int   // header lines; and trailer lines

	// HeadTimeout bounds the time from a head's first byte to its last. On a
	// kept-alive connection net/http's own limit begins only with a byte that
	// it sees, and it sees none before the head is whole. 0 is no limit beside
	// the read deadline.
	HeadTimeout time.Duration
}

// lineRest is what a request line may have beside its target.
const lineRest = 64

// span is a part of the head: its bytes from, up to but without to.
type span struct{ from, to int }

func (s span) of(b []byte) []byte { return b[s.from:s.to] }

// head is what is known of a request from the lines of its head that have
// come. Each line is judged once, when it is whole, and by what stands before
// it only, so that a verdict does not depend on how the bytes were cut.
type head struct {
	at    int // where the next line begins, from the head's first byte
	lines int // judged ones

	method, target, authority, host span
	rewrite                         int  // bytes of the target to take out, which make absolute form origin form
	http10                          bool // else it is HTTP/1.1
	closes                          bool // the client wants no further request
	chunked                         bool
	length                          int64 // of the body
	hosts, lengths, codings         int   // header lines

	mild reason // the first one that leaves the framing alone
}

// read judges the whole lines of b, which begins with the head. It is done when
// it has seen the empty line; the head then ends at h.at. A reason that it
// returns ends the connection.
func (h *head) read(b []byte, l Limits) (done bool, why reason) {
	if h.lines == 0 && len(b) > 0 && classes[b[0]]&token == 0 && b[0] != '\r' && b[0] != '\n' {
		return false, badRequestLine // TLS, for one: its line may never end
	}
	for {
		length := bytes.IndexByte(b[h.at:], '\n') + 1
		end := h.at + length
		if length == 0 {
			end = len(b)
		}
		if h.lines == 0 && l.URI+lineRest <= l.Head && int64(end) > l.URI+lineRest {
			return false, uriTooLong
		}
		if int64(end) > l.Head {
			return false, headTooLarge
		}
		if length == 0 {
			return false, ""
		}
		line := span{h.at, end - len("\r\n")}
		if length == 1 || b[line.to] != '\r' {
			return false, bareLF
		}
		switch {
		case h.lines == 0:
			why = h.requestLine(b, line, l)
		case line.from == line.to:
			h.at = end
			return true, h.end(b)
		case h.lines > l.Headers:
			why = tooManyHeaders
		default:
			why = h.field(b, line)
		}
		if why != "" {
			return false, why
		}
		h.at = end
		h.lines++
	}
}

func (h *head) requestLine(b []byte, at span, l Limits) reason {
	line := at.of(b)
	first, last := bytes.IndexByte(line, ' '), bytes.LastIndexByte(line, ' ')
	if first < 1 || last == first {
		return badRequestLine
	}
	method, target, version := line[:first], line[first+1:last], line[last+1:]
	for _, c := range target {
		if c == '\r' {
			return bareCR
		}
		if c <= ' ' || c == 0x7f {
			return badRequestLine
		}
	}
	if len(target) == 0 || !allOf(method, token) {
		return badRequestLine
	}
	h.method = span{at.from, at.from + first}
	h.target = span{at.from + first + 1, at.from + last}
	if string(method) == "PRI" {
		return http2Preface
	}
	if why := h.version(version); why != "" {
		return why
	}
	if string(method) == "CONNECT" {
		return tunnel
	}
	if int64(len(target)) > l.URI {
		return uriTooLong
	}
	if !passes(method) {
		h.refuse(badMethod)
	}
	h.origin(string(method) == "OPTIONS", target)
	return ""
}

func (h *head) version(version []byte) reason {
	switch string(version) {
	case "HTTP/1.1":
		return ""
	case "HTTP/1.0":
		h.http10 = true
		return ""
	}
	if len(version) == len("HTTP/1.1") && bytes.HasPrefix(version, []byte("HTTP/")) && version[6] == '.' &&
		version[5]-'0' <= 9 && version[7]-'0' <= 9 {
		return badVersion
	}
	return badRequestLine
}

// passes reports whether the method is one that a gateway forwards. Methods are
// compared byte by byte: "gEt" is another one than GET.
func passes(method []byte) bool {
	switch string(method) {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return true
	}
	return false
}

// origin judges the target, and finds what to take out of one in absolute form.
func (h *head) origin(options bool, target []byte) {
	if string(target) == "*" {
		if !options {
			h.refuse(badTarget)
		}
		return
	}
	if target[0] != '/' {
		from, authority, origin, ok := cutScheme(target)
		if !ok {
			h.refuse(badTarget)
			return
		}
		h.rewrite = from + len(authority)
		h.authority = span{h.target.from + from, h.target.from + h.rewrite}
		target = origin
	}
	if why := checkOrigin(target); why != "" {
		h.refuse(why)
	}
}

// refuse keeps the first reason that does not end the connection: whether it
// can go on is known only when the head is whole.
func (h *head) refuse(why reason) {
	if h.mild == "" {
		h.mild = why
	}
}

// end judges what only the whole head can show.
func (h *head) end(b []byte) reason {
	switch {
	case h.codings > 0 && h.http10:
		return codingOnHTTP10
	case h.codings > 0 && h.lengths > 0:
		return bothLengths
	case h.hosts == 0 && !h.http10:
		return badHost
	case h.authority.to > 0 && !bytes.Equal(h.authority.of(b), trim(h.host.of(b))):
		h.refuse(misdirected)
	}
	return ""
}

// goesOn reports whether the connection can go on after a mild refusal. A body
// would have to be read to its end for it, HTTP/1.0 to have agreed to it; and
// an answer to HEAD would have to be written without a body, which net/http
// does not know of a request that it does not see.
func (h *head) goesOn(b []byte) bool {
	return !h.http10 && !h.closes && !h.chunked && h.length == 0 && string(h.method.of(b)) != "HEAD"
}

// describe fills in what a log may say of the request.
func (h *head) describe(b []byte, r *Refusal) {
	r.Method = printable(h.method.of(b), 32)
	path, _, _ := bytes.Cut(h.target.of(b), []byte{'?'})
	r.Path = printable(path, 256)
}

func printable(b []byte, most int) string {
	b = bytes.Clone(b[:min(len(b), most)])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}
