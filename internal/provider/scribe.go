package provider

import (
	"strconv"

	"github.com/spanway/spanway/internal/llm"
)

// scribe writes JSON in the order in which it is told to. It sets the commas, and
// trusts its user with the brackets.
type scribe []byte

// begin opens an object or an array.
func (s *scribe) begin(bracket byte) {
	s.comma()
	*s = append(*s, bracket)
}

// end closes it.
func (s *scribe) end(bracket byte) { *s = append(*s, bracket) }

// name writes the name of the value that comes next.
func (s *scribe) name(name string) {
	s.comma()
	*s = append(llm.AppendString(*s, name), ':')
}

// value writes a value that is JSON already.
func (s *scribe) value(json string) {
	s.comma()
	*s = append(*s, json...)
}

// text writes a string.
func (s *scribe) text(text string) {
	s.comma()
	*s = llm.AppendString(*s, text)
}

// str writes a member that is a string.
func (s *scribe) str(name, text string) {
	s.name(name)
	s.text(text)
}

// raw writes a member that is JSON already.
func (s *scribe) raw(name, json string) {
	s.name(name)
	s.value(json)
}

// num writes a member that is a whole number.
func (s *scribe) num(name string, n int64) {
	s.name(name)
	*s = strconv.AppendInt(*s, n, 10)
}

// float writes a member that is a number.
func (s *scribe) float(name string, x float64) {
	s.name(name)
	*s = strconv.AppendFloat(*s, x, 'g', -1, 64)
}

// comma separates a value from one before it. What stands before the first one of
// a list is a bracket, a colon, or the white space of the event it is in.
func (s *scribe) comma() {
	if len(*s) == 0 {
		return
	}
	switch (*s)[len(*s)-1] {
	case '{', '[', ':', ' ', '\n':
	default:
		*s = append(*s, ',')
	}
}

// bool writes a member that is true or false.
func (s *scribe) bool(name string, yes bool) {
	if yes {
		s.raw(name, "true")
	} else {
		s.raw(name, "false")
	}
}
