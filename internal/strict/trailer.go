package strict

import "bytes"

// trailer judges a trailer section, the empty line at its end included, and
// returns its length; 0 is a section that is not whole or that is bad.
func trailer(b []byte, most int) (end int, why reason) {
	for lines := 0; ; lines++ {
		length := bytes.IndexByte(b[end:], '\n') + 1
		if end+length > maxTrailer || length == 0 && len(b) > maxTrailer {
			return 0, badTrailer
		}
		if length == 0 {
			return 0, ""
		}
		line, ok := bytes.CutSuffix(b[end:end+length], []byte("\r\n"))
		if !ok {
			return 0, badTrailer
		}
		end += length
		if len(line) == 0 {
			return end, ""
		}
		if lines == most || !goodTrailerLine(line) {
			return 0, badTrailer
		}
	}
}

func goodTrailerLine(line []byte) bool {
	name := tokenLength(line)
	return name > 0 && name < len(line) && line[name] == ':' && allOf(line[name+1:], visible) && mayTrail(line[:name])
}

// goodTrailerNames judges the value of the header Trailer, which announces them.
func goodTrailerNames(value []byte) bool {
	for name := range bytes.SplitSeq(value, []byte{','}) {
		name = trim(name)
		if len(name) == 0 || !allOf(name, token) || !mayTrail(name) {
			return false
		}
	}
	return true
}

// early are the fields by which a message is framed, routed, authorised or
// read: behind the body they come too late, and a server that merges trailers
// into headers would take them for the client's word (RFC 9110, section 6.5.1).
var early = []string{
	"authorization", "connection", "content-encoding", "content-length", "content-range", "content-type", "cookie",
	"expect", "forwarded", "host", "keep-alive", "max-forwards", "proxy-authorization", "proxy-connection", "range",
	"te", "trailer", "transfer-encoding", "upgrade", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
}

func mayTrail(name []byte) bool {
	for _, field := range early {
		if is(name, field) {
			return false
		}
	}
	return true
}
