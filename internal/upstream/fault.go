package upstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spanway/spanway/internal/gateway"
)

// moment is how far an exchange has come.
type moment int

const (
	connecting moment = iota
	beforeHead
	inBody
)

// clientError marks an error of the client's own body.
type clientError struct{ error }

// failed ends the exchange and returns the error that goes up. It counts against
// the endpoint what is the upstream's fault: not a client that left or broke its
// own body, and not a connection that had been closed while it waited.
func (x *exchange) failed(at moment, cause error) error {
	if x.conn != nil {
		if at == beforeHead && x.attempt.Reused && !x.began && errors.Is(cause, io.EOF) && x.conn.untaken(x.ctx, x.sent) {
			x.attempt.Sent = false
		}
		x.drop()
	}
	if own, ok := errors.AsType[clientError](cause); ok {
		return own.error
	}
	err := x.explain(at, cause)
	e, ok := errors.AsType[*gateway.Error](err)
	switch {
	case !ok:
	case error(e) == context.Cause(x.ctx): // whoever asks waits no longer, which may be a matter of a millisecond
	case e.Code == gateway.UpstreamFailed && at == beforeHead && x.attempt.Reused && !x.began:
	case e.Code == gateway.UpstreamFailed, e.Code == gateway.UpstreamTimeout:
		x.endpoint.failed(x.upstream.pool.health)
	}
	return err
}

// explain says it in words for the client, which name the upstream and the wait
// and no address; the cause is the operator's.
func (x *exchange) explain(at moment, cause error) error {
	name, waits := x.upstream.name, x.attempt.Timeouts
	if err := x.over(); err != nil {
		if e, ok := errors.AsType[*gateway.Error](context.Cause(x.ctx)); ok {
			return e // whoever set the bound knows better what to say
		}
		if errors.Is(err, context.Canceled) {
			return fmt.Errorf("%s: %w", name, err)
		}
		e := gateway.Errorf(gateway.UpstreamTimeout, "%s took longer than the call may take", name).Because(cause)
		e.Failure, e.Attempt = gateway.FailTotal, x.attempt
		return e
	}
	late := errors.Is(cause, os.ErrDeadlineExceeded) || errors.Is(cause, context.DeadlineExceeded)
	var e *gateway.Error
	switch {
	case at == connecting && late:
		wait := cmp.Or(waits.Connect, x.endpoint.options.DialTimeout)
		e = gateway.Errorf(gateway.UpstreamTimeout, "%s could not be reached within %s", name, wait)
		e.Failure = gateway.FailConnect
	case at == connecting:
		e = gateway.Errorf(gateway.UpstreamFailed, "%s could not be reached", name)
		e.Failure = gateway.FailTransport
	case late && (at == beforeHead || x.attempt.Awaited && waits.FirstToken > 0):
		e = gateway.Errorf(gateway.UpstreamTimeout, "%s did not answer within %s", name, waits.FirstToken)
		e.Failure = gateway.FailFirstToken
	case at == beforeHead && x.began:
		e = gateway.Errorf(gateway.UpstreamFailed, "%s gave an answer that makes no sense", name)
		e.Failure = gateway.FailProtocol
	case at == beforeHead:
		e = gateway.Errorf(gateway.UpstreamFailed, "%s closed the connection without an answer", name)
		e.Failure = gateway.FailTransport
	case late:
		e = gateway.Errorf(gateway.UpstreamTimeout, "%s sent nothing for %s", name, waits.Idle)
		e.Failure = gateway.FailIdle
	default:
		e = gateway.Errorf(gateway.UpstreamFailed, "%s broke off its answer", name)
		e.Failure = gateway.FailTransport
	}
	e.Attempt = x.attempt
	return e.Because(cause)
}

// over says whether the call's own time is up, or nobody wants its reply. A
// dialer that minds the deadline by itself may notice before the context does.
func (x *exchange) over() error {
	if err := x.ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := x.ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}
