package strict_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spanway/spanway/internal/strict"
)

// FuzzConn sends any bytes, cut in any way. What passes must not depend on the
// cuts, and must mean the same to net/http as to a reader that knows nothing
// but the grammar.
func FuzzConn(f *testing.F) {
	for i, c := range framingCases {
		f.Add([]byte(c.bytes+good), []byte{byte(i), 1, 40})
	}
	f.Fuzz(func(t *testing.T, data, cuts []byte) {
		whole, end := pass(t, data, nil, 4096)
		for _, room := range []int{1, 7, 4096} {
			if got, gotEnd := pass(t, data, cuts, room); !bytes.Equal(got, whole) || gotEnd != end {
				t.Fatalf("cut by %v for reads of %d, there passes\n%q, %s\nand whole\n%q, %s", cuts, room, got, gotEnd, whole, end)
			}
		}
		want, err := reference(string(whole))
		if err != nil {
			t.Fatalf("passed %q: %v", whole, err)
		}
		if got := netHTTP(t, whole); !slices.Equal(got, want) {
			t.Fatalf("net/http reads %q\nthe grammar says %q", got, want)
		}
	})
}

// pass returns what a Conn lets through of data, and how it ends.
func pass(t *testing.T, data, cuts []byte, room int) (passed []byte, end string) {
	small := limits
	small.Head, small.URI = 2048, 512
	c := strict.NewConn(&script{data: bytes.Clone(data), cuts: cuts}, small)
	p := make([]byte, room)
	for range 16*len(data) + 1<<16 {
		n, err := c.Read(p)
		passed = append(passed, p[:n]...)
		if err != nil {
			return passed, err.Error()
		}
	}
	t.Fatalf("%q: no end", data)
	return nil, ""
}

// script is a client that sends its data in pieces of the sizes in cuts.
type script struct {
	net.Conn
	data, cuts []byte
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	size := len(s.data)
	if len(s.cuts) > 0 {
		size, s.cuts = min(size, int(s.cuts[0])+1), s.cuts[1:]
	}
	n := copy(p, s.data[:size])
	s.data = s.data[n:]
	return n, nil
}

func (s *script) SetReadDeadline(time.Time) error { return nil }

// netHTTP reads requests as the server does.
func netHTTP(t *testing.T, passed []byte) (all []string) {
	r := bufio.NewReader(bytes.NewReader(passed))
	for {
		req, err := http.ReadRequest(r)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("net/http refuses what passed, %q: %v", passed, err)
		}
		body, err := io.ReadAll(req.Body)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("net/http refuses the body of what passed, %q: %v", passed, err)
		}
		all = append(all, fmt.Sprintf("%s %s %q %t", req.Method, req.RequestURI, body, err == nil))
	}
}

// reference reads requests by splitting, in the plainest way, and finds fault
// with whatever would be ambiguous.
func reference(text string) (all []string, err error) {
	for text != "" {
		head, rest, ok := strings.Cut(text, "\r\n\r\n")
		if !ok {
			return nil, errors.New("half a head passed")
		}
		lines := strings.Split(head, "\r\n")
		if strings.ContainsAny(strings.Join(lines, ""), "\r\n\x00") {
			return nil, errors.New("a bare CR, LF or NUL passed")
		}
		words := strings.Split(lines[0], " ")
		if len(words) != 3 || !strings.HasPrefix(words[1], "/") && words[1] != "*" {
			return nil, fmt.Errorf("request line %q passed", lines[0])
		}
		if path, _, _ := strings.Cut(words[1], "?"); strings.Contains(path, "//") || strings.Contains(path, "/../") {
			return nil, fmt.Errorf("path %q passed", path)
		}
		length, chunks := -1, false
		for _, line := range lines[1:] {
			name, value, ok := strings.Cut(line, ":")
			if !ok || strings.TrimSpace(name) != name || name == "" {
				return nil, fmt.Errorf("header %q passed", line)
			}
			framed := length >= 0 || chunks
			switch value = strings.Trim(value, " \t"); strings.ToLower(name) {
			case "content-length":
				length, err = strconv.Atoi(value)
				if err != nil || length < 0 || framed {
					return nil, fmt.Errorf("lengths passed: %q", head)
				}
			case "transfer-encoding":
				chunks = true
				if strings.ToLower(value) != "chunked" || framed || words[2] != "HTTP/1.1" {
					return nil, fmt.Errorf("codings passed: %q", head)
				}
			}
		}
		body, whole := "", true
		if chunks {
			body, rest, whole = unchunk(rest)
		} else if length >= 0 {
			whole = length <= len(rest)
			length = min(length, len(rest))
			body, rest = rest[:length], rest[length:]
		}
		all = append(all, fmt.Sprintf("%s %s %q %t", words[0], words[1], body, whole))
		if !whole {
			return all, nil
		}
		text = rest
	}
	return all, nil
}

func unchunk(text string) (body, rest string, whole bool) {
	for {
		line, after, ok := strings.Cut(text, "\r\n")
		if !ok {
			return body, "", false
		}
		digits, _, _ := strings.Cut(line, ";")
		size, err := strconv.ParseInt(digits, 16, 64)
		if err != nil {
			return body, "", false
		}
		if size == 0 {
			for ok && line != "" {
				line, after, ok = strings.Cut(after, "\r\n")
			}
			return body, after, ok
		}
		data := after[:min(size, int64(len(after)))]
		body += data
		if text, ok = strings.CutPrefix(after[len(data):], "\r\n"); !ok {
			return body, "", false
		}
	}
}
