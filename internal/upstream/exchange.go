package upstream

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/spanway/spanway/internal/gateway"
)

// exchange is one call on one connection. It becomes the body of the reply, and
// so holds the connection until the body's end, or until Close.
type exchange struct {
	ctx      context.Context //nolint:containedctx // it bounds the reading of the body, too
	upstream *Upstream
	endpoint *endpoint
	attempt  *gateway.Attempt
	method   string

	conn    *conn       // nil before and after
	stop    func() bool // takes back the interruption by ctx
	sent    int         // bytes of the request, where they were written by one call of Write
	began   bool        // something of a reply has come
	broken  error       // why the request was not written whole; the reply may have come all the same
	writing chan error  // where a large body is written beside; one result, then it is closed

	reply    *gateway.Reply
	framing  framing
	persist  bool
	left     int64 // of the body, or of its chunk
	stage    stage
	trailers int   // bytes of them
	err      error // what Read gives from now on
}

type framing int

const (
	byLength framing = iota
	byChunks
	byClose
)

// maxInterim is how many interim replies (1xx) may come before the final one.
const maxInterim = 5

// connect takes a connection that waits, or makes one.
func (x *exchange) connect() error {
	if err := x.ctx.Err(); err != nil {
		return err
	}
	c := x.endpoint.take()
	if c == nil {
		wait := cmp.Or(x.attempt.Timeouts.Connect, x.endpoint.options.DialTimeout)
		ctx, cancel := context.WithTimeout(x.ctx, wait)
		defer cancel()
		var err error
		if c, err = x.endpoint.dial(ctx); err != nil {
			return err
		}
	}
	x.conn = c
	x.attempt.PeerAddress, x.attempt.Reused = c.peer, c.used
	x.stop = context.AfterFunc(x.ctx, c.onCancel)
	return nil
}

// send writes the request. It gives an error only where reading a reply makes
// no sense: a server may answer and close before it has read everything.
func (x *exchange) send(r *request) error {
	x.attempt.Sent = true
	x.conn.bothWithin(x.attempt.Timeouts.FirstToken)
	if r.rest != nil {
		x.writing = make(chan error, 1)
		go write(x.conn, r, x.writing)
		return nil
	}
	defer r.free()
	for sent := 0; ; {
		n, err := x.conn.Write(r.buf)
		sent += n
		x.sent = n
		if sent > n {
			x.sent = 0 // a piece of it may have been taken
		}
		if err != nil {
			x.attempt.Sent = sent > 0
			x.broken = err
			if sent == 0 || errors.Is(err, os.ErrDeadlineExceeded) {
				return err
			}
			return nil
		}
		if r.from == nil {
			return nil
		}
		r.buf = r.buf[:0]
		if err := r.next(); err != nil {
			return clientError{err}
		}
		x.conn.bothWithin(x.attempt.Timeouts.FirstToken) // the client's slowness is not the upstream's
	}
}

// write writes a large body while its reply is awaited: a server that refuses it
// may do so long before it has read it.
func write(c *conn, r *request, done chan<- error) {
	n, err := (&net.Buffers{r.buf, r.rest}).WriteTo(c.Conn)
	r.free()
	if err != nil && n == 0 {
		err = unsent{err}
	}
	done <- err
	close(done)
}

// unsent marks an error before the first byte was written.
type unsent struct{ error }

// receive waits for the head of the reply.
func (x *exchange) receive() (*gateway.Reply, error) {
	h, err := x.head()
	if err != nil {
		return nil, x.failed(beforeHead, err)
	}
	if h.status == http.StatusProxyAuthRequired && x.endpoint.absolute != "" {
		return nil, x.failed(connecting, errProxy)
	}
	x.attempt.Status = h.status
	length := h.length
	switch {
	case h.status == http.StatusNoContent:
		x.persist = h.persist && h.length <= 0 && !h.chunked // who gives it a body may well send one
		length = 0
	case h.status == http.StatusNotModified, x.method == http.MethodHead:
		x.persist = h.persist
	case h.chunked:
		x.framing, x.persist = byChunks, h.persist
		x.left = -1
	case h.length >= 0:
		x.left, x.persist = h.length, h.persist
	default:
		x.framing = byClose
	}
	x.reply = gateway.NewReply(h.status, h.header, x, length, x)
	x.reply.Attempt = x.attempt
	if x.framing == byLength && x.left == 0 {
		x.finish()
		x.reply.Body = http.NoBody
	}
	return x.reply, nil
}

func (x *exchange) head() (h head, err error) {
	for range maxInterim + 1 {
		raw, err := x.conn.head(x.endpoint.options.MaxHead)
		x.began = x.began || len(raw) > 0 || len(x.conn.unread()) > 0
		if err != nil {
			return h, err
		}
		switch h, err = parseHead(raw); {
		case err != nil:
			return h, err
		case h.status == http.StatusSwitchingProtocols:
			return h, errors.New("it switches protocols unasked")
		case h.status >= 200:
			return h, nil
		}
	}
	return h, errors.New("too many interim replies came")
}

// Read implements io.Reader. The connection is free again when it gives io.EOF,
// which comes with the last bytes where that is possible.
func (x *exchange) Read(p []byte) (n int, err error) {
	if x.err != nil || len(p) == 0 {
		return 0, x.err
	}
	if x.framing == byChunks {
		n, err = x.readChunks(p)
	} else {
		n, err = x.some(p)
	}
	switch {
	case errors.Is(err, io.EOF):
		x.err = io.EOF
		x.finish()
	case err != nil:
		x.err = x.failed(inBody, err)
		x.reply.Err = gateway.AsError(x.err)
		x.reply.Outcome = outcomeOf(x.reply.Err.Code)
	}
	return n, x.err
}

func outcomeOf(code gateway.Code) gateway.Outcome {
	switch code {
	case gateway.Canceled:
		return gateway.ClientGone
	case gateway.UpstreamTimeout:
		return gateway.Stalled
	default:
		return gateway.UpstreamError
	}
}

// some reads what is next of the body, or of its chunk.
func (x *exchange) some(p []byte) (n int, err error) {
	if x.framing != byClose && int64(len(p)) > x.left {
		p = p[:x.left]
	}
	c := x.conn
	if len(c.unread()) == 0 {
		x.await()
		if len(p) >= bufferSize {
			n, err = c.Read(p)
		} else {
			err = c.fill()
		}
	}
	if n == 0 && err == nil {
		n = copy(p, c.unread())
		c.start += n
	}
	x.left -= int64(n)
	switch {
	case x.framing == byLength && x.left == 0:
		return n, io.EOF
	case n > 0:
		return n, nil
	case errors.Is(err, io.EOF) && x.framing != byClose:
		return 0, io.ErrUnexpectedEOF
	}
	return 0, err
}

// await bounds the next read of the body. Until the first token has come, the
// bound that was set with the request stays in force.
func (x *exchange) await() {
	if !x.attempt.Awaited || x.attempt.Timeouts.FirstToken == 0 {
		x.conn.within(x.attempt.Timeouts.Idle)
	}
}

// Close implements io.Closer. Before the body's end it closes the connection:
// what is still coming would be taken for the next reply.
func (x *exchange) Close() error {
	if x.conn != nil {
		x.err = os.ErrClosed
		x.drop()
	}
	return nil
}

// finish ends a reply that came whole, and frees the connection.
func (x *exchange) finish() {
	x.endpoint.succeeded()
	c := x.conn
	if !x.persist || x.broken != nil || len(c.unread()) > 0 || !x.written() || !x.stop() {
		x.drop()
		return
	}
	x.conn = nil
	x.endpoint.keep(c)
}

// written reports whether the body that is written beside has been written.
func (x *exchange) written() bool {
	if x.writing == nil {
		return true
	}
	select {
	case err, open := <-x.writing:
		return err == nil && open
	default:
		return false
	}
}

// drop closes the connection. Nothing of the call is in use afterwards.
func (x *exchange) drop() {
	c := x.conn
	x.conn = nil
	x.stop()
	c.close()
	if x.writing == nil {
		return
	}
	if err, open := <-x.writing; open {
		x.broken = err
		if _, none := errors.AsType[unsent](err); none {
			x.attempt.Sent = false
		}
	}
}
