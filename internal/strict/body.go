package strict

import "bytes"

const (
	// maxChunkLine bounds "size;extensions CRLF".
	maxChunkLine = 256

	// maxTrailer bounds the trailer section: net/http reads no longer one.
	maxTrailer = 4096

	// maxExcess bounds what chunk lines may have beyond a fair share of 16 bytes
	// and twice the data, over a whole body. It is below net/http's own bound.
	maxExcess = 8 << 10
)

// phase is what the next byte of a connection belongs to.
type phase uint8

const (
	inHead phase = iota
	inBody       // of a known length
	inChunkLine
	inChunk
	inChunkEnd
	upgraded // no longer HTTP
)

// framing follows the requests of one connection.
type framing struct {
	limits  Limits
	phase   phase
	head    head
	skipped bool  // the one empty line that may stand before a head has been
	left    int64 // bytes, of the body or of the chunk
	excess  int64
}

// judge looks at b, the bytes that come next, up to the end of one request at
// most. The first drop bytes are to be left out, the pass bytes behind them are
// good, and what is behind these is to be shown again, with more behind it.
// With a refusal the stretch ends in a bad place (the body's), or stands for a
// head that was bad.
func (f *framing) judge(b []byte) (drop, pass int, r *Refusal) {
	if f.phase == inHead {
		drop, pass, r = f.judgeHead(b)
		if f.phase == inHead {
			return drop, pass, r
		}
	}
	rest := b[drop+pass:]
	for len(rest) > 0 && f.phase != inHead {
		n, why := f.judgeBody(rest)
		pass += n
		if why != "" {
			refusal := newRefusal(why)
			return drop, pass, &refusal
		}
		if n == 0 {
			break
		}
		rest = rest[n:]
	}
	return drop, pass, nil
}

func (f *framing) judgeHead(b []byte) (drop, pass int, r *Refusal) {
	if !f.skipped && f.head.lines == 0 && bytes.HasPrefix(b, []byte("\r\n")) {
		f.skipped, f.head = true, head{}
		return len("\r\n"), 0, nil
	}
	done, why := f.head.read(b, f.limits)
	if !done && why == "" {
		return 0, 0, nil
	}
	h := f.head
	f.head, f.skipped = head{}, false
	if why == "" && h.mild == "" {
		if h.chunked {
			f.phase, f.excess = inChunkLine, 0
		} else if h.length > 0 {
			f.phase, f.left = inBody, h.length
		}
		if h.rewrite > 0 {
			copy(b[h.rewrite:h.target.from+h.rewrite], b[:h.target.from])
		}
		return h.rewrite, h.at - h.rewrite, nil
	}
	refusal := newRefusal(h.mild)
	if why != "" {
		refusal = newRefusal(why)
	} else {
		refusal.Close = !h.goesOn(b)
	}
	h.describe(b, &refusal)
	return h.at, 0, &refusal
}

// judgeBody takes one piece of a body. It takes none when b does not hold the
// whole of a line yet.
func (f *framing) judgeBody(b []byte) (n int, why reason) {
	switch f.phase {
	case inBody:
		n = f.take(b)
		if f.left == 0 {
			f.phase = inHead
		}
		return n, ""
	case inChunk:
		n = f.take(b)
		if f.left == 0 {
			f.phase = inChunkEnd
		}
		return n, ""
	case inChunkEnd:
		if b[0] != '\r' || len(b) > 1 && b[1] != '\n' {
			return 0, badChunk
		}
		if len(b) == 1 {
			return 0, ""
		}
		f.phase = inChunkLine
		return len("\r\n"), ""
	case inChunkLine:
		return f.chunkLine(b)
	}
	return len(b), ""
}

// take counts b against the bytes that are left.
func (f *framing) take(b []byte) int {
	n := min(int64(len(b)), f.left)
	f.left -= n
	return int(n)
}

// chunkLine judges the line before a chunk. The last chunk's is taken together
// with the trailer section, because net/http keeps an error inside the trailer
// to itself.
func (f *framing) chunkLine(b []byte) (n int, why reason) {
	if classes[b[0]]&hexDigit == 0 {
		return 0, badChunk
	}
	n = bytes.IndexByte(b, '\n') + 1
	if n > maxChunkLine || n == 0 && len(b) > maxChunkLine {
		return 0, badChunk
	}
	if n == 0 {
		return 0, ""
	}
	size, ok := chunkSize(b[:n])
	if !ok {
		return 0, badChunk
	}
	excess := max(0, f.excess+int64(n)-16-2*min(size, maxExcess))
	if excess > maxExcess {
		return 0, badChunk
	}
	if size > 0 {
		f.phase, f.left, f.excess = inChunk, size, excess
		return n, ""
	}
	end, why := trailer(b[n:], f.limits.Headers)
	if end == 0 {
		return 0, why
	}
	f.phase = inHead
	return n + end, ""
}

// chunkSize reads "size[;name[=value]]... CRLF", without white space.
func chunkSize(line []byte) (size int64, ok bool) {
	line, ok = bytes.CutSuffix(line, []byte("\r\n"))
	i := 0
	for ; i < len(line) && classes[line[i]]&hexDigit != 0; i++ {
		size = size<<4 | int64(unhex(line[i]))
	}
	if i == 0 || i > 15 { // 15 digits cannot overflow
		return 0, false
	}
	return size, ok && goodExtensions(line[i:])
}

// goodExtensions reports whether b is a row of ";name" and ";name=value", where
// a value is a token or is quoted.
func goodExtensions(b []byte) bool {
	for len(b) > 0 {
		name := tokenLength(b[1:])
		if b[0] != ';' || name == 0 {
			return false
		}
		if b = b[1+name:]; len(b) == 0 || b[0] != '=' {
			continue
		}
		value := tokenLength(b[1:])
		if value == 0 {
			value = quotedLength(b[1:])
		}
		if value == 0 {
			return false
		}
		b = b[1+value:]
	}
	return true
}

func tokenLength(b []byte) int {
	n := 0
	for n < len(b) && classes[b[n]]&token != 0 {
		n++
	}
	return n
}

// quotedLength measures the quoted string that b begins with; 0 is none.
func quotedLength(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return 0
	}
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] == '"':
			return i + 1
		case b[i] == '\\':
			i++
		}
		if i == len(b) || classes[b[i]]&visible == 0 {
			return 0
		}
	}
	return 0
}
