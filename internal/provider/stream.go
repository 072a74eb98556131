package provider

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// stream passes a provider's events on, byte for byte, and learns from them
// what it can. Where it must, it writes them anew.
type stream struct {
	ctx     context.Context
	from    io.Reader
	speaks  dialect
	watch   *llm.Watch
	rewrite *rewrite // nil where the bytes pass
	reply   *gateway.Reply
	answer  *llm.Answer
	facts   *gateway.StreamFacts
	choices int64 // how many were asked for

	held    []byte // what was read before the first token, and not yet passed on
	now     time.Time
	ending  bool         // the stream has ended; an event that is cut there does not count
	done    bool         // the end mark has come
	failure *llm.Failure // the provider said that it failed
	end     error        // what Read gives from now on
}

// begin reads up to the first token and makes a Reply of the stream. What a
// provider says before it, comments and chunks with only a role in them, does
// not count as an answer. On error the reply is the one that came in.
func (x *exchange) begin(ctx context.Context, reply *gateway.Reply) (*gateway.Reply, error) {
	call := x.call
	s := &stream{
		ctx: ctx, from: reply.Body, reply: reply, speaks: x.speaks, rewrite: x.rewrites(),
		answer: &call.Attempt.Answer, facts: new(gateway.StreamFacts),
	}
	if call.LLM != nil {
		s.choices = call.LLM.Choices
	}
	s.watch = llm.NewWatch(s.event)
	call.Attempt.Awaited = true
	err := s.first()
	call.Attempt.Awaited = false
	if s.failure != nil && s.facts.Chunks == 0 {
		return x.failed(reply, s.failure), nil
	}
	if err != nil {
		return reply, err
	}
	if s.rewrite != nil {
		s.held = nil // it has all that may go
	}
	call.Attempt.Stream = s.facts
	reply.Body, reply.Length, reply.Stream = s, -1, true
	reply.Header["Cache-Control"] = []string{"no-cache"}
	reply.Header["X-Accel-Buffering"] = []string{"no"} // a proxy in front of us must pass events on at once
	reply.OnDone(s.closed)
	return reply, nil
}

// first reads until the first token, the end mark or a failure has come.
func (s *stream) first() error {
	for s.facts.Chunks == 0 && !s.done && s.failure == nil {
		s.held = slices.Grow(s.held, 4<<10)
		n, err := s.pull(s.held[len(s.held):cap(s.held)])
		s.held = s.held[:len(s.held)+n]
		text := bytes.TrimLeft(s.held, "\xef\xbb\xbf \t\r\n")
		switch {
		case len(text) > 0 && text[0] == '<':
			return gateway.Errorf(gateway.UpstreamFailed, "the provider sent a page instead of events")
		case err == nil || s.facts.Chunks > 0 || s.done || s.failure != nil:
		case len(text) > 0 && text[0] == '{':
			_, s.failure = s.speaks.answer(text) // an error that was only called a stream
			return gateway.Errorf(gateway.UpstreamFailed, "the provider sent a document instead of events")
		case s.facts.Outcome == gateway.Truncated:
			return gateway.Errorf(gateway.UpstreamFailed, "the stream ended before it had begun")
		default:
			return err
		}
		if len(s.held) > llm.MaxEvent {
			return gateway.Errorf(gateway.UpstreamFailed, "the stream said too much before it began").Because(llm.ErrEventTooLarge)
		}
	}
	return nil
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	if len(s.held) > 0 {
		n := copy(p, s.held)
		if s.held = s.held[n:]; len(s.held) == 0 {
			s.held = nil
		}
		return n, nil
	}
	if s.rewrite == nil {
		return s.pull(p)
	}
	for {
		if n := s.rewrite.take(p); n > 0 {
			return n, nil
		}
		if n, err := s.pull(p); n == 0 && err != nil && !s.rewrite.some() {
			return 0, err
		}
	}
}

// pull reads from the provider and looks at what came. An end that comes with
// bytes is told after them.
func (s *stream) pull(p []byte) (int, error) {
	if s.end != nil {
		return 0, s.end
	}
	n, err := s.from.Read(p)
	if n > 0 {
		s.now = time.Time{}
		s.rewrite.begin(p[:n])
		large := s.watch.Write(p[:n])
		s.rewrite.end(s.watch.Whole())
		if large != nil && err == nil {
			err = gateway.Errorf(gateway.UpstreamFailed, "the provider's stream cannot be read").Because(large)
		}
	}
	if err != nil {
		s.end = s.ended(err)
	}
	if n > 0 {
		return n, nil
	}
	return 0, s.end
}

// event is told of each event as it passes.
func (s *stream) event(e llm.Event) {
	if s.ending && string(e.Data) != "[DONE]" && !llm.Valid(e.Data) {
		return
	}
	chunk := s.speaks.event(s.answer, e)
	s.rewrite.event(e, chunk)
	s.done = s.done || chunk.Done
	switch {
	case chunk.Failure != nil && s.failure == nil:
		s.failure = chunk.Failure
	case chunk.Semantic && s.failure == nil: // what comes after a failure is no answer, however the network cuts it
		s.token()
	}
}

// token keeps the time of an event that carries a part of the answer.
func (s *stream) token() {
	if s.now.IsZero() {
		s.now = time.Now()
	}
	if s.facts.Chunks == 0 {
		s.facts.First = s.now
	} else {
		s.facts.MaxGap = max(s.facts.MaxGap, s.now.Sub(s.facts.Last))
	}
	s.facts.Last = s.now
	s.facts.Chunks++
}

// ended finds out how the stream went and what its reader is told. A provider
// may leave its end mark out if all that was asked for has ended; after the
// mark, or an error event, nothing that goes wrong matters any more.
func (s *stream) ended(err error) error {
	s.ending = true
	s.watch.End()
	switch {
	case s.failure != nil:
		s.outcome(gateway.UpstreamError) // its event has told the client
		return io.EOF
	case s.done, err == io.EOF && s.answer.Finished(s.choices):
		s.outcome(gateway.Complete)
		s.rewrite.finish()
		return io.EOF
	case err == io.EOF:
		s.outcome(gateway.Truncated)
		return gateway.Errorf(gateway.UpstreamFailed, "the stream ended before its end mark")
	}
	if s.ctx.Err() != nil {
		err = context.Cause(s.ctx)
	}
	code := gateway.UpstreamFailed
	if named, ok := errors.AsType[*gateway.Error](err); ok || s.ctx.Err() != nil {
		if !ok {
			named = gateway.AsError(err)
		}
		err, code = named, named.Code
	}
	switch code {
	case gateway.UpstreamTimeout:
		s.outcome(gateway.Stalled)
	case gateway.Canceled:
		s.outcome(gateway.ClientGone)
	default:
		s.outcome(gateway.UpstreamError)
	}
	return broken(err)
}

func (s *stream) outcome(o gateway.Outcome) { s.facts.Outcome, s.reply.Outcome = o, o }

// closed settles the outcome of a stream that was left before its end: whoever
// did so has said why in the reply, or else the client went away.
func (s *stream) closed(reply *gateway.Reply) {
	if s.facts.Outcome != "" {
		return
	}
	if reply.Outcome == "" {
		reply.Outcome = gateway.ClientGone
		if s.done {
			reply.Outcome = gateway.Complete
		}
	}
	s.facts.Outcome = reply.Outcome
}
