package strict

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is a client's connection of which only well-framed requests can be read.
// Like any net.Conn it has one reader at a time; all else may be called at any
// time.
type Conn struct {
	net.Conn

	born    time.Time
	framing framing
	held    buffer // bytes that no Read had room for, or that are not judged yet
	good    int    // of the held bytes: judged and to be handed on
	partial bool   // the held bytes behind the good ones are judged, and more must come before they mean anything
	standin []byte // what is left of a request that stands for a refused one
	failed  error  // the next Read returns it; after a bad body that is an Error, then io.EOF
	over    bool   // nothing more is handed on

	mu       sync.Mutex
	deadline time.Time // that the server set
	stopped  bool      // it lies before the connection: net/http ends its read ahead so
	due      time.Time // of the head under way; zero if there is none
	armed    time.Time // what the connection beneath was told; zero is nothing
	reading  bool      // somebody waits on the connection beneath

	refused atomic.Bool // the client may still be sending what nobody reads
	closed  atomic.Bool
	free    func() // gives the connection's place back
}

// NewConn guards a client's connection.
func NewConn(c net.Conn, l Limits) *Conn {
	return &Conn{Conn: c, born: time.Now(), framing: framing{limits: l}, free: func() {}}
}

// Read hands on good bytes, of one request at most. Where there is room for a
// whole head in p it is read and judged in p.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		switch {
		case len(c.standin) > 0:
			n := copy(p, c.standin)
			c.standin = c.standin[n:]
			return n, nil
		case c.good > 0:
			n := copy(p, c.held.bytes()[:c.good])
			c.good -= n
			c.held.drop(n)
			return n, nil
		case c.failed != nil:
			err := c.failed
			c.failed = io.EOF
			return 0, err
		case c.over:
			return 0, c.discard()
		case len(c.held.bytes()) == 0:
			if n, err := c.readInto(p); n > 0 || err != nil {
				return n, err
			}
		case c.partial:
			if err := c.fill(); err != nil {
				return 0, err
			}
		default:
			drop, pass := c.judge(c.held.bytes())
			c.held.drop(drop)
			c.good = pass
		}
	}
}

// readInto reads from the client into p, and leaves there what is good.
func (c *Conn) readInto(p []byte) (int, error) {
	if c.framing.phase == inBody {
		p = p[:min(int64(len(p)), c.framing.left)] // nothing behind the body, so nothing to hold
	}
	n, err := c.receive(p)
	if n == 0 {
		return 0, err
	}
	drop, pass := c.judge(p[:n])
	if !c.over {
		c.held.add(p[drop+pass : n])
	}
	if drop > 0 {
		copy(p, p[drop:drop+pass])
	}
	return pass, nil
}

// fill reads more from the client behind the held bytes.
func (c *Conn) fill() error {
	if c.framing.phase == inHead {
		c.startClock()
	}
	n, err := c.receive(c.held.room())
	if n > 0 {
		c.held.grow(n)
		c.partial = false
		return nil
	}
	if c.framing.phase == inHead && isTimeout(err) && !c.wasStopped() {
		refusal := newRefusal(headTimeout)
		c.framing.head.describe(c.held.bytes(), &refusal)
		c.refuse(&refusal)
		return nil
	}
	return err
}

// judge asks what the bytes b are, which begin where the last good ones ended.
func (c *Conn) judge(b []byte) (drop, pass int) {
	framed := c.framing.phase != inHead
	drop, pass, refusal := c.framing.judge(b)
	c.partial = drop+pass == 0
	if !c.partial {
		c.stopClock()
	}
	switch {
	case refusal == nil:
	case framed || pass > 0: // the head is through: this is about the body
		c.failed = &Error{*refusal}
		c.finish()
	default:
		c.refuse(refusal)
	}
	return drop, pass
}

// refuse puts a request in the place of the refused one.
func (c *Conn) refuse(r *Refusal) {
	c.standin = r.request()
	if r.Close {
		c.finish()
	}
}

// finish sees to it that nothing of what the client sends from here on is used.
func (c *Conn) finish() {
	c.over = true
	c.refused.Store(true)
	c.stopClock()
}

// discard reads what the client sends, to no purpose but this: unread bytes
// would turn the close into a reset, which can overtake the answer. It ends
// when the client or a deadline ends it.
func (c *Conn) discard() error {
	c.held.release()
	scrap := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(scrap)
	for {
		if _, err := c.receive(scrap[:]); err != nil {
			return err
		}
	}
}

// Upgraded says that the connection has left HTTP, by an answer of 101: from
// here on all bytes pass. The server calls it after it has taken the connection
// over, and before it reads from it. A client that did not wait for the 101 had
// its bytes judged as a request: if net/http's reader holds any of them, the
// server must close instead.
func (c *Conn) Upgraded() {
	if c.over {
		c.standin, c.failed = nil, io.EOF
	}
	c.framing.phase = upgraded
	c.partial = false
	c.stopClock()
}

// lingering is how long a client that was refused may take to see the answer.
const lingering = 500 * time.Millisecond

// Close closes the connection. After a refusal it lets the client read the
// answer first, for a short time and without keeping the caller.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return c.Conn.Close()
	}
	if c.refused.Load() && c.CloseWrite() == nil {
		go func() {
			defer c.free()
			_ = c.Conn.SetReadDeadline(time.Now().Add(lingering))
			_, _ = io.CopyN(io.Discard, c.Conn, 256<<10)
			_ = c.Conn.Close()
		}()
		return nil
	}
	defer c.free()
	return c.Conn.Close()
}

// CloseWrite ends the connection's sending half, where the connection beneath
// has halves.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// NetConn returns the connection beneath. Reading from it goes past the checks.
func (c *Conn) NetConn() net.Conn { return c.Conn }
