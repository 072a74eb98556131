package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spanway/spanway/internal/gateway"
)

const (
	writeIdle    = 30 * time.Second // for a client to take what has been written
	writeRefresh = 5 * time.Second  // how stale a write deadline may get: setting it costs
)

// buffers hold what is on its way from an upstream to a client.
var buffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// writer writes what one call is answered with.
type writer struct {
	http.ResponseWriter

	control *http.ResponseController
	call    *gateway.Call
	client  *client
	close   bool      // the connection is not used again
	own     [5]string // the values of the headers that every answer has
}

// head sets the headers that every answer has, and gives the client time to take
// it: net/http writes short answers only after the handler has returned.
func (w *writer) head() http.Header {
	now := w.extend()
	h := w.Header()
	n := 0
	set := func(name, value string) {
		w.own[n] = value
		h[name] = w.own[n : n+1 : n+1]
		n++
	}
	set("X-Request-Id", w.call.ID)
	if w.call.Trace != "" {
		set("Traceresponse", w.call.Trace)
	}
	set("Server-Timing", timing(now.Sub(w.call.Received), w.call.Wait()))
	if w.call.Explain && w.call.Insight {
		set(explain, explanation(w.call))
	}
	if w.close {
		set("Connection", "close")
	}
	return h
}

// timing says where the time until now went, in milliseconds: gw is ours, up is
// the upstreams'.
func timing(all, up time.Duration) string {
	b := make([]byte, 0, 40)
	b = append(b, "gw;dur="...)
	b = appendMillis(b, max(all-up, 0))
	b = append(b, ", up;dur="...)
	b = appendMillis(b, up)
	return string(b)
}

func appendMillis(b []byte, d time.Duration) []byte {
	micros := d.Microseconds()
	b = append(strconv.AppendInt(b, micros/1000, 10), '.')
	return append(b, byte('0'+micros/100%10), byte('0'+micros/10%10), byte('0'+micros%10))
}

// fail answers with an error, in the caller's dialect.
func (w *writer) fail(e *gateway.Error) {
	if e.Code == gateway.Canceled {
		panic(http.ErrAbortHandler) // nobody is there to read it
	}
	h := w.head()
	if e.RetryAfter > 0 {
		seconds := (e.RetryAfter + time.Second - 1) / time.Second
		h["Retry-After"] = []string{strconv.Itoa(int(seconds))}
	}
	if len(e.Allow) > 0 {
		h["Allow"] = []string{strings.Join(e.Allow, ", ")}
	}
	contentType, body := w.call.Dialect.Error(e, w.call.TraceID)
	h["Content-Type"] = []string{contentType}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	w.WriteHeader(e.Code.Status())
	if w.call.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may be gone; there is nothing more to say to it
	}
}

// reply passes a reply on.
func (w *writer) reply(ctx context.Context, reply *gateway.Reply) {
	h := w.head()
	for name, values := range reply.Header {
		if _, ours := h[name]; !ours {
			h[name] = values
		}
	}
	if h["Content-Type"] == nil {
		h["Content-Type"] = nil // or net/http would guess
	}
	if reply.Length >= 0 && bodyAllowed(reply.Status) {
		h["Content-Length"] = []string{strconv.FormatInt(reply.Length, 10)}
	}
	if reply.Stream {
		h["X-Accel-Buffering"] = []string{"no"} // for an nginx in front of us
	}
	w.WriteHeader(reply.Status)
	if reply.Length < 0 && !reply.Stream {
		_ = w.control.Flush() // its client waits for the head; what follows may take long
	}
	if err := w.copy(reply); err != nil {
		w.breakOff(ctx, reply, err)
		return
	}
	for name, values := range reply.Trailer {
		h[http.TrailerPrefix+name] = values
	}
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// errClientGone marks an error of writing to the client.
var errClientGone = errors.New("the client took no more")

// copy passes the body on, as it comes where it has no known length.
func (w *writer) copy(reply *gateway.Reply) error {
	buf := buffers.Get().(*[16 << 10]byte) //nolint:forcetypeassert // New gives nothing else
	defer buffers.Put(buf)
	flush := reply.Length < 0
	for {
		n, err := reply.Body.Read(buf[:])
		if n > 0 {
			w.extend()
			if _, err := w.Write(buf[:n]); err != nil {
				return errors.Join(errClientGone, err)
			}
			if flush {
				if err := w.control.Flush(); err != nil {
					return errors.Join(errClientGone, err)
				}
			}
		}
		if err != nil && n == 0 {
			w.extend() // for what ends the answer: it may come long after the last piece
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// extend gives the client time for the next piece, from now on.
func (w *writer) extend() (now time.Time) {
	now = time.Now()
	if now.After(w.client.refresh) {
		w.client.refresh = now.Add(writeRefresh)
		_ = w.control.SetWriteDeadline(now.Add(writeIdle)) // fails only where the connection has
	}
	return now
}

// breakOff ends a reply that has begun and cannot be finished: with an error
// event where the dialect has one, else by cutting the connection, so that no
// client takes a part for the whole.
func (w *writer) breakOff(ctx context.Context, reply *gateway.Reply, err error) {
	drained := errors.Is(context.Cause(ctx), errDrained)
	switch {
	case errors.Is(err, errClientGone), ctx.Err() != nil && !drained:
		reply.Outcome = gateway.ClientGone
		reply.Close()
		panic(http.ErrAbortHandler)
	case drained:
		reply.Outcome, err = gateway.Drained, errDrained
	case reply.Outcome == "":
		reply.Outcome = gateway.UpstreamError
	}
	e := gateway.AsError(err)
	reply.Err = e
	event := w.call.Dialect.StreamError(e, w.call.TraceID)
	if !reply.Stream || event == nil {
		reply.Close()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(event) // the client may be gone, too
	_ = w.control.Flush()
}
