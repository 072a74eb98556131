package llm

import "bytes"

// mould is what the events of a stream have in common. Most of them differ from
// the one before only in a piece of text: what was learned from the rest has been
// learned already, so it is enough to see that nothing else has changed.
type mould struct {
	head, tail []byte // around the text, its quotes included
}

const (
	openAIText    = `content":"` // of content, and of reasoning_content
	anthropicText = `_delta","text":"`

	mouldLimit = 1 << 10
)

// take remembers what is around the text of an event that carried a part of the
// answer. The text stands behind key.
func (m *mould) take(data []byte, key string) {
	at := bytes.Index(data, []byte(key))
	if at < 0 || len(data) > mouldLimit {
		return
	}
	at += len(key)
	end := bytes.IndexByte(data[at:], '"')
	if end < 0 || !plain(data[at:at+end]) {
		return
	}
	m.head = append(m.head[:0], data[:at]...)
	m.tail = append(m.tail[:0], data[at+end:]...)
}

// fits reports whether data is an event that was taken, but for another text.
func (m *mould) fits(data []byte) bool {
	n := len(data) - len(m.head) - len(m.tail)
	return len(m.head) > 0 && n > 0 && bytes.HasPrefix(data, m.head) && bytes.HasSuffix(data, m.tail) &&
		plain(data[len(m.head):len(m.head)+n])
}

// plain reports whether a text, without its quotes, is one whole string.
func plain(text []byte) bool {
	return len(text) > 0 && text[len(text)-1] != '\\' && bytes.IndexByte(text, '"') < 0
}
