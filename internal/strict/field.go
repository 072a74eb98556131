package strict

import "bytes"

// field judges a header line, and keeps what it says about the framing.
func (h *head) field(b []byte, at span) reason {
	line := at.of(b)
	if line[0] == ' ' || line[0] == '\t' {
		return obsFold
	}
	colon := 0
	for colon < len(line) && classes[line[colon]]&token != 0 {
		colon++
	}
	if colon == 0 || colon == len(line) || line[colon] != ':' {
		return badLine(line)
	}
	name, value := line[:colon], line[colon+1:]
	if !allOf(value, visible) {
		return badLine(line)
	}
	value = trim(value)
	switch len(name) {
	case len("host"):
		if is(name, "host") {
			return h.setHost(span{at.from + colon + 1, at.to}, value)
		}
	case len("trailer"):
		if is(name, "trailer") && !goodTrailerNames(value) {
			return badTrailer
		}
	case len("connection"):
		if is(name, "connection") {
			h.closes = h.closes || hasClose(value)
		}
	case len("content-length"):
		if is(name, "content-length") {
			return h.setLength(value)
		}
	case len("transfer-encoding"):
		if is(name, "transfer-encoding") {
			return h.setCoding(value)
		}
	}
	return ""
}

// badLine names what is wrong with a header line that is malformed.
func badLine(line []byte) reason {
	if bytes.IndexByte(line, '\r') >= 0 {
		return bareCR
	}
	return badHeader
}

func (h *head) setHost(at span, value []byte) reason {
	h.hosts++
	h.host = at
	if h.hosts > 1 || !goodHost(value) {
		return badHost
	}
	return ""
}

func (h *head) setLength(value []byte) reason {
	h.lengths++
	if h.lengths > 1 || len(value) == 0 || len(value) > 18 { // 18 digits cannot overflow
		return badLength
	}
	h.length = 0
	for _, c := range value {
		if c < '0' || c > '9' {
			return badLength
		}
		h.length = h.length*10 + int64(c-'0')
	}
	return ""
}

func (h *head) setCoding(value []byte) reason {
	h.codings++
	if h.codings > 1 {
		return badCoding
	}
	if h.chunked = is(value, "chunked"); h.chunked {
		return ""
	}
	unknown := false
	for coding := range bytes.SplitSeq(value, []byte{','}) {
		coding = trim(coding)
		if len(coding) == 0 || !allOf(coding, token) {
			return badCoding
		}
		unknown = unknown || !is(coding, "chunked")
	}
	if unknown {
		return unknownCoding
	}
	return badCoding
}

// hasClose reports whether the value of Connection lists "close".
func hasClose(value []byte) bool {
	for option := range bytes.SplitSeq(value, []byte{','}) {
		if is(trim(option), "close") {
			return true
		}
	}
	return false
}
