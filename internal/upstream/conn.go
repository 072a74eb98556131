package upstream

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// conn is one connection to an endpoint. It belongs to one call at a time; only
// interrupt may be called from elsewhere.
type conn struct {
	net.Conn
	home  *endpoint
	peer  string
	used  bool      // it has carried a call before
	since time.Time // when it became idle

	buf        []byte
	start, end int // buf[start:end] has been read from the peer, and by no one here

	due         time.Time // until when a read may wait; zero is for ever
	armed       time.Time // the deadline of the connection beneath, not later than due; zero is none
	bounded     bool      // writes have a deadline
	interrupted atomic.Bool
	onCancel    func() // interrupt, bound once

	raw   syscall.RawConn // nil for a connection in memory
	peek  func(fd uintptr) bool
	still bool // what peek found
}

// bufferSize holds most heads, and a few events of a stream.
const bufferSize = 8 << 10

func newConn(home *endpoint, plain net.Conn) *conn {
	c := &conn{Conn: plain, home: home, buf: make([]byte, bufferSize)}
	if addr := plain.RemoteAddr(); addr != nil {
		c.peer = addr.String()
	}
	c.onCancel = c.interrupt
	c.peek = c.look
	if socket, ok := plain.(syscall.Conn); ok {
		c.raw, _ = socket.SyscallConn() // on error it is nil, and not looked at
	}
	return c
}

func (c *conn) close() {
	_ = c.Conn.Close() // nothing more is wanted of it
	c.home.open.Add(-1)
}

// rest makes the connection ready to wait for its next call.
func (c *conn) rest() {
	c.within(0)
	c.used = true
	c.since = time.Now()
	if len(c.buf) > bufferSize {
		c.buf = make([]byte, bufferSize)
	}
}

var past = time.Unix(1, 0)

// interrupt ends the read or write under way, and all later ones.
func (c *conn) interrupt() {
	c.interrupted.Store(true)
	_ = c.SetDeadline(past) // fails only on a closed connection, which is as good
}

// within bounds what is read from now on; 0 lifts the bound. Every piece of a
// stream moves it, and each move of the deadline beneath costs, so that one is
// only moved to come sooner: a read that it ends too early begins again.
func (c *conn) within(wait time.Duration) {
	if wait == 0 {
		c.due = time.Time{}
		return
	}
	c.until(time.Now().Add(wait))
}

func (c *conn) until(due time.Time) {
	c.due = due
	if !due.IsZero() && (c.armed.IsZero() || due.Before(c.armed)) {
		c.arm()
	}
}

// arm moves the deadline beneath to where it belongs. It never undoes an
// interruption: either interrupt's deadline comes last, or its mark is seen here.
func (c *conn) arm() {
	c.armed = c.due
	_ = c.SetReadDeadline(c.due) // fails only on a closed connection, as the next read will say
	if c.interrupted.Load() {
		_ = c.SetReadDeadline(past)
	}
}

// Read implements io.Reader, within the bound.
func (c *conn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || c.interrupted.Load() ||
			!c.due.IsZero() && !time.Now().Before(c.due) {
			return n, err
		}
		c.arm()
	}
}

// bothWithin bounds what is written and read from now on; 0 lifts the bound. For
// writing it is exact, since TLS cannot go on after a write that was ended too
// early.
func (c *conn) bothWithin(wait time.Duration) {
	if wait == 0 && !c.bounded {
		c.within(0)
		return
	}
	var due time.Time
	if wait > 0 {
		due = time.Now().Add(wait)
	}
	c.until(due)
	c.bounded = wait > 0
	_ = c.SetWriteDeadline(due) // fails only on a closed connection, as the next write will say
	if c.interrupted.Load() {
		_ = c.SetWriteDeadline(past)
	}
}

// quiet reports whether an idle connection is still good: its peer has neither
// closed it nor said anything unasked.
func (c *conn) quiet() bool {
	if c.raw == nil {
		return true
	}
	err := c.raw.Read(c.peek)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.arm() // the deadline of its last call was left behind, and bounds a look, too
		err = c.raw.Read(c.peek)
	}
	return err == nil && c.still
}

func (c *conn) look(fd uintptr) bool {
	var one [1]byte
	_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	c.still = errors.Is(err, syscall.EAGAIN)
	return true
}

func (c *conn) unread() []byte { return c.buf[c.start:c.end] }

// fill waits for more and puts it behind what is unread. The buffer must not be
// full of it.
func (c *conn) fill() error {
	if c.start > 0 {
		c.end = copy(c.buf, c.buf[c.start:c.end])
		c.start = 0
	}
	n, err := c.Read(c.buf[c.end:])
	c.end += n
	switch {
	case n > 0:
		return nil // an error that came with it comes again
	case err == nil:
		return io.ErrNoProgress
	default:
		return err
	}
}

var (
	errBareLF   = errors.New("a line ends in a bare line feed")
	errLongLine = errors.New("a line of the chunked body is too long")
	errLongHead = errors.New("the head is too large")
	errNoHead   = errors.New("what came is not HTTP/1")
)

// head waits for a whole head, and returns it with its empty line. It is part of
// the buffer: it may be changed, and is good until the next fill.
func (c *conn) head(limit int) ([]byte, error) {
	line, seen := 0, 0 // where the line under way begins, and what has no end of line
	for {
		unread := c.unread()
		for {
			i := bytes.IndexByte(unread[seen:], '\n')
			if i < 0 {
				seen = len(unread)
				break
			}
			at := seen + i
			if at == line || unread[at-1] != '\r' {
				return nil, errBareLF
			}
			seen = at + 1
			if seen > limit {
				return nil, errLongHead
			}
			if at == line+1 {
				c.start += seen
				return unread[:seen], nil
			}
			line = seen
		}
		if start := "HTTP/1."; !strings.HasPrefix(start, string(unread[:min(len(unread), len(start))])) {
			return nil, errNoHead // at once: garbage may never end a line
		}
		if len(unread) >= limit {
			return nil, errLongHead
		}
		if len(unread) == len(c.buf) {
			grown := make([]byte, min(2*len(c.buf), limit+1))
			copy(grown, unread)
			c.buf = grown
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

// hasLine reports whether a whole line is there to be read without waiting.
func (c *conn) hasLine() bool { return bytes.IndexByte(c.unread(), '\n') >= 0 }

// line waits for a line of at most limit bytes, and returns it without its end.
// It is part of the buffer, and good until the next fill.
func (c *conn) line(limit int) ([]byte, error) {
	for {
		unread := c.unread()
		i := bytes.IndexByte(unread, '\n')
		switch {
		case i == 0, i > 0 && unread[i-1] != '\r':
			return nil, errBareLF
		case i > limit, i < 0 && len(unread) > limit:
			return nil, errLongLine
		case i > 0:
			c.start += i + 1
			return unread[:i-1], nil
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}
