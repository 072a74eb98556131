package upstream

import (
	"errors"
	"io"
	"net"
	"testing"
)

// What a peer had closed before a request came to it has provably not been
// delivered; what it may have read has.
func TestUntaken(t *testing.T) {
	const request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
	for _, c := range []struct {
		name         string
		before, then func(*net.TCPConn) // of the peer
		untaken      bool
	}{
		{"it closes, and then the request comes", func(c *net.TCPConn) { _ = c.Close() }, nil, true},
		{"it reads the request and closes", nil, func(c *net.TCPConn) {
			_, _ = io.ReadFull(c, make([]byte, len(request)))
			_ = c.Close()
		}, false},
		{"it will say nothing more, and reads on", func(c *net.TCPConn) { _ = c.CloseWrite() }, func(c *net.TCPConn) {
			_, _ = io.ReadFull(c, make([]byte, len(request)))
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			near, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			far, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer far.Close()
			peer := far.(*net.TCPConn)
			conn := newConn(new(endpoint), near)
			defer near.Close()
			if c.before != nil {
				c.before(peer)
				for conn.quiet() { // its end is on its way
				}
			}
			if _, err := conn.Write([]byte(request)); err != nil {
				t.Fatal(err)
			}
			if c.then != nil {
				c.then(peer)
			}
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Fatalf("it ends with %v", err)
			}
			if got := conn.untaken(t.Context(), len(request)); got != c.untaken {
				t.Errorf("untaken: %t, want %t", got, c.untaken)
			}
		})
	}
}
