package policy

import (
	"context"
	"io"

	"github.com/spanway/spanway/internal/gateway"
)

// mostHeld bounds what is held of a body so that it can be sent again.
const mostHeld = 64 << 10

// Hold takes in the body of a call to a service, where it is small, so that it
// can be sent more than once. A large one, and one whose length is not known or
// for which there is no room, streams on and is sent once.
func Hold(memory *Memory) gateway.Policy {
	return func(next gateway.Handler) gateway.Handler {
		return gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
			body := call.Body
			room := &room{memory: memory}
			if body.Reader == nil || body.Length < 0 || body.Length > min(mostHeld, body.Limit) || room.take(body.Length) != nil {
				return next.Handle(ctx, call)
			}
			bytes := make([]byte, body.Length)
			_, err := io.ReadFull(body.Reader, bytes)
			if err == nil {
				err = drained(body.Reader, body.Limit)
			}
			if err != nil {
				room.giveBack()
				return nil, err
			}
			call.Body = gateway.Body{Bytes: bytes, Length: body.Length, Limit: body.Limit}
			reply, err := next.Handle(ctx, call)
			if err != nil {
				room.giveBack()
				return nil, err
			}
			reply.OnDone(func(*gateway.Reply) { room.giveBack() })
			return reply, nil
		})
	}
}
