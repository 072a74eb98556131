package upstream

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// head is what the head of a reply says.
type head struct {
	status  int
	header  http.Header // without hop-by-hop fields, and those that frame
	length  int64       // Content-Length; -1 where it is not said
	chunked bool
	persist bool // the connection may carry another call
}

// token marks the bytes of a field's name; field those of its value.
var token, field = classes()

func classes() (token, field [256]bool) {
	for c := range 256 {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		token[c] = letter || '0' <= c && c <= '9' || c < 0x80 && strings.IndexByte("!#$%&'*+-.^_`|~", byte(c)) >= 0
		field[c] = c == '\t' || c >= ' ' && c != 0x7f
	}
	return token, field
}

// span is where a field of the head stands in it.
type span struct{ name, colon, value, end int }

// parseHead reads a head, which ends with its empty line and has no bare line
// feed. It changes raw: names get the case that http.Header wants.
func parseHead(raw []byte) (h head, err error) {
	lineEnd := bytes.IndexByte(raw, '\n') + 1
	minor, status, err := parseStatus(raw[:lineEnd-2])
	if err != nil {
		return h, err
	}
	var few [48]span
	spans := few[:0]
	for at := lineEnd; at < len(raw)-2; at = lineEnd {
		lineEnd = at + bytes.IndexByte(raw[at:], '\n') + 1
		s, err := parseField(raw, at, lineEnd-2)
		if err != nil {
			return h, err
		}
		spans = append(spans, s)
	}

	h = head{status: status, length: -1, header: make(http.Header, len(spans)), persist: minor == 1}
	text := string(raw) // one string for all names and values
	values := make([]string, len(spans))
	var encoding []string
	var listed []string // values of Connection
	for i, s := range spans {
		value := text[s.value:s.end]
		switch name := text[s.name:s.colon]; name {
		case "Content-Length":
			n, err := parseLength(value)
			if err != nil {
				return h, err
			}
			if h.length >= 0 && h.length != n {
				return h, errors.New("it gives two lengths")
			}
			h.length = n
		case "Transfer-Encoding":
			encoding = append(encoding, value)
		case "Connection":
			listed = append(listed, value)
		case "Keep-Alive", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization", "Proxy-Connection",
			"Te", "Trailer", "Upgrade":
		default:
			if before, ok := h.header[name]; ok {
				h.header[name] = append(before, value)
				continue
			}
			values[i] = value
			h.header[name] = values[i : i+1 : i+1]
		}
	}
	h.connection(listed)
	return h, h.frame(encoding, minor)
}

// frame finds out how the body is framed, and refuses what has two readings.
func (h *head) frame(encoding []string, minor int) error {
	switch {
	case len(encoding) == 0:
		return nil
	case h.length >= 0:
		return errors.New("it gives a length and a transfer encoding")
	case minor == 0:
		return errors.New("it gives a transfer encoding in HTTP/1.0")
	case len(encoding) > 1, !strings.EqualFold(encoding[0], "chunked"):
		return fmt.Errorf("its transfer encoding is %q", encoding)
	}
	h.chunked = true
	return nil
}

// connection heeds the Connection fields: options, and the names of fields that
// end here.
func (h *head) connection(lists []string) {
	ends := false
	for _, list := range lists {
		for option := range strings.SplitSeq(list, ",") {
			switch option = strings.Trim(option, " \t"); {
			case strings.EqualFold(option, "close"):
				ends = true
			case strings.EqualFold(option, "keep-alive"):
				h.persist = true
			default:
				delete(h.header, http.CanonicalHeaderKey(option))
			}
		}
	}
	h.persist = h.persist && !ends
}

// parseStatus reads "HTTP/1.1 200 OK".
func parseStatus(line []byte) (minor, status int, err error) {
	const least = len("HTTP/1.1 200")
	if len(line) < least || string(line[:7]) != "HTTP/1." || line[7] != '0' && line[7] != '1' || line[8] != ' ' ||
		len(line) > least && line[least] != ' ' {
		return 0, 0, fmt.Errorf("its status line is %.40q", line)
	}
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return 0, 0, fmt.Errorf("its status line is %.40q", line)
		}
		status = status*10 + int(c-'0')
	}
	if status < 100 || status > 599 {
		return 0, 0, fmt.Errorf("its status is %d", status)
	}
	for _, c := range line[least:] {
		if !field[c] {
			return 0, 0, errors.New("its status line holds a control character")
		}
	}
	return int(line[7] - '0'), status, nil
}

// parseField reads the field in raw[at:end] and gives its name the usual case.
func parseField(raw []byte, at, end int) (span, error) {
	colon := at
	upper := true
	for ; colon < end && raw[colon] != ':'; colon++ {
		c := raw[colon]
		if !token[c] { // a space here would be a folded line, too
			return span{}, fmt.Errorf("the name of a field holds %q", c)
		}
		if upper && 'a' <= c && c <= 'z' || !upper && 'A' <= c && c <= 'Z' {
			raw[colon] = c ^ 0x20
		}
		upper = c == '-'
	}
	if colon == at || colon == end {
		return span{}, errors.New("a field has no name or no colon")
	}
	value := colon + 1
	for value < end && (raw[value] == ' ' || raw[value] == '\t') {
		value++
	}
	for end > value && (raw[end-1] == ' ' || raw[end-1] == '\t') {
		end--
	}
	for _, c := range raw[value:end] {
		if !field[c] {
			return span{}, fmt.Errorf("the value of %s holds a control character", raw[at:colon])
		}
	}
	return span{at, colon, value, end}, nil
}

// parseLength reads a Content-Length: digits, and nothing but digits.
func parseLength(text string) (n int64, err error) {
	if text == "" || len(text) > 18 {
		return 0, fmt.Errorf("its length is %.40q", text)
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("its length is %.40q", text)
		}
		n = n*10 + int64(c-'0')
	}
	return n, nil
}
