package policy

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/spanway/spanway/internal/gateway"
)

// race is a call that may be under way twice. The first attempt runs in the
// goroutine of the call. Only where it is slow is there another goroutine, for the
// second; that ends with its attempt, which is cut when the first has won.
type race struct {
	ctx   context.Context //nolint:containedctx // it lives as long as the race
	call  *gateway.Call
	spare gateway.Call // as the call was before the first attempt: for the second
	next  gateway.Handler
	known *pace
	after time.Duration

	mu      sync.Mutex
	decided bool // one of them has the call's reply
	second  *runner
	first   runner
}

// runner is one of the two attempts.
type runner struct {
	stop  context.CancelCauseFunc
	reply *gateway.Reply
	err   error
	over  bool          // of the second: it has its result
	ended chan struct{} // closed after that
}

func (r *race) run() (*gateway.Reply, error) {
	r.spare = *r.call
	ctx, stop := context.WithCancelCause(r.ctx)
	r.first.stop = stop
	slow := time.AfterFunc(r.after, r.beside)
	began := time.Now()
	r.first.reply, r.first.err = r.next.Handle(ctx, r.call)
	took := time.Since(began)
	slow.Stop()

	r.mu.Lock()
	second := r.second
	won := !r.decided && (second == nil || decisive(r.first.reply, r.first.err))
	r.decided = r.decided || won // and if there was no second attempt, none begins
	left := won && second != nil && second.over
	r.mu.Unlock()

	if decisive(r.first.reply, r.first.err) || !won {
		r.known.took(took) // of one that lost: it would have taken longer still
	}
	if won {
		if left {
			second.drop()
		} else if second != nil {
			second.stop(gateway.Superseded)
		}
		return r.first.take(second != nil)
	}
	<-second.ended
	if decisive(second.reply, second.err) {
		r.first.drop()
		return second.take(true)
	}
	second.drop()
	return r.first.take(false)
}

// beside makes the second attempt, in a goroutine of its own. What the two have
// in common of the call is written under a lock, or never: nobody further in
// writes into its headers or its body.
func (r *race) beside() {
	r.mu.Lock()
	if r.decided || r.ctx.Err() != nil || !r.known.spend() {
		r.mu.Unlock()
		return
	}
	ctx, stop := context.WithCancelCause(r.ctx)
	second := &runner{stop: stop, ended: make(chan struct{})}
	r.second = second
	r.mu.Unlock()
	defer close(second.ended)

	call := r.spare
	call.Note("hedge", "started", gateway.Fact{Key: "after", Value: r.after.Round(time.Millisecond).String()})
	reply, err := r.handle(ctx, &call)

	r.mu.Lock()
	second.reply, second.err, second.over = reply, err, true
	lost := r.decided
	won := !lost && decisive(reply, err)
	r.decided = lost || won
	r.mu.Unlock()
	switch {
	case won:
		r.first.stop(gateway.Superseded)
	case lost: // nobody comes for it
		second.drop()
	}
}

// handle makes an error of a panic: nobody above this goroutine recovers from one,
// as the server does for the calls it serves.
func (r *race) handle(ctx context.Context, call *gateway.Call) (reply *gateway.Reply, err error) {
	defer func() {
		if p := recover(); p != nil {
			reply, err = nil, gateway.Errorf(gateway.Internal, "internal error").Because(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	return r.next.Handle(ctx, call)
}

// take gives the runner's result to the call. Its context ends with the reply.
func (r *runner) take(raced bool) (*gateway.Reply, error) {
	if r.err != nil {
		r.stop(nil)
		return nil, r.err
	}
	if raced && r.reply.Attempt != nil {
		r.reply.Attempt.Race = gateway.Won
	}
	r.reply.OnDone(func(*gateway.Reply) { r.stop(nil) })
	return r.reply, nil
}

// drop closes what the runner has got. Dropping it again does nothing.
func (r *runner) drop() {
	if r.err == nil {
		if r.reply.Attempt != nil {
			r.reply.Attempt.Race = gateway.Cancelled
		}
		r.reply.Outcome = gateway.Unneeded
		r.reply.Close()
	}
	r.stop(gateway.Superseded)
}
