package strict

import "sync"

// bufferSize is net/http's own: one read fills one buffer.
const bufferSize = 4 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// buffer is a queue of bytes that takes memory only while it holds some, so
// that an idle connection costs none.
type buffer struct {
	data     []byte // nil, or at full length
	from, to int    // the bytes held
}

func (b *buffer) bytes() []byte { return b.data[b.from:b.to] }

// add puts p behind the bytes held.
func (b *buffer) add(p []byte) {
	for len(p) > 0 {
		n := copy(b.room(), p)
		b.to += n
		p = p[n:]
	}
}

// room returns free space behind the bytes held, at least one byte of it. What
// was written there is taken in with grow. How much may be held is the caller's
// to bound.
func (b *buffer) room() []byte {
	if b.data == nil {
		b.data = buffers.Get().(*[bufferSize]byte)[:]
	}
	if b.to == len(b.data) {
		old := b.data
		if held := b.to - b.from; held > len(old)/2 {
			b.data = make([]byte, 2*len(old))
		}
		b.from, b.to = 0, copy(b.data, old[b.from:b.to])
		if len(b.data) != len(old) {
			recycle(old)
		}
	}
	return b.data[b.to:]
}

// grow takes in the first n bytes of what room returned.
func (b *buffer) grow(n int) { b.to += n }

// drop takes the first n bytes away.
func (b *buffer) drop(n int) {
	if b.from += n; b.from == b.to {
		b.release()
	}
}

// release drops all bytes, and the memory with them.
func (b *buffer) release() {
	recycle(b.data)
	*b = buffer{}
}

func recycle(data []byte) {
	if len(data) == bufferSize {
		buffers.Put((*[bufferSize]byte)(data))
	}
}
