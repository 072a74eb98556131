package policy

import (
	"io"
	"slices"
)

// inserting passes JSON on, or events of it, and puts a text into the values of
// some keys: within strings, or in front of numbers. The document stays well
// formed.
type inserting struct {
	from   io.Reader
	keys   []string
	text   string
	within bool // strings; else in front of numbers

	inString, escaped bool
	key               []byte // the string that was read last, as far as keys are long
	behind            place
	buf               []byte
	out               []byte // what was read and not yet passed on
	err               error
}

// place is what stood right before, but for spaces.
type place int

const (
	elsewhere place = iota
	behindString
	behindColon
)

// longestKey is more than any key that is looked for.
const longestKey = 32

// Read implements io.Reader.
func (r *inserting) Read(p []byte) (int, error) {
	if r.buf == nil {
		r.buf = make([]byte, 4<<10)
	}
	for len(r.out) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		var n int
		n, r.err = r.from.Read(r.buf)
		for _, c := range r.buf[:n] {
			r.step(c)
		}
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

func (r *inserting) step(c byte) {
	if r.inString {
		r.string(c)
		return
	}
	wanted := r.behind == behindColon && slices.Contains(r.keys, string(r.key))
	switch {
	case c == ' ' || c == '\t':
	case c == '"':
		r.inString, r.key, r.behind = true, r.key[:0], elsewhere
		r.out = append(r.out, c)
		if wanted && r.within {
			r.out = append(r.out, r.text...)
		}
		return
	case c == ':' && r.behind == behindString:
		r.behind = behindColon
	case wanted && !r.within && c >= '0' && c <= '9':
		r.out = append(r.out, r.text...)
		r.behind = elsewhere
	default:
		r.behind = elsewhere
	}
	r.out = append(r.out, c)
}

// string takes one byte of a string. A line's end, which no string holds, ends
// it: what is between events need not be JSON.
func (r *inserting) string(c byte) {
	r.out = append(r.out, c)
	switch {
	case c == '\n':
		r.inString, r.escaped = false, false
	case r.escaped:
		r.escaped = false
	case c == '\\':
		r.escaped = true
	case c == '"':
		r.inString, r.behind = false, behindString
		return
	}
	if len(r.key) < longestKey {
		r.key = append(r.key, c)
	}
}
