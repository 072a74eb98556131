package upstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// endpoint is one server: where it is, what is known of its health, and the
// connections to it that wait for a call.
type endpoint struct {
	origin           string
	network, address string      // for Dial
	authority        string      // the Host field
	prefix           string      // put in front of every path
	server           string      // the host, or the path of a socket
	port             int         // 0 on a socket
	tls              *tls.Config // nil is cleartext
	roots            *x509.CertPool
	hop              *hop   // the proxy that stands in front; nil is none
	absolute         string // put in front of the prefix where a proxy is asked in cleartext
	options          *Options

	failures atomic.Int32 // in a row
	outUntil atomic.Int64 // Unix nanoseconds; 0 is in

	open   atomic.Int64
	mu     sync.Mutex
	idle   []*conn // the longest unused first; the last one is taken first
	closed bool
	sweep  *time.Timer // nil while nothing is idle
}

func newEndpoint(text string, settings Settings, options *Options) (*endpoint, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("its address is no URL") // and may hold a password, so it is not repeated
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return nil, errors.New("its address must have no user, query or fragment")
	}
	e := &endpoint{options: options, origin: u.Scheme + "://" + u.Host}
	switch u.Scheme {
	case "unix":
		if u.Path == "" || u.Host != "" {
			return nil, fmt.Errorf("%q must be unix:// and an absolute path", text)
		}
		e.origin = text
		e.network, e.address, e.authority, e.server = "unix", u.Path, "localhost", u.Path
		return e, nil
	case "http":
		e.port = 80
	case "https":
		e.port = 443
		if e.roots, err = settings.TLS.roots(); err != nil {
			return nil, err
		}
		e.tls = e.secure(cmp.Or(settings.TLS.ServerName, u.Hostname()))
	default:
		return nil, fmt.Errorf("%q must begin with http://, https:// or unix://", text)
	}
	if port := u.Port(); port != "" {
		if e.port, err = strconv.Atoi(port); err != nil || e.port < 1 || e.port > 65535 {
			return nil, fmt.Errorf("%q has no valid port", text)
		}
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("%q names no host", text)
	}
	e.network, e.server, e.authority = "tcp", u.Hostname(), u.Host
	e.address = net.JoinHostPort(e.server, strconv.Itoa(e.port))
	e.prefix = strings.TrimSuffix(u.EscapedPath(), "/")
	return e, e.via(u, settings.Proxy)
}

// in reports whether calls should go here.
func (e *endpoint) in() bool {
	until := e.outUntil.Load()
	return until == 0 || time.Now().UnixNano() >= until
}

// succeeded brings the endpoint back in.
func (e *endpoint) succeeded() {
	if e.failures.Load() != 0 {
		e.failures.Store(0)
		e.outUntil.Store(0)
	}
}

// failed counts a fault. An endpoint that has come back on trial goes out again
// with the first one, since its count was not taken back.
func (e *endpoint) failed(health Health) {
	if n := e.failures.Add(1); health.FailAfter > 0 && int(n) >= health.FailAfter {
		e.outUntil.Store(time.Now().Add(health.ReviveIn).UnixNano())
	}
}

// take returns an idle connection that its peer has not closed, or nil.
func (e *endpoint) take() *conn {
	for {
		e.mu.Lock()
		last := len(e.idle) - 1
		if last < 0 {
			e.mu.Unlock()
			return nil
		}
		c := e.idle[last]
		e.idle[last] = nil
		e.idle = e.idle[:last]
		e.mu.Unlock()
		if time.Since(c.since) < e.options.IdleTimeout && c.quiet() {
			return c
		}
		c.close()
	}
}

// keep puts a connection aside for the next call.
func (e *endpoint) keep(c *conn) {
	c.rest()
	e.mu.Lock()
	if e.closed || len(e.idle) >= e.options.IdlePerEndpoint {
		e.mu.Unlock()
		c.close()
		return
	}
	e.idle = append(e.idle, c)
	if e.sweep == nil {
		e.sweep = time.AfterFunc(e.options.IdleTimeout, e.expire)
	}
	e.mu.Unlock()
}

// expire closes what has been idle for too long.
func (e *endpoint) expire() {
	e.mu.Lock()
	oldest := time.Now().Add(-e.options.IdleTimeout)
	n := 0
	for n < len(e.idle) && !e.idle[n].since.After(oldest) {
		n++
	}
	expired := slices.Clone(e.idle[:n])
	e.idle = slices.Delete(e.idle, 0, n)
	e.sweep = nil
	if len(e.idle) > 0 {
		e.sweep = time.AfterFunc(e.idle[0].since.Sub(oldest), e.expire)
	}
	e.mu.Unlock()
	for _, c := range expired {
		c.close()
	}
}

// shut closes what is idle, and keeps nothing from then on.
func (e *endpoint) shut() {
	e.mu.Lock()
	e.closed = true
	idle := e.idle
	e.idle = nil
	if e.sweep != nil {
		e.sweep.Stop()
		e.sweep = nil
	}
	e.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}

func (e *endpoint) count() (open, idle int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return int(e.open.Load()), len(e.idle)
}

// dial makes a connection, by the proxy if there is one, and with TLS where the
// endpoint asks for it.
func (e *endpoint) dial(ctx context.Context) (*conn, error) {
	address := e.address
	if e.hop != nil {
		address = e.hop.address
	}
	plain, err := e.options.Dial(ctx, e.network, address)
	if err != nil {
		return nil, err
	}
	c := newConn(e, plain)
	if c.Conn, err = e.wrap(ctx, plain); err != nil {
		_ = plain.Close() // the other error says more
		return nil, err
	}
	e.open.Add(1)
	return c, nil
}

func (e *endpoint) wrap(ctx context.Context, c net.Conn) (net.Conn, error) {
	if e.hop != nil && e.hop.tls != nil {
		secure := tls.Client(c, e.hop.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("the proxy: %w", err)
		}
		c = secure
	}
	if e.tls == nil {
		return c, nil
	}
	if e.hop != nil {
		if err := e.tunnel(ctx, c); err != nil {
			return nil, err
		}
	}
	secure := tls.Client(c, e.tls)
	return secure, secure.HandshakeContext(ctx)
}
