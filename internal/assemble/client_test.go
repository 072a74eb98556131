package assemble_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// request is one request of a scenario, and what its client does.
type request struct {
	number string // of its answer: "" or " 2"
	from   netip.Addr
	later  time.Duration // the client waits so long before it sends
	anew   bool          // on a connection of its own
	gone   time.Duration // the client leaves after so long
	drain  time.Duration // the gateway begins to drain after so long
	beside bool          // the next request does not wait for its answer
	steps  []step
	method string
}

type step struct {
	wait time.Duration
	text string
}

// parseRequest reads a section: its name, options after commas, and the text.
//
// The text is a request with lines that end in LF; it is sent with CRLF, and the
// body with its length, unless the head says how it is framed. The option raw
// makes it a list of Go strings, which are sent as they are, and of pauses
// ("after 3s").
func parseRequest(t testing.TB, name, text string) *request {
	t.Helper()
	words := strings.Split(name, ", ")
	r := &request{number: strings.TrimPrefix(words[0], "request"), from: netip.MustParseAddr("127.0.0.1")}
	raw, zipped := false, false
	for _, word := range words[1:] {
		option, value, _ := strings.Cut(word, " ")
		after := strings.TrimPrefix(value, "after ")
		var err error
		switch option {
		case "from":
			r.from, err = netip.ParseAddr(value)
			r.anew = true
		case "anew":
			r.anew = true
		case "gone":
			r.gone, err = time.ParseDuration(after)
		case "drain":
			r.drain, err = time.ParseDuration(after)
		case "later":
			r.later, err = time.ParseDuration(value)
		case "beside":
			r.beside = true
		case "raw":
			raw = true
		case "gzip":
			zipped = true
		default:
			err = errors.New("there is no such option")
		}
		if err != nil {
			t.Fatalf("-- %s --: %s: %v", name, word, err)
		}
	}
	if raw {
		r.steps = parseRaw(t, name, text)
	} else {
		r.steps = []step{{text: compose(t, text, zipped)}}
	}
	r.method, _, _ = strings.Cut(r.steps[0].text, " ")
	return r
}

func parseRaw(t testing.TB, name, text string) (steps []step) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		var one step
		var err error
		if wait, ok := strings.CutPrefix(line, "after "); ok {
			one.wait, err = time.ParseDuration(wait)
		} else if line != "" {
			one.text, err = strconv.Unquote(line)
		}
		if err != nil {
			t.Fatalf("-- %s --: %q: %v", name, line, err)
		}
		steps = append(steps, one)
	}
	return steps
}

var fill = regexp.MustCompile(`\$\{fill (\d+)\}`)

// compose makes a request of text.
func compose(t testing.TB, text string, zipped bool) string {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	head, body = strings.TrimSuffix(head, "\n"), strings.TrimSuffix(body, "\n")
	body = fill.ReplaceAllStringFunc(body, func(match string) string {
		n, err := strconv.Atoi(fill.FindStringSubmatch(match)[1])
		if err != nil {
			t.Fatal(err)
		}
		return strings.Repeat("a", n)
	})
	if zipped {
		var small bytes.Buffer
		z := gzip.NewWriter(&small)
		if _, err := io.WriteString(z, body); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		body = small.String()
		head += "\nContent-Encoding: gzip"
	}
	if lower := strings.ToLower(head); body != "" && !strings.Contains(lower, "content-length:") && !strings.Contains(lower, "transfer-encoding:") {
		head += fmt.Sprintf("\nContent-Length: %d", len(body))
	}
	return strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n" + body
}

// client sends requests one after another, on one connection as long as that is
// good.
type client struct {
	world *world
	conn  net.Conn
	in    *bufio.Reader
}

// send sends a request and returns the text of its answer.
func (c *client) send(r *request) string {
	time.Sleep(r.later)
	if c.conn == nil || r.anew {
		c.leave()
		conn, err := c.world.listener.Dial(r.from)
		if err != nil {
			return "(no connection)\n"
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	conn := c.conn
	if r.gone > 0 {
		time.AfterFunc(r.gone, func() { _ = conn.Close() })
	}
	if r.drain > 0 {
		settings := c.world.file.Drain
		time.AfterFunc(r.drain, func() { c.world.server.Drain(settings.Notice, settings.Calls) })
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		for _, s := range r.steps {
			time.Sleep(s.wait)
			if _, err := io.WriteString(conn, s.text); err != nil {
				return // the gateway has answered and closed, or the client has gone
			}
		}
	}()
	answer, again := readAnswer(c.in, r)
	if !again {
		c.leave()
	}
	<-written
	return answer
}

// leave closes the connection.
func (c *client) leave() {
	if c.conn != nil {
		_ = c.conn.Close() // the gateway may have closed it
		c.conn = nil
	}
}

// readAnswer prints what came, and reports whether the connection is good for
// another request.
func readAnswer(in *bufio.Reader, r *request) (text string, again bool) {
	var b strings.Builder
	resp, err := http.ReadResponse(in, &http.Request{Method: r.method})
	if err == nil && resp.StatusCode == http.StatusContinue {
		fmt.Fprintln(&b, resp.Status)
		resp, err = http.ReadResponse(in, &http.Request{Method: r.method})
	}
	if err != nil {
		if r.gone > 0 {
			return "(the client has gone)\n", false
		}
		return fmt.Sprintf("(no answer: %v)\n", err), false
	}
	defer resp.Body.Close()
	fmt.Fprintln(&b, resp.Status)
	if len(resp.TransferEncoding) > 0 {
		resp.Header["Transfer-Encoding"] = resp.TransferEncoding
	}
	if resp.Close {
		resp.Header["Connection"] = []string{"close"} // the reader takes it out
	}
	printHeader(&b, resp.Header)
	b.WriteByte('\n')
	body, err := io.ReadAll(resp.Body)
	if len(body) > 0 {
		b.Write(body)
		if !bytes.HasSuffix(body, []byte("\n")) {
			b.WriteByte('\n')
		}
	}
	switch {
	case err != nil && r.gone > 0:
		b.WriteString("(the client has gone)\n")
	case err != nil:
		fmt.Fprintf(&b, "(broken off: %v)\n", err)
	case len(resp.Trailer) > 0:
		printHeader(&b, resp.Trailer)
	}
	return b.String(), err == nil && !resp.Close
}

func printHeader(b *strings.Builder, header http.Header) {
	var lines []string
	for name, values := range header {
		for _, value := range values {
			if name == "Date" {
				value = "<date>"
			}
			lines = append(lines, name+": "+value+"\n")
		}
	}
	slices.Sort(lines)
	for _, line := range lines {
		b.WriteString(line)
	}
}
