package gateway

import "net/http"

// Failure says, in one word, what kind of failure ended an attempt. Retry,
// fallback, the breaker and the benching of keys all decide by it, and none of
// them looks at statuses or bodies by itself. Who finds out sets it, in the
// Reply or the Error: upstream from the wire, provider from what a body says.
type Failure string

// The kinds. The three things that 429 may mean are three kinds: RateLimited,
// Overloaded (slow down) and Billing (the quota is used up).
const (
	FailAuth          Failure = "auth"                // our key is not taken; another one may be
	FailBilling       Failure = "billing"             // the account behind our key cannot pay; never again with that key
	FailRateLimited   Failure = "rate_limited"        // too much for now
	FailOverloaded    Failure = "overloaded"          // it has no room for anybody
	FailConnect       Failure = "timeout.connect"     // no connection came about in time
	FailFirstToken    Failure = "timeout.first_token" // no reply, or no first token, in time
	FailIdle          Failure = "timeout.idle"        // it fell silent
	FailTotal         Failure = "timeout.total"       // it took longer than an attempt may
	FailServer        Failure = "server"              // it failed inside
	FailBadRequest    Failure = "bad_request"         // the call is wrong, and would be anywhere
	FailContextWindow Failure = "context_window"      // the prompt is too long for this model
	FailContentPolicy Failure = "content_policy"      // this model will not speak of it
	FailTransport     Failure = "transport"           // refused, reset, closed
	FailProtocol      Failure = "protocol"            // what it said makes no sense
	FailStreamError   Failure = "stream_error"        // it failed inside, and said so with status 200
	FailClientGone    Failure = "client_gone"         // nobody waits for the reply: no fault of the upstream
	FailRefused       Failure = "refused"             // the gateway did not ask it, as with an open breaker; the Error's Reason or Code says why
)

// FailureOf names the kind of failure that a handler's outcome is. It is "" where
// nothing failed, and where what failed is the gateway itself.
func FailureOf(reply *Reply, err error) Failure {
	switch {
	case err != nil:
		return AsError(err).kind()
	case reply.Failure != "":
		return reply.Failure
	default:
		return FailureOfStatus(reply.Status)
	}
}

// FailureOfStatus is what a status means where nothing more is known.
func FailureOfStatus(status int) Failure {
	switch {
	case status < http.StatusBadRequest:
		return ""
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return FailAuth
	case status == http.StatusPaymentRequired:
		return FailBilling
	case status == http.StatusTooManyRequests:
		return FailRateLimited
	case status == http.StatusServiceUnavailable, status == 529:
		return FailOverloaded
	case status < http.StatusInternalServerError, status == http.StatusNotImplemented:
		return FailBadRequest
	default:
		return FailServer
	}
}

// kind is the kind that was found out, else what the code means.
func (e *Error) kind() Failure {
	switch {
	case e.Failure != "":
		return e.Failure
	case e.Code == Canceled, e.Code == Draining:
		return FailClientGone
	case e.Code == UpstreamTimeout:
		return FailTotal
	case e.Code == UpstreamFailed:
		return FailProtocol
	case e.Code == BreakerOpen, e.Code == Overloaded:
		return FailRefused
	case e.Code.Status() < http.StatusInternalServerError:
		return FailBadRequest
	default:
		return ""
	}
}
