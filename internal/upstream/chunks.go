package upstream

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

const (
	chunkLine   = 256     // a chunk's size, with extensions that no one reads
	trailerLine = 4 << 10 // one trailer; must fit in the buffer
	trailerMost = 16 << 10
)

// stage is where in a chunked body the next byte stands.
type stage int

const (
	atSize stage = iota
	inChunk
	afterChunk
	atTrailer
)

// readChunks reads from a chunked body. What has come is handed over at once: it
// never waits for a further chunk with something in hand.
func (x *exchange) readChunks(p []byte) (n int, err error) {
	for n < len(p) {
		if x.stage == inChunk {
			if n > 0 && len(x.conn.unread()) == 0 {
				return n, nil
			}
			m, err := x.some(p[n:])
			n += m
			if err != nil {
				return n, err
			}
			if x.left == 0 {
				x.stage = afterChunk
			}
			continue
		}
		if !x.conn.hasLine() {
			if n > 0 {
				return n, nil
			}
			x.await()
		}
		if err := x.between(); err != nil {
			return n, err
		}
	}
	return n, nil
}

// between reads one line that stands between chunks, or behind them. io.EOF is
// the body's end.
func (x *exchange) between() error {
	limit := chunkLine
	if x.stage == atTrailer {
		limit = trailerLine
	}
	line, err := x.conn.line(limit)
	switch {
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	}
	switch x.stage {
	case afterChunk:
		if len(line) > 0 {
			return errors.New("a chunk is longer than it says")
		}
		x.stage = atSize
		return nil
	case atTrailer:
		if len(line) == 0 {
			return io.EOF
		}
		return x.trailer(line)
	default:
		x.left, err = parseSize(line)
		x.stage = inChunk
		if x.left == 0 {
			x.stage = atTrailer
		}
		return err
	}
}

// parseSize reads a chunk's size: hexadecimal digits, then nothing or ";" and an
// extension, which is passed over.
func parseSize(line []byte) (size int64, err error) {
	digits := 0
	for _, c := range line {
		var digit byte
		switch {
		case '0' <= c && c <= '9':
			digit = c - '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			digit = c | 0x20 - 'a' + 10
		case c == ';' && digits > 0:
			return size, extension(line)
		default:
			return 0, fmt.Errorf("the size of a chunk is %.40q", line)
		}
		size = size<<4 | int64(digit)
		digits++
		if digits > 15 {
			return 0, errors.New("the size of a chunk has too many digits")
		}
	}
	if digits == 0 {
		return 0, errors.New("a chunk has no size")
	}
	return size, nil
}

func extension(line []byte) error {
	for _, c := range line {
		if !field[c] {
			return errors.New("the extension of a chunk holds a control character")
		}
	}
	return nil
}

// trailer takes in one trailer. Those that frame, route, authorize or set state
// may not come so late, and are left out.
func (x *exchange) trailer(line []byte) error {
	x.trailers += len(line)
	if x.trailers > trailerMost {
		return errors.New("its trailers are too large")
	}
	s, err := parseField(line, 0, len(line))
	if err != nil {
		return err
	}
	name, value := string(line[s.name:s.colon]), string(line[s.value:s.end])
	switch name {
	case "Authorization", "Cache-Control", "Connection", "Content-Encoding", "Content-Length", "Content-Range", "Content-Type",
		"Cookie", "Expect", "Host", "Keep-Alive", "Location", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
		"Set-Cookie", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Www-Authenticate":
		return nil
	}
	if x.reply.Trailer == nil {
		x.reply.Trailer = http.Header{}
	}
	x.reply.Trailer[name] = append(x.reply.Trailer[name], value)
	return nil
}
