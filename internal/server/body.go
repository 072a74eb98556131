package server

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/strict"
)

const (
	bodyIdle  = 10 * time.Second // for the next piece of a body
	bodyGrace = 30 * time.Second // for the whole of it, and so much more
	bodyRate  = 8 << 10          // for each second that it has earned by coming: bytes
	bodyLast  = time.Second      // for what is left of it when the answer has been given
)

// clientBody reads a request's body. A client must keep it coming: each piece
// within bodyIdle, and the whole at bodyRate, with some grace. Its errors are in
// the caller's words.
type clientBody struct {
	reader  io.Reader
	limit   int64 // more than this is not read
	length  int64 // as declared; -1 where it is not
	began   time.Time
	control *http.ResponseController
	n       int64
	err     error // what ended it; io.EOF where the client has said all
}

// whole reports whether the body has been read to its end. If not, the
// connection cannot be used again.
func (b *clientBody) whole() bool { return errors.Is(b.err, io.EOF) }

// abandon bounds the reading of what nobody wants any more. net/http takes in
// some of it before it closes the connection, so that the client sees its answer
// and no reset; without a bound it would wait for a client that sends nothing.
func (b *clientBody) abandon() {
	if !b.whole() {
		_ = b.control.SetReadDeadline(time.Now().Add(bodyLast)) // fails only where the connection has
	}
}

// Extend raises the limit for a route that takes larger bodies.
func (b *clientBody) Extend(limit int64) { b.limit = max(b.limit, limit) }

// Read implements io.Reader.
func (b *clientBody) Read(p []byte) (int, error) {
	if b.err == nil && b.length > b.limit {
		b.err = tooLarge(b.limit)
	}
	if b.err != nil {
		return 0, b.err
	}
	last := b.began.Add(bodyGrace + time.Duration(b.n/bodyRate)*time.Second)
	if idle := time.Now().Add(bodyIdle); idle.Before(last) {
		last = idle
	}
	_ = b.control.SetReadDeadline(last) // fails only where the connection has
	n, err := b.reader.Read(p)
	b.n += int64(n)
	switch {
	case b.n > b.limit:
		n, b.err = 0, tooLarge(b.limit)
	case err != nil:
		b.err = named(err)
		_ = b.control.SetReadDeadline(time.Time{}) // the deadline was for the body alone: a reply may take its time
	}
	return n, b.err
}

func tooLarge(limit int64) error {
	return gateway.Errorf(gateway.TooLarge, "the body is over the limit of %d bytes", limit)
}

// named says what a client did to its body.
func named(err error) error {
	if broken, ok := errors.AsType[*strict.Error](err); ok {
		return refused(broken.Refusal)
	}
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded):
		return gateway.Errorf(gateway.ClientTimeout, "the body of the request did not arrive in time").Because(err)
	default:
		return gateway.Errorf(gateway.Canceled, "the client went away").Because(err)
	}
}
