package policy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spanway/spanway/internal/gateway"
)

// trouble is what a fault does.
type trouble struct {
	kind   string
	wait   time.Duration
	number int // a status, or events
}

// troubles are the faults there are, as messages show them.
const troubles = "latency 2s, error 503, rate_limit 10s, error_in_200, slow_first_token 5s, stall 3, cut 3, malformed_tools, wrong_usage"

// parseTrouble reads what a fault does: a word, and for some a wait or a number.
func parseTrouble(text string) (t trouble, err error) {
	kind, with, _ := strings.Cut(text, " ")
	t.kind = kind
	switch kind {
	case "latency", "rate_limit", "slow_first_token":
		t.wait, err = time.ParseDuration(with)
	case "error", "stall", "cut":
		t.number, err = strconv.Atoi(with)
	case "error_in_200", "malformed_tools", "wrong_usage":
		if text != kind {
			err = fmt.Errorf("%s takes nothing more", kind)
		}
	default:
		err = fmt.Errorf("there is no fault %q", kind)
	}
	if err == nil && (t.wait < 0 || t.number < 0 || kind == "error" && (t.number < 400 || t.number > 599)) {
		err = fmt.Errorf("%s cannot be %s", kind, with)
	}
	return t, err
}

// make sends the call on, or not, and lets it go wrong.
func (t trouble) make(ctx context.Context, call *gateway.Call, wire gateway.Handler) (*gateway.Reply, error) {
	switch t.kind {
	case "latency":
		if err := pause(ctx, call, t.wait, call.Attempt.Timeouts.FirstToken); err != nil {
			return nil, err
		}
		return wire.Handle(ctx, call)
	case "error":
		return t.says(call, t.number), nil
	case "rate_limit":
		reply := t.says(call, http.StatusTooManyRequests)
		reply.Header.Set("Retry-After", strconv.Itoa(int((t.wait+time.Second-1)/time.Second)))
		return reply, nil
	case "error_in_200":
		return t.says(call, http.StatusOK), nil
	}
	reply, err := wire.Handle(ctx, call)
	if err != nil {
		return nil, err
	}
	switch b := (&troubled{ctx: ctx, call: call, reply: reply, from: reply.Body, trouble: t}); t.kind {
	case "slow_first_token":
		reply.Body = b
	case "stall", "cut":
		b.events = strings.HasPrefix(reply.Header.Get("Content-Type"), "text/event-stream")
		reply.Body = b
	case "malformed_tools":
		// OpenAI's chats and Responses, and Anthropic's streams.
		reply.Body = &inserting{from: reply.Body, keys: []string{"arguments", "partial_json"}, text: "{", within: true}
	case "wrong_usage":
		reply.Body = &inserting{from: reply.Body, keys: []string{"prompt_tokens", "completion_tokens", "input_tokens", "output_tokens"}, text: "9"}
	}
	if _, changed := reply.Body.(*inserting); changed {
		reply.Length = -1
		reply.Header.Del("Content-Length")
	}
	return reply, nil
}

// faultBody is an error in the words of OpenAI's dialect and of Anthropic's at
// once.
const faultBody = `{"type":"error","error":{"type":"server_error","code":"server_error","param":null,"message":"This fault was made on purpose."}}`

// says is an answer that the upstream has not given: an error, as a document, or
// where the status is fine and a stream was asked for, as an event.
func (t trouble) says(call *gateway.Call, status int) *gateway.Reply {
	kind, body := "application/json", faultBody
	if status == http.StatusTooManyRequests {
		body = strings.ReplaceAll(body, "server_error", "rate_limit_error")
	}
	if status == http.StatusOK && call.LLM != nil && call.LLM.Stream {
		kind, body = "text/event-stream", "data: "+body+"\n\n"
	}
	call.Attempt.Sent, call.Attempt.Status = true, status
	reply := gateway.NewReply(status, http.Header{"Content-Type": {kind}}, strings.NewReader(body), int64(len(body)), nil)
	reply.Attempt = call.Attempt
	return reply
}

// pause waits as if the upstream did, no longer than the attempt would wait for
// that.
func pause(ctx context.Context, call *gateway.Call, wait, bound time.Duration) error {
	late := bound > 0 && bound < wait
	if late {
		wait = bound
	}
	due := time.NewTimer(wait)
	defer due.Stop()
	select {
	case <-ctx.Done():
		return gateway.AsError(context.Cause(ctx))
	case <-due.C:
	}
	if late {
		e := gateway.Errorf(gateway.UpstreamTimeout, "%s did not answer within %s", call.Attempt.Target.Upstream, bound)
		e.Failure, e.Attempt = gateway.FailFirstToken, call.Attempt
		if call.Attempt.Status != 0 && !call.Attempt.Awaited {
			e.Message, e.Failure = fmt.Sprintf("%s sent nothing for %s", call.Attempt.Target.Upstream, bound), gateway.FailIdle
		}
		return e
	}
	return nil
}

// troubled is a body that comes late, or not to its end.
type troubled struct {
	ctx   context.Context //nolint:containedctx // it bounds the reading of the body
	call  *gateway.Call
	reply *gateway.Reply
	from  io.Reader
	trouble

	events bool // it is a stream of them
	seen   int  // so many have passed
	line   bool // something of a line has come
	event  bool // something of an event has come
	begun  bool
	over   bool
}

// forEver is longer than any call.
const forEver = 1 << 62

// Read implements io.Reader.
func (b *troubled) Read(p []byte) (int, error) {
	attempt := b.call.Attempt
	bound := attempt.Timeouts.Idle
	if attempt.Awaited && attempt.Timeouts.FirstToken > 0 {
		bound = attempt.Timeouts.FirstToken
	}
	if b.kind == "slow_first_token" {
		if !b.begun {
			b.begun = true
			if err := pause(b.ctx, b.call, b.wait, bound); err != nil {
				return 0, b.failed(err)
			}
		}
		return b.from.Read(p)
	}
	b.over = b.over || b.events && b.seen >= b.number
	if b.over {
		return 0, b.end(bound)
	}
	n, err := b.from.Read(p)
	if b.events {
		n = b.pass(p[:n])
	} else if n > 1 || err == nil { // no events to count: half of what comes first
		n, b.over = n/2, true
	}
	if n > 0 || b.over {
		return n, nil
	}
	return n, err
}

// pass returns how much of p passes: to the end of the last event that may.
func (b *troubled) pass(p []byte) int {
	for i, c := range p {
		switch {
		case c == '\n' && b.event && !b.line:
			b.event = false
			if b.seen++; b.seen >= b.number {
				return i + 1
			}
		case c == '\n':
			b.line = false
		case c != '\r':
			b.line, b.event = true, true
		}
	}
	return len(p)
}

// end is what comes in place of the rest. A stream of a model ends as if it were
// whole, but for its end mark; anything else breaks off.
func (b *troubled) end(bound time.Duration) error {
	switch {
	case b.kind == "stall":
		return b.failed(pause(b.ctx, b.call, forEver, bound))
	case b.events && b.call.Attempt.Target.Provider != "":
		return io.EOF
	}
	e := gateway.Errorf(gateway.UpstreamFailed, "%s broke off its answer", b.call.Attempt.Target.Upstream)
	e.Failure, e.Attempt = gateway.FailTransport, b.call.Attempt
	return b.failed(e)
}

// failed tells the reply how it ended, as the wire does.
func (b *troubled) failed(err error) error {
	b.reply.Err = gateway.AsError(err)
	switch b.reply.Err.Code {
	case gateway.Canceled:
		b.reply.Outcome = gateway.ClientGone
	case gateway.UpstreamTimeout:
		b.reply.Outcome = gateway.Stalled
	default:
		b.reply.Outcome = gateway.UpstreamError
	}
	return b.reply.Err
}
