package llm

import (
	"bytes"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// members walks the members of one JSON object, and elements of one array,
// without building anything: keys and values are views of the text. Text that
// is not JSON ends the walk early; it never panics and always moves on.
type members struct {
	text []byte
	at   int // where the walk stands
}

// walk returns a walk over the object or array that text holds.
func walk(text []byte) members {
	at := space(text, 0)
	return members{text, at + 1}
}

// is reports whether the JSON value begins with that byte.
func is(value []byte, first byte) bool { return len(value) > 0 && value[0] == first }

// member returns the next key, quotes included, its value, and where in the
// text the value begins.
func (m *members) member() (key, value []byte, at int, ok bool) {
	from := m.separated()
	if from >= len(m.text) || m.text[from] != '"' {
		return nil, nil, 0, false
	}
	colon := skip(m.text, from)
	key = m.text[from:colon]
	colon = space(m.text, colon)
	if colon >= len(m.text) || m.text[colon] != ':' {
		return nil, nil, 0, false
	}
	at = space(m.text, colon+1)
	m.at = skip(m.text, at)
	return key, m.text[at:m.at], at, m.at > at
}

// element returns the next element of an array.
func (m *members) element() (value []byte, ok bool) {
	at := m.separated()
	if at >= len(m.text) || m.text[at] == ']' || m.text[at] == '}' {
		return nil, false
	}
	m.at = skip(m.text, at)
	return m.text[at:m.at], m.at > at
}

func (m *members) separated() int {
	at := space(m.text, m.at)
	if at < len(m.text) && m.text[at] == ',' {
		at = space(m.text, at+1)
	}
	return at
}

// space returns where the first byte from at on stands that is no white space.
func space(text []byte, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\n' || text[at] == '\t' || text[at] == '\r') {
		at++
	}
	return at
}

// skip returns where the value that begins at `at` ends; at itself where none
// begins there.
func skip(text []byte, at int) int {
	depth := 0
	for i := at; i < len(text); {
		switch text[i] {
		case '"':
			i = skipString(text, i)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
			i++
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
			i++
			continue
		default:
			for i < len(text) && !ends[text[i]] {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
	return len(text)
}

// ends has the bytes that end a number or a word.
var ends = [256]bool{'"': true, ',': true, ':': true, '{': true, '}': true, '[': true, ']': true, ' ': true, '\n': true, '\t': true, '\r': true}

// skipString returns where the string that begins at `at` ends, quotes included.
func skipString(text []byte, at int) int {
	for i := at + 1; ; {
		quote := bytes.IndexByte(text[i:], '"')
		if quote < 0 {
			return len(text)
		}
		i += quote + 1
		backslashes := 0
		for text[i-2-backslashes] == '\\' && i-2-backslashes > at {
			backslashes++
		}
		if backslashes%2 == 0 {
			return i
		}
	}
}

// deeper reports whether brackets nest deeper than limit. It stands in front of
// every recursive reader, whose stack a hostile text would otherwise exhaust.
func deeper(text []byte, limit int) bool {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = skipString(text, i) - 1
		case '{', '[':
			if depth++; depth > limit {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// Valid reports whether a text is JSON that nests no deeper than a reader that
// calls itself can take.
func Valid(text []byte) bool { return !deeper(text, maxDepth) && gjson.ValidBytes(text) }

// str returns what a JSON string says, and false for any other value.
func str(value []byte) (string, bool) {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return "", false
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1]), true
	}
	return gjson.ParseBytes(value).String(), true
}

// same reports whether a key, quotes included, is spelled exactly so.
func same(key []byte, name string) bool {
	return len(key) == len(name)+2 && string(key[1:len(key)-1]) == name
}

// AppendString appends s as a JSON string. What is not UTF-8 becomes U+FFFD.
// Line and paragraph separators are escaped, and so are "<", ">" and "&":
// an error's text may end up in a page.
func AppendString(to []byte, s string) []byte {
	const hex = "0123456789abcdef"
	to = append(to, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			to = append(to, '\\', byte(r))
		case r == '\n':
			to = append(to, '\\', 'n')
		case r < ' ' || r == 0x7f || r == '<' || r == '>' || r == '&':
			to = append(to, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		case r == '\u2028' || r == '\u2029':
			to = append(to, '\\', 'u', '2', '0', '2', hex[r&15])
		default:
			to = utf8.AppendRune(to, r)
		}
	}
	return append(to, '"')
}
