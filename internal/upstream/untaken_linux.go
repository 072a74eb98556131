package upstream

import (
	"context"
	"syscall"
	"time"
	"unsafe"
)

// How long it is waited for the peer's kernel to say what became of a request: it
// takes as long as a packet there and back.
const (
	firstLook = 100 * time.Microsecond // the next looks come after twice as long
	lastLook  = 200 * time.Millisecond
)

// untaken reports whether the last n bytes that were written to the connection
// provably reached nobody. Its peer had closed it before they came: its end was
// read in place of a reply (so it had been sent first), then a reset came, and
// not one of the bytes was ever acknowledged. A peer that reads a request and
// then closes has acknowledged it.
func (c *conn) untaken(ctx context.Context, n int) bool {
	if c.raw == nil || c.home.tls != nil || n == 0 {
		return false
	}
	for wait := firstLook; ; wait *= 2 {
		pending, reset := c.pending()
		switch {
		case pending < n:
			return false
		case reset:
			return true
		case wait > lastLook:
			return false
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
	}
}

// pending tells how many bytes have been written and not acknowledged, and
// whether the connection has been reset.
func (c *conn) pending() (pending int, reset bool) {
	err := c.raw.Control(func(fd uintptr) {
		var size int32
		const outQueue = syscall.TIOCOUTQ                                                                                  // SIOCOUTQ, of sockets
		if _, _, failed := syscall.Syscall(syscall.SYS_IOCTL, fd, outQueue, uintptr(unsafe.Pointer(&size))); failed == 0 { //nolint:gosec // the kernel writes an int there
			pending = int(size)
		}
		broken, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR)
		reset = err == nil && broken != 0
	})
	if err != nil {
		return 0, false
	}
	return pending, reset
}
