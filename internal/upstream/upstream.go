package upstream

import (
	"context"
	"net/http"
	"sync"

	"github.com/spanway/spanway/internal/gateway"
)

// Upstream sends calls to the servers of one named upstream. It is what a
// target's pipeline ends with.
type Upstream struct {
	name  string
	keys  *keyring
	model bool // it speaks a dialect: a caller's cookies and keys never reach it
	pools *Pools
	pool  *pool
	close sync.Once
}

// New returns an upstream with connections of its own.
func New(name string, settings Settings, options Options) (*Upstream, error) {
	return NewPools(options).Open(name, settings)
}

// Close ends the lease on the connections. Calls under way go on.
func (u *Upstream) Close() {
	u.close.Do(func() { u.pools.release(u.pool) })
}

// Handle implements [gateway.Handler]. It sends the call once, and fills in
// call.Attempt also when that fails.
func (u *Upstream) Handle(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
	if call.Method == http.MethodConnect { // its reply would turn the connection into something else
		return nil, gateway.Errorf(gateway.MethodNotAllowed, "CONNECT is not passed on")
	}
	attempt := call.Attempt
	if attempt == nil {
		attempt = new(gateway.Attempt)
	}
	e := u.pool.pick()
	attempt.ServerAddress, attempt.ServerPort = e.server, e.port

	var credentials Credentials
	k := u.keys.pick()
	if k != nil {
		if u.keys.several() {
			attempt.KeyID = k.id
		}
		var err error
		if credentials, err = k.authorizer.Authorize(ctx, Outgoing{call, e.authority, e.prefix}); err != nil {
			return nil, err
		}
	}
	x := &exchange{ctx: ctx, upstream: u, endpoint: e, attempt: attempt, method: call.Method}
	out, err := u.compose(call, attempt, e, credentials)
	if err != nil {
		return nil, err
	}
	if err := x.connect(); err != nil {
		out.free()
		return nil, x.failed(connecting, err)
	}
	if err := x.send(out); err != nil {
		return nil, x.failed(beforeHead, err)
	}
	reply, err := x.receive()
	if err == nil && u.keys.several() {
		attempt.OtherKey = u.keys.other(k)
		u.keys.watch(call, k, reply)
	}
	return reply, err
}
