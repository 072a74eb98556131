package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/strict"
)

const (
	headTimeout = 10 * time.Second // for a request's line and headers
	idleTimeout = 2 * time.Minute  // for the next request on a connection
)

// errDrained is why calls are cut that outlast the drain.
var errDrained = errors.New("the gateway is shutting down")

// Live is what the server asks anew for each call, so that a reload holds from
// the next one on.
type Live struct {
	Handler gateway.Handler
	Dialect gateway.Dialect // for calls that no route has claimed
	Trusted []netip.Prefix  // peers that may say whom they forward for
	Limits  Limits
}

// Server takes calls from one data listener.
type Server struct {
	live     func() *Live
	http     *http.Server
	cut      context.CancelCauseFunc // ends all calls
	draining atomic.Bool
	active   atomic.Int64
}

// New returns a server of what live gives.
func New(live func() *Live, log zerolog.Logger) *Server {
	base, cut := context.WithCancelCause(context.Background())
	s := &Server{live: live, cut: cut}
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headTimeout,
		IdleTimeout:       idleTimeout,
		// strict has bounded the head, and net/http adds 4 KiB to this.
		MaxHeaderBytes:               1 << 20,
		DisableGeneralOptionsHandler: true,
		BaseContext:                  func(net.Listener) context.Context { return base },
		ErrorLog:                     stdlog.New(quiet{log}, "", 0),
	}
	return s
}

// quiet takes net/http's own complaints, which are about single connections.
type quiet struct{ zerolog.Logger }

// Write implements io.Writer.
func (q quiet) Write(line []byte) (int, error) {
	q.Debug().Str("from", "net/http").Msg(strings.TrimSpace(string(line)))
	return len(line), nil
}

// Bind opens the address of a data or probe listener: host:port, or
// unix:///path. A socket file that a dead process left is taken over.
func Bind(ctx context.Context, address string) (net.Listener, error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		network, address = "unix", path
		if err := removeDead(ctx, path); err != nil {
			return nil, err
		}
	}
	ln, err := new(net.ListenConfig).Listen(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return ln, nil
}

// Serve answers on ln until Drain has ended, and then returns nil.
func (s *Server) Serve(ln net.Listener) error {
	limits := func() strict.Limits {
		l := s.live().Limits
		return strict.Limits{Head: int64(l.Head), URI: int64(l.URI), Headers: l.Headers, HeadTimeout: headTimeout}
	}
	guarded := strict.Listener(ln, limits, strict.Options{Connections: s.live().Limits.Connections})
	if err := s.http.Serve(guarded); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Active returns how many calls are under way.
func (s *Server) Active() int64 { return s.active.Load() }

// Draining reports whether Drain has begun.
func (s *Server) Draining() bool { return s.draining.Load() }

// Drain ends the server. For the notice, calls are still taken and each answer
// asks its client to use another connection, so that load balancers can see it
// first; then calls under way have the time in calls; then what is left is cut,
// streams with an error event. (SetKeepAlivesEnabled(false) would close idle
// connections at once and lose the requests that are on their way to them.)
func (s *Server) Drain(notice, calls time.Duration) {
	s.draining.Store(true)
	time.Sleep(notice)
	ctx, cancel := context.WithTimeout(context.Background(), calls)
	defer cancel()
	if err := s.http.Shutdown(ctx); err == nil {
		return
	}
	s.cut(errDrained)
	ctx, cancel = context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close() // what does not even take its error event
	}
}

// ServeHTTP implements http.Handler: a request in, a call through the pipeline,
// a reply or an error out.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.active.Add(1)
	defer s.active.Add(-1)
	live := s.live()
	call, body := newCall(w, r, live)
	reply, err := live.Handler.Handle(r.Context(), call)
	out := &writer{ResponseWriter: w, call: call, close: s.draining.Load() || !body.whole()}
	if err != nil {
		err = blame(r.Context(), body, err)
		out.fail(gateway.AsError(err))
		return
	}
	defer reply.Close()
	out.reply(r.Context(), reply)
}

// blame finds who broke it off. The server cancels a call's context when the
// client breaks its own request, and also when the drain cuts it.
func blame(ctx context.Context, body *clientBody, err error) error {
	if body.err != nil && !errors.Is(body.err, io.EOF) {
		return body.err
	}
	if errors.Is(context.Cause(ctx), errDrained) {
		return gateway.Errorf(gateway.Overloaded, "the gateway is shutting down").Because(err)
	}
	return err
}
