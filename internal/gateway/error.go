package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Code says what went wrong, in one word. It is part of the API: clients,
// dashboards and tests match on it.
type Code string

// The codes. What no one has named is Internal.
const (
	Invalid          Code = "invalid_request"        // 400: the request makes no sense
	Unauthenticated  Code = "invalid_api_key"        // 401: no key, or an unknown one
	Forbidden        Code = "forbidden"              // 403: the key may not do this
	NoRoute          Code = "no_route"               // 404: nothing is at this path
	NoModel          Code = "model_not_found"        // 404: nothing answers to this model's name
	MethodNotAllowed Code = "method_not_allowed"     // 405
	ClientTimeout    Code = "request_timeout"        // 408: the client was too slow to ask
	TooLarge         Code = "request_too_large"      // 413: the body is over its limit
	URITooLong       Code = "uri_too_long"           // 414
	UnsupportedMedia Code = "unsupported_media_type" // 415: an encoding or content type that is not read
	BadExpectation   Code = "expectation_failed"     // 417
	Misdirected      Code = "misdirected_request"    // 421: a host that is not served here
	HeadTooLarge     Code = "head_too_large"         // 431: too many or too long headers
	Canceled         Code = "client_gone"            // 499: nobody is there to read it
	Internal         Code = "internal_error"         // 500: ours, and logged whole
	NotImplemented   Code = "not_implemented"        // 501
	UpstreamFailed   Code = "upstream_failed"        // 502: the upstream broke or made no sense
	Overloaded       Code = "overloaded"             // 503: the gateway has no room now
	Draining         Code = "draining"               // 503: the gateway shuts down, and cut it
	BreakerOpen      Code = "breaker_open"           // 503: the target has failed too often, and is not asked now
	UpstreamTimeout  Code = "upstream_timeout"       // 504: the upstream did not answer in time
	BadVersion       Code = "http_version"           // 505
)

var statuses = map[Code]int{
	Invalid: 400, Unauthenticated: 401, Forbidden: 403, NoRoute: 404, NoModel: 404, MethodNotAllowed: 405,
	ClientTimeout: 408, TooLarge: 413, URITooLong: 414, UnsupportedMedia: 415, BadExpectation: 417,
	Misdirected: 421, HeadTooLarge: 431, Canceled: 499, Internal: 500, NotImplemented: 501,
	UpstreamFailed: 502, Overloaded: 503, Draining: 503, BreakerOpen: 503, UpstreamTimeout: 504, BadVersion: 505,
}

// Status is the HTTP status that goes with a code.
func (c Code) Status() int {
	if status, ok := statuses[c]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// Error is an error that a client may be shown. The cause, if any, is for the
// operator: it is logged and never sent.
type Error struct {
	Code       Code
	Message    string
	Param      string        // the field of the request that is to blame, if one is
	RetryAfter time.Duration // 0: not said
	Reason     string        // why, in one word where the code alone does not say: safe as a metric's label
	Allow      []string      // with MethodNotAllowed: what is allowed
	Failure    Failure       // of the attempt that it ended; "" is what the code means
	Attempt    *Attempt      // the attempt that it ended, where upstream knows it; nil where none was begun
	cause      error
}

// Superseded is why an attempt is cut whose reply nobody needs any more: another
// one that was sent beside it has answered. It reaches no client, is nobody's
// fault, and nothing is sent again because of it. It is compared by identity.
var Superseded = &Error{Code: Canceled, Message: "another attempt answered first", Reason: "superseded"}

// Errorf returns an error with a message for the caller.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Because attaches the cause that the operator will want to know.
func (e *Error) Because(cause error) *Error {
	e.cause = cause
	return e
}

// Error implements error; it is the operator's view.
func (e *Error) Error() string {
	if e.cause != nil {
		return e.Message + ": " + e.cause.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// AsError finds the Error in err. What no one has named is Internal, and its
// text is kept from the client.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	switch {
	case errors.Is(err, context.Canceled):
		return Errorf(Canceled, "the client went away").Because(err)
	case errors.Is(err, context.DeadlineExceeded):
		return Errorf(UpstreamTimeout, "no answer in time").Because(err)
	default:
		return Errorf(Internal, "internal error").Because(err)
	}
}
