package llm

import (
	"bytes"
	"errors"
)

// MaxEvent bounds one event of a stream: 16 MiB of data, and its framing.
const MaxEvent = 16<<20 + 64<<10

// keep is the capacity that a buffer may keep from one event to the next.
const keep = 64 << 10

// ErrEventTooLarge is what a [Watch] says of an event over [MaxEvent].
var ErrEventTooLarge = errors.New("an event of the stream is larger than 16 MiB")

// Event is one event of a stream. Its bytes are only good until the function
// that was given them returns.
type Event struct {
	Name []byte // of the "event:" line; empty where there is none
	Data []byte // the "data:" lines, joined with line feeds

	// Where in the piece that was written last the event lies, the empty line that
	// ends it included. Begin is 0 where it began in an earlier one, End is 0 where the
	// stream's end ended it.
	Begin, End int
}

// Watch looks on while the bytes of an event stream pass. It neither keeps nor
// changes them: it finds the events in them, however they are cut, and hands
// each to a function. Data that lies within one piece is a view of it; only
// what was cut is put together in a buffer.
type Watch struct {
	event func(Event)

	line []byte // a line whose end has not come
	name []byte
	data []byte // the data so far: a view of the piece, or of held
	held []byte
	some bool // the event has a data line
	view bool // data is a view of the piece, which the next one overwrites
	cr   bool // the last byte was a CR: a LF now belongs to it
	late bool // the first line has passed, where a byte order mark may stand
	next int  // where in the piece the next line begins
	from int  // where in the piece the event under way begins
}

// NewWatch returns a Watch that calls event for each event.
func NewWatch(event func(Event)) *Watch { return &Watch{event: event} }

// Write takes the next piece of the stream. Its error is [ErrEventTooLarge].
func (w *Watch) Write(piece []byte) error {
	w.from = 0
	lf := -1 // where the next LF stands: found once, so that a stream of CRs is not searched again and again
	for at := 0; at < len(piece); {
		if w.cr {
			w.cr = false
			if piece[at] == '\n' {
				at++
				continue
			}
		}
		if lf < at {
			if lf = bytes.IndexByte(piece[at:], '\n'); lf >= 0 {
				lf += at
			} else {
				lf = len(piece)
			}
		}
		end := lf
		if cr := bytes.IndexByte(piece[at:lf], '\r'); cr >= 0 {
			end, w.cr = at+cr, true
		}
		if len(w.data)+len(w.line)+end-at > MaxEvent {
			return ErrEventTooLarge
		}
		w.next = min(end+1, len(piece))
		if w.cr && w.next < len(piece) && piece[w.next] == '\n' {
			w.next++
		}
		switch {
		case end == len(piece):
			w.line = append(w.line, piece[at:]...)
		case len(w.line) > 0:
			w.line = append(w.line, piece[at:end]...)
			w.read(w.line, false)
			w.line = w.line[:0]
		default:
			w.read(piece[at:end], true)
		}
		at = end + 1
	}
	if w.view {
		w.hold()
	}
	return nil
}

// Whole returns how much of the piece that was written last is not a part of an
// event under way.
func (w *Watch) Whole() int { return w.from }

// End hands over the event that the stream ended in, as if its empty line had
// come: some providers leave the last one out. Whether its data is whole is for
// the function to find out.
func (w *Watch) End() {
	w.from, w.next = 0, 0
	if len(w.line) > 0 {
		w.read(w.line, false)
	}
	w.read(nil, false)
}

// read takes a line without its end. view says that it lies in the piece;
// otherwise it is w.line.
func (w *Watch) read(line []byte, view bool) {
	if !w.late {
		w.late = true
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	if len(line) == 0 {
		w.dispatch()
		return
	}
	field, value, _ := bytes.Cut(line, []byte(":"))
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	switch string(field) {
	case "event":
		w.name = append(w.name[:0], value...)
	case "data":
		if w.some {
			w.hold()
			w.held = append(append(w.held, '\n'), value...)
			w.data = w.held
			return
		}
		w.some = true
		w.data, w.view = value, view
		if !view {
			// A long line is not copied once more: the buffers change places.
			w.held, w.line = w.line, w.held[:0]
		}
	}
}

// hold moves the data into the Watch's own buffer, to its beginning.
func (w *Watch) hold() {
	w.held = append(w.held[:0], w.data...)
	w.data, w.view = w.held, false
}

func (w *Watch) dispatch() {
	if w.some {
		w.event(Event{w.name, w.data, w.from, w.next})
	}
	w.name, w.data, w.some, w.view = w.name[:0], nil, false, false
	w.from = w.next
	if cap(w.held) > keep {
		w.held = nil
	}
	if cap(w.line) > keep && len(w.line) == 0 {
		w.line = nil
	}
}
