package gatewaytest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Provider is an upstream that does as its script says. Its connections are
// pipes; [Provider.Dial] makes them.
type Provider struct {
	t      testing.TB
	blocks []block

	mu       sync.Mutex
	next     int // the block of the next request
	requests []Request
	dialled  []string
	conns    []net.Conn
	gone     int
	served   sync.WaitGroup
}

// Request is one request as it came.
type Request struct {
	*http.Request        // its Body has been read
	Raw           string // head and body, byte for byte
	Text          string // the body
}

// NewProvider starts a provider. At the test's end its connections are closed,
// and a block that no request has come for is an error.
func NewProvider(t testing.TB, script string) *Provider {
	t.Helper()
	blocks, err := parse(script)
	if err != nil {
		t.Fatal(err)
	}
	p := &Provider{t: t, blocks: blocks}
	t.Cleanup(p.stop)
	return p
}

func (p *Provider) stop() {
	p.mu.Lock()
	for _, conn := range p.conns {
		_ = conn.Close() // it may be closed already
	}
	if p.next < len(p.blocks) {
		p.t.Errorf("the provider got %d requests; its script goes on at line %d", p.next, p.blocks[p.next].line)
	}
	p.mu.Unlock()
	p.served.Wait()
}

// Dial connects to the provider, whatever the address. It fits an upstream's
// dial function.
func (p *Provider) Dial(_ context.Context, network, address string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dialled = append(p.dialled, address)
	if p.next < len(p.blocks) && p.blocks[p.next].steps[0].verb == "refuse" {
		p.next++
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	near, far := net.Pipe()
	p.conns = append(p.conns, far)
	client := &breakable{Conn: near}
	p.served.Go(func() { p.serve(far, client) })
	return client, nil
}

// Requests returns what has come so far.
func (p *Provider) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Dialled returns the addresses that connections were asked for, in order.
func (p *Provider) Dialled() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.dialled)
}

// Gone returns how many clients went away before their answer was complete.
func (p *Provider) Gone() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone
}

// breakable is a client's end of a pipe that can break as sockets do.
type breakable struct {
	net.Conn
	broken atomic.Bool
}

// Read implements net.Conn.
func (b *breakable) Read(to []byte) (int, error) {
	n, err := b.Conn.Read(to)
	if err != nil && b.broken.Load() {
		err = &net.OpError{Op: "read", Net: "pipe", Err: syscall.ECONNRESET}
	}
	return n, err
}

// recording keeps what is read from a connection until it is taken.
type recording struct {
	net.Conn
	read bytes.Buffer
}

// Read implements io.Reader.
func (r *recording) Read(to []byte) (int, error) {
	n, err := r.Conn.Read(to)
	r.read.Write(to[:n])
	return n, err
}

// serve answers the requests of one connection, until it is closed.
func (p *Provider) serve(conn net.Conn, client *breakable) {
	defer conn.Close()
	record := &recording{Conn: conn}
	in := bufio.NewReader(record)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		raw := record.read.String()
		record.read.Reset() // a client sends no second request before its answer
		b, ok := p.take(Request{r, raw, string(body)})
		if !ok {
			_, _ = io.WriteString(conn, "HTTP/1.1 599 Unexpected\r\ncontent-length: 0\r\n\r\n") // the test has failed already
			return
		}
		again, err := b.play(conn, client, r.Method)
		if err != nil {
			p.mu.Lock()
			p.gone++
			p.mu.Unlock()
		}
		if !again {
			return
		}
	}
}

func (p *Provider) take(r Request) (block, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, r)
	if p.next >= len(p.blocks) {
		p.t.Errorf("the provider got a request that is not in its script: %s %s", r.Method, r.URL)
		return block{}, false
	}
	p.next++
	return p.blocks[p.next-1], true
}

// play does what the block says. It reports whether the connection is good for
// another request; the error says that the client has gone.
func (b block) play(conn net.Conn, client *breakable, method string) (again bool, err error) {
	for _, s := range b.steps {
		switch s.verb {
		case "head":
			_, err = io.WriteString(conn, b.head.text(method))
		case "send":
			if b.head == nil || !b.head.stream {
				_, err = io.WriteString(conn, s.text)
				break
			}
			_, err = fmt.Fprintf(conn, "%x\r\n%s\r\n", len(s.text), s.text)
		case "garbage":
			_, err = io.WriteString(conn, "\x16\x03\x00 this is not HTTP\r\n\r\n")
		case "after":
			time.Sleep(s.wait)
		case "hang":
			_, _ = io.Copy(io.Discard, conn) // until the client goes
			return false, io.ErrClosedPipe
		case "reset":
			client.broken.Store(true)
			return false, nil
		case "cut":
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	if b.head == nil {
		return false, nil
	}
	if b.head.stream {
		_, err = io.WriteString(conn, "0\r\n\r\n")
	}
	return err == nil && b.head.header.Get("Connection") != "close", err
}

// text is the head as it is sent, and the body where it is no stream.
func (h *head) text(method string) string {
	var out bytes.Buffer
	fmt.Fprintf(&out, "HTTP/1.1 %d %s\r\n", h.status, http.StatusText(h.status))
	header := h.header.Clone()
	body := h.body
	switch {
	case h.stream:
		header.Set("Transfer-Encoding", "chunked")
	case h.status == http.StatusNoContent || h.status == http.StatusNotModified:
		body = ""
	case header.Get("Content-Length") == "" && header.Get("Transfer-Encoding") == "":
		header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	if !h.stream && body != "" && body[0] == '{' && header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	_ = header.Write(&out) // a buffer takes all
	out.WriteString("\r\n")
	if method != http.MethodHead {
		out.WriteString(body)
	}
	return out.String()
}
