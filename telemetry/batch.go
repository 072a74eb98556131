package telemetry

import "google.golang.org/protobuf/encoding/protowire"

// batch is what one export carries: encoded spans, by scope.
type batch struct {
	parts []part
	spans int
	bytes int
}

// part is the content of one ScopeSpans message, ready to be sent.
type part struct {
	scope *scope
	bytes []byte
	spans int
}

// add appends one span and returns how many bytes that took.
func (b *batch) add(s *scope, encoded []byte) int {
	var p *part
	for i := range b.parts {
		if b.parts[i].scope == s {
			p = &b.parts[i]
			break
		}
	}
	if p == nil {
		b.parts = b.grow()
		p = &b.parts[len(b.parts)-1]
		p.scope, p.spans = s, 0
		p.bytes = append(p.bytes[:0], s.prefix...)
	}
	before := len(p.bytes)
	p.bytes = appendTag(p.bytes, scopeSpansSpans, protowire.BytesType)
	p.bytes = protowire.AppendBytes(p.bytes, encoded)
	p.spans++
	b.spans++
	b.bytes += len(p.bytes) - before
	return len(p.bytes) - before
}

// grow adds a part, with the buffer it had when the batch was last used.
func (b *batch) grow() []part {
	if n := len(b.parts); n < cap(b.parts) {
		return b.parts[:n+1]
	}
	return append(b.parts, part{})
}

func (b *batch) capacity() int {
	n := 0
	for _, p := range b.parts[:cap(b.parts)] {
		n += cap(p.bytes)
	}
	return n
}
