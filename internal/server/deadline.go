package server

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spanway/spanway/internal/gateway"
)

// patience is how long a caller waits.
type patience struct {
	until time.Time // zero is for ever
	whole bool      // for the whole reply, not only for its beginning
}

// longest bounds what a caller may say. Who would wait longer sets no bound.
const longest = 24 * time.Hour

// The headers in which callers say how long they wait. The first is ours: what
// makes no sense in it is refused. The others are spoken by libraries, and are
// passed over where they make none; OpenAI's and Anthropic's libraries wait so
// long for a reply to begin, and then as long as it takes.
const (
	ownTimeout       = "X-Spanway-Timeout"
	grpcTimeout      = "Grpc-Timeout"
	stainlessTimeout = "X-Stainless-Timeout"
)

// patienceOf reads the headers. If there are several, the shortest wait counts.
func patienceOf(call *gateway.Call) (p patience, refused *gateway.Error) {
	heed := func(wait time.Duration, whole bool) {
		if until := call.Received.Add(wait); wait <= longest && (p.until.IsZero() || until.Before(p.until)) {
			p = patience{until, whole}
		}
	}
	if values := call.Header[ownTimeout]; values != nil {
		delete(call.Header, ownTimeout) // it is said to us
		wait, ok := ownWait(values)
		if !ok {
			return p, gateway.Errorf(gateway.Invalid, "x-spanway-timeout must be a duration such as 30s, or seconds, and more than 0")
		}
		heed(wait, true)
	}
	if values := call.Header[grpcTimeout]; len(values) == 1 {
		if wait, ok := grpcWait(values[0]); ok {
			heed(wait, true)
		}
	}
	if values := call.Header[stainlessTimeout]; len(values) == 1 {
		if wait, ok := seconds(values[0]); ok {
			heed(wait, false)
		}
	}
	return p, nil
}

func ownWait(values []string) (time.Duration, bool) {
	if len(values) != 1 {
		return 0, false
	}
	if wait, ok := seconds(values[0]); ok {
		return wait, true
	}
	wait, err := time.ParseDuration(values[0])
	return wait, err == nil && wait > 0
}

// seconds reads a number of them, whole or not.
func seconds(text string) (time.Duration, bool) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n > 0) || strings.ContainsAny(text, "xXpP_") { // not n <= 0: it may be no number
		return 0, false
	}
	return time.Duration(min(n*float64(time.Second), float64(2*longest))), true
}

var grpcUnits = map[byte]time.Duration{
	'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
}

// grpcWait reads what gRPC sends: up to eight digits, and a unit.
func grpcWait(text string) (time.Duration, bool) {
	if len(text) < 2 || len(text) > 9 {
		return 0, false
	}
	unit, ok := grpcUnits[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	if !ok || err != nil || n == 0 {
		return 0, false
	}
	return time.Duration(min(float64(n)*float64(unit), float64(2*longest))), true
}

// errImpatient is why the contexts of calls end whose callers wait no longer.
var errImpatient = gateway.Errorf(gateway.UpstreamTimeout, "the time that the caller gave is over")

// bound ends the call when its caller waits no longer. begun lifts the bound
// where it was for the beginning of the reply only; done frees it.
func (p patience) bound(r *http.Request) (ctx context.Context, begun, done func()) {
	if p.until.IsZero() {
		return r.Context(), func() {}, func() {}
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	timer := time.AfterFunc(time.Until(p.until), func() { cancel(errImpatient) })
	begun = func() {
		if !p.whole {
			timer.Stop()
		}
	}
	return ctx, begun, func() {
		timer.Stop()
		cancel(nil)
	}
}
