package strict

import (
	"bytes"
	"net/netip"
	"strings"
)

// checkOrigin says why a target in origin form ("/path?query") is refused, or "".
func checkOrigin(target []byte) reason {
	path, query, _ := bytes.Cut(target, []byte{'?'})
	if !goodPath(path) {
		return badTarget
	}
	if !goodQuery(query) {
		return badQuery
	}
	return ""
}

// goodPath reports whether there is one way to read the path: what is matched,
// what is authorised and what is forwarded are then the same, decoded or not.
func goodPath(path []byte) bool {
	if len(path) == 0 || path[0] != '/' {
		return false
	}
	length, dots := 0, 0 // of the segment under way, in decoded bytes
	for i := 1; i < len(path); i++ {
		c := path[i]
		switch {
		case classes[c]&plainPath != 0:
		case c == '/':
			if length == 0 || dots == length && dots <= 2 {
				return false
			}
			length, dots = 0, 0
			continue
		case c == '.':
			dots++
		case c == '%':
			decoded, ok := escape(path[i:])
			if !ok || decoded < ' ' || decoded == 0x7f || strings.IndexByte(`/\%?#;`, decoded) >= 0 {
				return false
			}
			if decoded == '.' {
				dots++
			}
			i += 2
		default:
			return false
		}
		length++
	}
	return length == 0 || dots != length || dots > 2
}

// goodQuery wants one reading of where the pairs end: ";" is a separator to
// some, and a bad escape is dropped by some and kept by others.
func goodQuery(query []byte) bool {
	for i := 0; i < len(query); i++ {
		if classes[query[i]]&plainQuery != 0 {
			continue
		}
		if _, ok := escape(query[i:]); !ok {
			return false
		}
		i += 2
	}
	return true
}

// escape decodes the "%xx" that b begins with.
func escape(b []byte) (byte, bool) {
	if len(b) < 3 || b[0] != '%' || classes[b[1]]&classes[b[2]]&hexDigit == 0 {
		return 0, false
	}
	return unhex(b[1])<<4 | unhex(b[2]), true
}

// cutScheme splits a target in absolute form behind its authority. The
// authority begins at the byte from.
func cutScheme(target []byte) (from int, authority, origin []byte, ok bool) {
	scheme, rest, ok := bytes.Cut(target, []byte("://"))
	if !ok || !is(scheme, "http") && !is(scheme, "https") {
		return 0, nil, nil, false
	}
	end := bytes.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	return len(scheme) + len("://"), rest[:end], rest[end:], end > 0
}

// goodHost reports whether the value of Host is a name or an address, with or
// without a port, and nothing else.
func goodHost(host []byte) bool {
	var port []byte
	if len(host) > 0 && host[0] == '[' {
		end := bytes.IndexByte(host, ']')
		if end < 0 || !goodIPv6(host[1:end]) {
			return false
		}
		port = host[end+1:]
	} else {
		name := host
		if colon := bytes.IndexByte(host, ':'); colon >= 0 {
			name, port = host[:colon], host[colon:]
		}
		if len(name) == 0 || !allOf(name, hostName) {
			return false
		}
	}
	return len(port) == 0 || goodPort(port)
}

// goodPort wants ":" and a number of a port.
func goodPort(port []byte) bool {
	if port[0] != ':' || len(port) < 2 || len(port) > len(":65535") {
		return false
	}
	number := 0
	for _, c := range port[1:] {
		if c < '0' || c > '9' {
			return false
		}
		number = number*10 + int(c-'0')
	}
	return number <= 65535
}

func goodIPv6(address []byte) bool {
	parsed, err := netip.ParseAddr(string(address))
	return err == nil && parsed.Is6() && parsed.Zone() == ""
}
