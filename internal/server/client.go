package server

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// client is what the server keeps of a connection. Its requests are served one
// after the other, so there is no lock.
type client struct {
	peer    netip.AddrPort // none for a unix socket
	address string         // of the peer, as X-Forwarded-For says it
	refresh time.Time      // when the write deadline is to be set anew
}

// clientKey is one of the context values that there are: net/http tells a handler
// nothing else of the connection.
type clientKey struct{}

// withClient is an [http.Server]'s ConnContext.
func withClient(ctx context.Context, conn net.Conn) context.Context {
	c := &client{}
	if peer, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil {
		c.peer, c.address = peer, peer.Addr().Unmap().String()
	}
	return context.WithValue(ctx, clientKey{}, c)
}

func clientOf(ctx context.Context) *client {
	return ctx.Value(clientKey{}).(*client) //nolint:forcetypeassert // every connection has one
}
