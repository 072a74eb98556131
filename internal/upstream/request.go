package upstream

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/spanway/spanway/internal/gateway"
)

const (
	together  = 64 << 10  // a buffered body up to this is copied beside the head
	keepLimit = 128 << 10 // larger buffers are not kept
)

// request is a call as it is written: the head, and with it as much of the body
// as goes in one write.
type request struct {
	buf  []byte
	rest []byte // of a buffered body: all of it, where it is too large to be copied
	pieces
	home *sync.Pool
}

func newRequest(home *sync.Pool) *request {
	if r, ok := home.Get().(*request); ok {
		return r
	}
	return &request{buf: make([]byte, 0, 4<<10), home: home}
}

// free gives the buffer back. Nothing may read it any more.
func (r *request) free() {
	if cap(r.buf) <= keepLimit {
		*r = request{buf: r.buf[:0], home: r.home}
		r.home.Put(r)
	}
}

var errSplit = errors.New("a field of the call, or its target, holds a space or a line's end")

// compose writes the head, and with it the body or its first piece. A body that
// the client breaks in its first piece thus never takes up a connection.
func (u *Upstream) compose(call *gateway.Call, attempt *gateway.Attempt, e *endpoint, credentials Credentials) (*request, error) {
	r := newRequest(&u.pools.requests)
	lines := r.head(u, call, attempt, e, credentials)

	// Whatever the values hold, the head is what was meant: as many lines as
	// fields were written, and three words in the first.
	target, _, _ := bytes.Cut(r.buf, []byte("\n"))
	if bytes.Count(r.buf, []byte("\n")) != lines || bytes.Count(r.buf, []byte("\r")) != lines ||
		bytes.IndexByte(r.buf, 0) >= 0 || bytes.Count(target, []byte(" ")) != 2 {
		r.free()
		return nil, gateway.Errorf(gateway.Internal, "internal error").Because(errSplit)
	}

	switch body := &call.Body; {
	case body.Reader != nil && body.Length != 0:
		r.pieces = pieces{from: body.Reader, left: body.Length}
		if err := r.next(); err != nil {
			r.free()
			return nil, err
		}
	case len(body.Bytes) > together:
		r.rest = body.Bytes
	default:
		r.buf = append(r.buf, body.Bytes...)
	}
	return r, nil
}

// head writes the head and returns how many lines it meant to.
func (r *request) head(u *Upstream, call *gateway.Call, attempt *gateway.Attempt, e *endpoint, credentials Credentials) (lines int) {
	b := append(r.buf, call.Method...)
	b = append(append(append(append(b, ' '), e.absolute...), e.prefix...), call.Path...)
	b = appendQuery(b, call.Query, credentials.Query)
	b = append(b, " HTTP/1.1\r\n"...)
	b = appendField(b, "Host", e.authority)
	lines = 2
	for name, values := range call.Header {
		if u.withholds(name) || names(attempt.Propagate, name) || names(credentials.Fields, name) {
			continue
		}
		for _, value := range values {
			b = appendField(b, name, value)
		}
		lines += len(values)
	}
	for _, f := range attempt.Propagate {
		b = appendField(b, f.Key, f.Value)
	}
	for _, f := range credentials.Fields {
		b = appendField(b, f.Key, f.Value)
	}
	lines += len(attempt.Propagate) + len(credentials.Fields)
	if e.absolute != "" && e.hop.authorization != "" {
		b = appendField(b, "Proxy-Authorization", e.hop.authorization)
		lines++
	}

	length := int64(len(call.Body.Bytes))
	if call.Body.Reader != nil {
		length = call.Body.Length
	}
	switch {
	case length < 0:
		b = appendField(b, "Transfer-Encoding", "chunked")
		lines++
	case length > 0, call.Method == http.MethodPost, call.Method == http.MethodPut, call.Method == http.MethodPatch:
		b = append(b, "Content-Length: "...)
		b = append(strconv.AppendInt(b, length, 10), "\r\n"...)
		lines++
	}
	r.buf = append(b, "\r\n"...)
	return lines + 1
}

func appendField(b []byte, name, value string) []byte {
	return append(append(append(append(b, name...), ": "...), value...), "\r\n"...)
}

// names reports whether one of the fields has this name.
func names(fields []gateway.Fact, name string) bool {
	return slices.ContainsFunc(fields, func(f gateway.Fact) bool { return strings.EqualFold(f.Key, name) })
}

// withholds reports whether a field of the caller stays here: it is about the
// caller's own connection or framing, it could be read as another one ("_" for
// "-"), or it holds the caller's credentials.
func (u *Upstream) withholds(name string) bool {
	for i := range len(name) {
		if c := name[i]; !token[c] || c == '_' {
			return true
		}
	}
	switch http.CanonicalHeaderKey(name) {
	case "", "Authorization", "Connection", "Content-Length", "Expect", "Host", "Keep-Alive", "Proxy-Authenticate",
		"Proxy-Authentication-Info", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	case "Api-Key", "Cookie", "X-Api-Key", "X-Goog-Api-Key":
		return u.model
	}
	return false
}
