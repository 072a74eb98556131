package strict

import (
	"errors"
	"os"
	"time"
)

// SetReadDeadline implements net.Conn. While a head is under way, its own
// deadline holds too.
//
// net/http moves the deadline several times for each request, and each move of
// the one beneath costs. So it is moved only for a read that waits, and only to
// come sooner: a read that it ends too early begins again.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setDeadline(t)
	if c.reading {
		return c.arm()
	}
	return nil
}

// receive reads from the connection beneath, within the deadlines.
func (c *Conn) receive(p []byte) (int, error) {
	c.mu.Lock()
	c.reading = true
	err := c.arm()
	c.mu.Unlock()
	n := 0
	for err == nil {
		if n, err = c.Conn.Read(p); n > 0 || !isTimeout(err) || !c.tooSoon() {
			break
		}
		err = nil
	}
	c.mu.Lock()
	c.reading = false
	c.mu.Unlock()
	return n, err
}

// arm moves the deadline beneath, if it would come too late.
func (c *Conn) arm() error {
	want := c.earliest()
	if want.IsZero() || !c.armed.IsZero() && !want.Before(c.armed) {
		return nil
	}
	c.armed = want
	return c.Conn.SetReadDeadline(want)
}

// tooSoon reports whether a read timed out although it may still wait, and moves
// the deadline beneath to where it belongs.
func (c *Conn) tooSoon() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	want := c.earliest()
	if !want.IsZero() && !want.After(time.Now()) {
		return false
	}
	c.armed = want
	return c.Conn.SetReadDeadline(want) == nil
}

func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.Conn.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}

// setDeadline tells net/http's way to stop a read, a deadline long ago, from one
// that was merely late.
func (c *Conn) setDeadline(t time.Time) {
	c.deadline = t
	c.stopped = !t.IsZero() && t.Before(c.born)
}

// earliest gives the deadline that comes first.
func (c *Conn) earliest() time.Time {
	if c.due.IsZero() || !c.deadline.IsZero() && c.deadline.Before(c.due) {
		return c.deadline
	}
	return c.due
}

// wasStopped reports whether a read that timed out was stopped by the server,
// and not because time was up.
func (c *Conn) wasStopped() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopped
}

// startClock gives the head under way its time, once.
func (c *Conn) startClock() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.framing.limits.HeadTimeout > 0 && c.due.IsZero() {
		c.due = time.Now().Add(c.framing.limits.HeadTimeout)
	}
}

// stopClock gives the server its own deadline back. Only the reader sets due, so
// it may look at it without the lock.
func (c *Conn) stopClock() {
	if c.due.IsZero() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due = time.Time{}
}
