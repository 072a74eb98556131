package upstream

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spanway/spanway/internal/gateway"
)

// pieceSize is how much of a streamed body is read at a time. Its length has
// four hexadecimal digits.
const pieceSize = 32 << 10

// pieces is a streamed body that is still to be sent.
type pieces struct {
	from io.Reader // nil once all of it has been read
	left int64     // -1 where the length is not known, and it goes in chunks
}

// next puts a further piece of the body behind what is in the buffer. It reads
// once: what the client has sent is passed on without waiting for more. Its
// errors are the client's.
func (r *request) next() error {
	r.buf = slices.Grow(r.buf, pieceSize)
	free := r.buf[len(r.buf):cap(r.buf)]
	if r.left < 0 {
		return r.nextChunk(free)
	}
	n, err := read(r.from, free[:min(r.left, pieceSize)])
	r.buf = r.buf[:len(r.buf)+n]
	r.left -= int64(n)
	switch {
	case r.left == 0:
		r.from = nil
		return nil
	case errors.Is(err, io.EOF):
		return gateway.Errorf(gateway.Invalid, "the body ended before its length").Because(io.ErrUnexpectedEOF)
	case err != nil:
		return fmt.Errorf("reading the client's body: %w", err)
	}
	return nil
}

func (r *request) nextChunk(free []byte) error {
	const frame = len("8000\r\n") + len("\r\n0\r\n\r\n")
	n, err := read(r.from, free[len("8000\r\n"):pieceSize-frame])
	if n > 0 {
		const digits = "0123456789abcdef"
		r.buf = append(r.buf, digits[n>>12], digits[n>>8&15], digits[n>>4&15], digits[n&15], '\r', '\n')
		r.buf = append(r.buf[:len(r.buf)+n], "\r\n"...)
	}
	switch {
	case errors.Is(err, io.EOF):
		r.buf = append(r.buf, "0\r\n\r\n"...)
		r.from = nil
		return nil
	case err != nil:
		return fmt.Errorf("reading the client's body: %w", err)
	}
	return nil
}

// read reads once, and again where nothing came and nothing was wrong.
func read(from io.Reader, p []byte) (n int, err error) {
	for range 100 {
		if n, err = from.Read(p); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}
