package gatewaytest

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// Listener is a listener whose connections are pipes, which [Listener.Dial]
// makes. Unlike a socket's, they can be waited on in a bubble of testing/synctest.
type Listener struct {
	conns  chan net.Conn
	closed chan struct{}
	close  sync.Once
	port   atomic.Uint32
}

// NewListener returns an open listener.
func NewListener() *Listener {
	l := &Listener{conns: make(chan net.Conn), closed: make(chan struct{})}
	l.port.Store(40000)
	return l
}

// Dial connects a client that has the address peer. A zero one is that of a
// client on a unix socket, which has none.
func (l *Listener) Dial(peer netip.Addr) (net.Conn, error) {
	near, far := net.Pipe()
	if peer.IsValid() {
		far = Addressed(far, netip.AddrPortFrom(peer, uint16(l.port.Add(1))))
	}
	select {
	case l.conns <- far:
		return near, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	l.close.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:8080"))
}

// Addressed gives a connection the address of a peer, as sockets have one.
func Addressed(conn net.Conn, peer netip.AddrPort) net.Conn { return addressed{conn, peer} }

type addressed struct {
	net.Conn
	peer netip.AddrPort
}

// RemoteAddr implements net.Conn.
func (a addressed) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(a.peer) }
