package strict

import "net"

// Options are what a listener does beside guarding its connections.
type Options struct {
	// Connections bounds the connections that are open at once; 0 is no bound.
	// One too many is answered 503 and closed.
	Connections int
}

// refusals bounds the connections too many that are being answered at once.
// What comes beyond is closed unanswered: there must be an end somewhere.
const refusals = 1024

// Listener guards every connection that ln accepts. It asks limits once for
// each, so a change holds for new connections.
func Listener(ln net.Listener, limits func() Limits, o Options) net.Listener {
	l := &listener{Listener: ln, limits: limits}
	if o.Connections > 0 {
		l.places = make(chan struct{}, o.Connections)
		l.refusing = make(chan struct{}, refusals)
	}
	return l
}

type listener struct {
	net.Listener
	limits   func() Limits
	places   chan struct{} // one element for each open connection; nil without a bound
	refusing chan struct{} // one element for each that is being refused
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := NewConn(inner, l.limits())
		if l.places == nil || c.occupy(l.places) {
			return c, nil
		}
		if c.occupy(l.refusing) {
			refusal := newRefusal(overloaded)
			c.refuse(&refusal)
			return c, nil
		}
		_ = inner.Close()
	}
}

// occupy takes a place, which closing the connection gives back. It reports
// false if there is none.
func (c *Conn) occupy(places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		c.free = func() { <-places }
		return true
	default:
		return false
	}
}
