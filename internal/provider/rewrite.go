package provider

import "github.com/spanway/spanway/internal/llm"

// rewrite is what is done to a stream that does not pass as it came: it is told
// in another dialect, or one of its events is taken out. Of nothing else is an
// event held back until it is whole. A nil one does nothing.
type rewrite struct {
	listen  listener // nil where events are taken out only
	speak   speaker
	learned *llm.Answer

	piece []byte // what is being looked at
	from  int    // where in it the event under way begins
	part  []byte // of the event under way: what came in earlier pieces
	ready []byte // what may go to the client
	gone  int    // how much of that has
	cr    bool   // the event or comment that was found last ended the piece with a CR: a LF that comes next belongs to it
	kept  bool   // it was passed on
	begun bool
	over  bool // the end, or a failure, has been said
	say   func(*llm.Delta)
}

// rewrites returns nil where the bytes pass.
func (x *exchange) rewrites() *rewrite {
	switch {
	case x.asked != nil:
		r := &rewrite{listen: x.speaks.listener(), speak: x.caller.speaker(x.asked), learned: &x.call.Attempt.Answer}
		r.say = r.said
		return r
	case x.strip:
		return new(rewrite)
	}
	return nil
}

// begin takes the next piece of the stream.
func (r *rewrite) begin(piece []byte) {
	if r != nil {
		r.piece, r.from = piece, 0
		if r.cr && piece[0] == '\n' {
			r.from = 1
			if r.kept {
				r.ready = append(r.ready, '\n')
			}
		}
		r.cr = false
	}
}

// end keeps what the piece has of an event that is not whole. Comments, with which
// a provider keeps a connection awake, go at once.
func (r *rewrite) end(whole int) {
	if r == nil {
		return
	}
	if r.listen == nil {
		r.pass(whole)
		r.part = append(r.part, r.piece[r.from:]...)
	}
	r.piece, r.from = nil, 0
}

// pass passes on what comes before a place in the piece, if that is no event's.
func (r *rewrite) pass(to int) {
	if to > r.from {
		r.ready = append(append(r.ready, r.part...), r.piece[r.from:to]...)
		r.part, r.from = r.part[:0], to
		r.kept, r.cr = true, to == len(r.piece) && r.piece[to-1] == '\r'
	}
}

// event takes an event as it is found in the piece. One that the stream's end cut
// short has come in pieces before.
func (r *rewrite) event(e llm.Event, chunk llm.Chunk) {
	switch {
	case r == nil || r.over:
	case r.listen != nil && chunk.Failure != nil:
		r.said(&llm.Delta{Kind: llm.Failed, Failure: chunk.Failure})
	case r.listen != nil:
		r.listen.listen(e, r.say)
		if chunk.Done {
			r.ended()
		}
	default:
		r.pass(e.Begin)
		to := max(e.End, r.from)
		if r.kept = !chunk.Extra; r.kept {
			r.ready = append(append(r.ready, r.part...), r.piece[r.from:to]...)
		}
		r.cr = to > 0 && to == len(r.piece) && r.piece[to-1] == '\r'
		r.part, r.from = r.part[:0], to
	}
}

// awake is a comment, which no library hears and every proxy sees.
const awake = ": awake\n\n"

// said writes one step for the client: one beginning, whether or not the provider
// has said it, and nothing after the end.
func (r *rewrite) said(d *llm.Delta) {
	start := d.Kind == llm.Start
	switch {
	case r.over || start && r.begun:
		return
	case d.Kind == llm.Awake:
		if r.begun {
			r.ready = append(r.ready, awake...)
		}
		return
	}
	if !r.begun && !start && d.Kind != llm.Failed {
		r.ready = r.speak.append(r.ready, &llm.Delta{Kind: llm.Start})
	}
	r.begun = true
	r.over = d.Kind == llm.End || d.Kind == llm.Failed
	r.ready = r.speak.append(r.ready, d)
}

// ended says the end, and before it what was counted.
func (r *rewrite) ended() {
	if r.learned.Usage.Known {
		r.said(&llm.Delta{Kind: llm.UsageDelta, Usage: r.learned.Usage})
	}
	r.said(&llm.Delta{Kind: llm.End})
}

// finish ends a stream that was complete: with what its provider left out, or
// with bytes behind its last event.
func (r *rewrite) finish() {
	switch {
	case r == nil:
	case r.listen != nil:
		r.ended()
	default:
		r.ready = append(r.ready, r.part...)
		r.part = nil
	}
}

// some reports whether there is something to take.
func (r *rewrite) some() bool { return r.gone < len(r.ready) }

// take gives what may go. The buffer is used again, unless one event made it
// large.
func (r *rewrite) take(p []byte) int {
	n := copy(p, r.ready[r.gone:])
	r.gone += n
	if r.gone == len(r.ready) {
		r.ready, r.gone = r.ready[:0], 0
		if cap(r.ready) > keepReady {
			r.ready = nil
		}
	}
	return n
}

// keepReady is the capacity that the buffer may keep from one event to the next.
const keepReady = 64 << 10
