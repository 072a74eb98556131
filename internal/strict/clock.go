package strict

import "time"

// SetReadDeadline implements net.Conn. While a head is under way, its own
// deadline holds too.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setDeadline(t)
	return c.Conn.SetReadDeadline(c.earliest())
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.Conn.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}

func (c *Conn) setDeadline(t time.Time) {
	c.deadline = t
	c.stopped = !t.IsZero() && !t.After(time.Now())
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
		_ = c.Conn.SetReadDeadline(c.earliest()) // a connection that has none is closed, and says so when read
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
	_ = c.Conn.SetReadDeadline(c.deadline)
}
