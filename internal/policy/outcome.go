package policy

import (
	"net/http"
	"time"

	"github.com/spanway/spanway/internal/gateway"
)

// outcome is what came of an attempt that failed: a reply that says so, or an
// error.
type outcome struct {
	reply   *gateway.Reply
	err     error
	failure gateway.Failure
}

// attempt is the one that failed; nil where none was begun, or it is not known.
func (o outcome) attempt() *gateway.Attempt {
	if o.err != nil {
		return gateway.AsError(o.err).Attempt
	}
	return o.reply.Attempt
}

// resendable reports whether a call may be sent once more. What has not been
// delivered may, and what its target refused to do; what may have been executed
// only where a second time does no harm. That is so for methods that are
// idempotent, for routes that say so, and for calls to models: another answer
// costs money and changes nothing. A body that is gone cannot be sent at all.
func (o outcome) resendable(call *gateway.Call) bool {
	if o.failure == gateway.FailRefused {
		return true
	}
	if !call.Body.Replayable() || o.aboutCaller(call) {
		return false
	}
	if a := o.attempt(); o.err != nil && a != nil && !a.Sent || o.failure == gateway.FailRateLimited {
		return true
	}
	if call.Route != nil && (call.Route.Operation != "" || call.Route.Idempotent) {
		return true
	}
	switch call.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// aboutCaller reports whether a service has refused who asks: that it does not
// know them, or that they may not. Another target would say the same. A provider
// of models knows nobody but us.
func (o outcome) aboutCaller(call *gateway.Call) bool {
	if call.Route != nil && call.Route.Operation != "" || o.failure != gateway.FailAuth && o.failure != gateway.FailBilling {
		return false
	}
	return !o.otherKey() || o.reply != nil && o.reply.Status == http.StatusForbidden
}

// stale reports whether the attempt met a connection that had been closed while
// it rested.
func (o outcome) stale() bool {
	a := o.attempt()
	return o.err != nil && a != nil && a.Reused && !a.Sent
}

// otherKey reports whether the upstream can be asked with another key.
func (o outcome) otherKey() bool {
	a := o.attempt()
	return a != nil && a.OtherKey
}

// forbidsRetry reports whether the upstream asks not to be asked again, as
// OpenAI and Anthropic tell their own libraries.
func (o outcome) forbidsRetry() bool {
	return o.reply != nil && o.reply.Header.Get("X-Should-Retry") == "false"
}

// retryAfter says how long the upstream asks to be left alone.
func (o outcome) retryAfter(now time.Time) (wait time.Duration, asked bool) {
	if o.reply != nil {
		return gateway.RetryAfter(o.reply.Header, now)
	}
	wait = gateway.AsError(o.err).RetryAfter
	return wait, wait > 0
}

// mostKept bounds what is kept of a reply that another one may take the place of.
const mostKept = 64 << 10

// setAside is an outcome that its caller gets if nothing better comes.
type setAside struct {
	reply *gateway.Reply
	err   error
}

// aside ends the attempt, and keeps what it said.
func (o outcome) aside() setAside {
	if o.err != nil {
		return setAside{err: o.err}
	}
	kept := o.reply.Keep(mostKept)
	if kept == nil {
		return setAside{err: gateway.Errorf(gateway.UpstreamFailed, "the upstream answered with status %d", o.reply.Status)}
	}
	return setAside{reply: kept}
}

func (s setAside) outcome() (*gateway.Reply, error) { return s.reply, s.err }
