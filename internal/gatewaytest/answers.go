package gatewaytest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/spanway/spanway/internal/gateway"
)

// Target stands in for what a policy sends calls to.
type Target struct {
	mu      sync.Mutex
	answers []any
	calls   []*gateway.Call
}

// Answers returns a target that gives its answers in order, and the last one
// again from then on. An answer is a status (an int), an error, a *gateway.Reply
// (good for one call only), or a gateway.HandlerFunc that is asked.
func Answers(answers ...any) *Target { return &Target{answers: answers} }

// Handle implements [gateway.Handler].
func (t *Target) Handle(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
	t.mu.Lock()
	answer := t.answers[min(len(t.calls), len(t.answers)-1)]
	t.calls = append(t.calls, call)
	t.mu.Unlock()
	switch answer := answer.(type) {
	case int:
		return reply(answer), nil
	case error:
		return nil, answer
	case *gateway.Reply:
		return answer, nil
	case gateway.HandlerFunc:
		return answer(ctx, call)
	case func(context.Context, *gateway.Call) (*gateway.Reply, error):
		return answer(ctx, call)
	}
	return nil, fmt.Errorf("gatewaytest: %T is no answer", answer)
}

func reply(status int) *gateway.Reply {
	text := http.StatusText(status)
	return gateway.NewReply(status, nil, strings.NewReader(text), int64(len(text)), nil)
}

// Tries returns how many calls have come.
func (t *Target) Tries() int { return len(t.Calls()) }

// Calls returns the calls that have come.
func (t *Target) Calls() []*gateway.Call {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.calls
}

// Do sends a plain call to a handler, as [DoCall] does.
func Do(ctx context.Context, h gateway.Handler) any {
	return DoCall(ctx, h, gateway.NewCall(http.MethodGet, "/", nil))
}

// DoCall sends a call to a handler, reads the reply to its end and closes it.
// It returns the status, or the error, also one that came within the body.
func DoCall(ctx context.Context, h gateway.Handler, call *gateway.Call) any {
	reply, err := h.Handle(ctx, call)
	if err != nil {
		return err
	}
	defer reply.Close()
	if _, err := io.Copy(io.Discard, reply.Body); err != nil {
		return err
	}
	return reply.Status
}
