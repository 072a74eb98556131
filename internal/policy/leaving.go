package policy

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/gateway"
)

// Leaving says what becomes of a call whose client leaves.
type Leaving string

// What may become of it.
const (
	LeavingCancels  Leaving = "cancel" // it ends at once; "" is the same
	LeavingDrains   Leaving = "drain"  // a reply that has begun is read to its end, so that its usage is known
	LeavingFinishes Leaving = "finish" // the call goes on as if its client were there
)

// linger is how long a call may go on alone. It is no longer than a drain gives
// to calls, because a shutdown cannot cut what nobody waits for.
const linger = time.Minute

// Check reports what is wrong with the setting.
func (l Leaving) Check(p check.Problems) {
	switch l {
	case "", LeavingCancels, LeavingDrains, LeavingFinishes:
	default:
		p.Addf("", "must be cancel, drain or finish, is %q", string(l))
	}
}

// Policy keeps the client's leaving from what comes after it. It is not there for
// cancel, which is what happens by itself.
func (l Leaving) Policy() gateway.Policy {
	return func(next gateway.Handler) gateway.Handler {
		return gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
			alone, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
			begun := make(chan struct{}) // closed once there is a reply
			stop := context.AfterFunc(ctx, func() {
				if !gone(ctx) || l == LeavingDrains && !closed(begun) {
					cancel(context.Cause(ctx))
					return
				}
				time.AfterFunc(linger, func() { cancel(context.Canceled) })
			})
			reply, err := next.Handle(alone, call)
			close(begun)
			if err != nil {
				stop()
				cancel(nil)
				if gone(ctx) {
					err = context.Cause(ctx)
				}
				return nil, err
			}
			body := &taken{Reader: reply.Body, client: ctx, attempt: reply.Attempt}
			reply.Body = body
			reply.BeforeClose(func(reply *gateway.Reply) {
				if reply.Outcome == gateway.ClientGone || gone(ctx) && !body.whole {
					call.Note("on_client_gone", "read_on")
					body.readOn(reply)
				}
			})
			reply.OnDone(func(*gateway.Reply) {
				stop()
				cancel(nil)
			})
			return reply, nil
		})
	}
}

// gone reports whether the client left. A call that a shutdown cuts has another
// cause.
func gone(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), context.Canceled)
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// taken is the body of a reply that its client may not take to the end.
type taken struct {
	io.Reader
	client  context.Context  //nolint:containedctx // whose end is the client's leaving
	attempt *gateway.Attempt // whose chunks are counted
	chunks  int              // that had come before the last read: whoever reads again has passed them on
	ended   bool
	whole   bool // it ended while the client was there
}

// Read implements io.Reader.
func (b *taken) Read(p []byte) (int, error) {
	if b.attempt != nil && b.attempt.Stream != nil {
		b.chunks = b.attempt.Stream.Chunks
	}
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		b.ended, b.whole = true, !gone(b.client)
	}
	return n, err
}

// readOn reads what nobody takes any more. It is the client that has left all
// the same, however the reply ends.
func (b *taken) readOn(reply *gateway.Reply) {
	if b.attempt != nil && b.attempt.Stream != nil {
		b.attempt.Stream.Delivered = b.chunks
	}
	if !b.ended {
		_, _ = io.Copy(io.Discard, b.Reader) // what breaks off is as good as what was left
	}
	reply.Outcome, reply.Err = gateway.ClientGone, nil
}
