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

const (
	// lull is how long no call must have come before idle connections are closed
	// at the end of a drain. A client whose answer began before the drain was not
	// asked to leave: it may use its connection once more.
	lull     = time.Second
	lullLook = 10 * time.Millisecond // how often to look
	cutting  = time.Second           // for the error events of calls that are cut
)

// errDrained is why the contexts of calls end that outlast the drain. Whoever
// waits on one returns its cause.
var errDrained = gateway.Errorf(gateway.Draining, "the gateway is shutting down")

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
	listener atomic.Pointer[net.Listener]
	draining atomic.Bool
	began    atomic.Int64 // calls
	ended    atomic.Int64
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
		ConnContext:                  withClient,
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

// Serve answers on ln. It returns nil when Drain accepts no more connections;
// those that are open are served on.
func (s *Server) Serve(ln net.Listener) error {
	limits := func() strict.Limits {
		l := s.live().Limits
		return strict.Limits{Head: int64(l.Head), URI: int64(l.URI), Headers: l.Headers, HeadTimeout: headTimeout}
	}
	guarded := strict.Listener(ln, limits, strict.Options{Connections: s.live().Limits.Connections})
	s.listener.Store(&ln)
	err := s.http.Serve(guarded)
	if errors.Is(err, http.ErrServerClosed) || s.draining.Load() && errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Active returns how many calls are under way.
func (s *Server) Active() int64 {
	ended := s.ended.Load() // first: what ends between the two must not count below zero
	return s.began.Load() - ended
}

// Draining reports whether Drain has begun.
func (s *Server) Draining() bool { return s.draining.Load() }

// Drain ends the server. For the notice, calls are still taken and each answer
// asks its client to use another connection, so that load balancers can see it
// first. Then no connection is accepted, and those that are open are served on
// until calls cease to come, for the time in calls at most. What is left then is
// cut, streams with an error event.
//
// It closes no connection on which a request may be under way. Both
// SetKeepAlivesEnabled(false) and http.Server.Shutdown close idle connections at
// once, and a connection after its answer, and so lose the requests that are on
// their way to them.
func (s *Server) Drain(notice, calls time.Duration) {
	s.draining.Store(true)
	time.Sleep(notice)
	ctx, cancel := context.WithTimeout(context.Background(), calls)
	defer cancel()
	if ln := s.listener.Load(); ln != nil {
		_ = (*ln).Close()
	}
	s.settle(ctx, min(notice, lull)) // without a notice nobody can know
	if err := s.http.Shutdown(ctx); err == nil {
		return
	}
	s.cut(errDrained)
	ctx, cancel = context.WithTimeout(context.Background(), cutting)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close() // what does not even take its error event
	}
}

// settle returns when no call has come or been under way for so long.
func (s *Server) settle(ctx context.Context, long time.Duration) {
	tick := time.NewTicker(lullLook)
	defer tick.Stop()
	began, since := s.began.Load(), time.Now()
	for s.Active() > 0 || time.Since(since) < long {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n := s.began.Load(); n != began || s.Active() > 0 {
			began, since = n, time.Now()
		}
	}
}

// ServeHTTP implements http.Handler: a request in, a call through the pipeline,
// a reply or an error out.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.began.Add(1)
	defer s.ended.Add(1)
	live := s.live()
	control := http.NewResponseController(w)
	from := clientOf(r.Context())
	call, body := newCall(r, from, control, live)
	defer body.abandon()
	patience, refusal := patienceOf(call)
	if call.Refused == nil {
		call.Refused = refusal
	}
	call.Deadline = patience.until
	ctx, begun, done := patience.bound(r)
	defer done()
	reply, err := live.Handler.Handle(ctx, call)
	begun()
	out := &writer{ResponseWriter: w, control: control, call: call, client: from, close: s.draining.Load() || !body.whole()}
	if err != nil {
		err = blame(body, err)
		out.fail(gateway.AsError(err))
		return
	}
	defer reply.Close()
	out.reply(r.Context(), reply)
}

// blame finds who broke it off: net/http cancels a call's context, too, when the
// client breaks its own request.
func blame(body *clientBody, err error) error {
	if body.err != nil && !errors.Is(body.err, io.EOF) {
		return body.err
	}
	return err
}
