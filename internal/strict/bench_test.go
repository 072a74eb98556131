package strict_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/spanway/spanway/internal/strict"
)

// busy is a client that sends the same request for ever, one for each read.
type busy struct {
	net.Conn
	request string
}

func (b busy) Read(p []byte) (int, error) { return copy(p, b.request), nil }

// chat is a request as SDKs send it: a head of about 500 bytes.
var chat = "POST /v1/chat/completions HTTP/1.1\r\nHost: gateway.example.com\r\nAccept: application/json\r\n" +
	"Authorization: Bearer sk-0123456789abcdef0123456789abcdef0123456789abcdef\r\nContent-Type: application/json\r\n" +
	"User-Agent: OpenAI/Python 1.68.2\r\nX-Stainless-Arch: x64\r\nX-Stainless-Async: false\r\nX-Stainless-Lang: python\r\n" +
	"X-Stainless-Os: Linux\r\nX-Stainless-Retry-Count: 0\r\nAccept-Encoding: gzip, deflate\r\n" +
	"Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nContent-Length: 100\r\n\r\n" + strings.Repeat("x", 100)

// BenchmarkHead is what a request costs that comes in one piece.
func BenchmarkHead(b *testing.B) {
	c := strict.NewConn(busy{request: chat}, limits)
	p := make([]byte, 4096)
	b.ReportAllocs()
	b.SetBytes(int64(len(chat)))
	for b.Loop() {
		if n, err := c.Read(p); n != len(chat) || err != nil {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkReadAhead is the same when net/http's read ahead, which has room for
// one byte, meets the request.
func BenchmarkReadAhead(b *testing.B) {
	c := strict.NewConn(&repeat{text: chat}, limits)
	p := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		for n, room := 0, 1; n < len(chat); room = len(p) {
			got, err := c.Read(p[:room])
			if err != nil {
				b.Fatal(err)
			}
			n += got
		}
	}
}

// repeat sends text again and again, and never past its end in one read.
type repeat struct {
	net.Conn
	text string
	at   int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

func (r *repeat) SetReadDeadline(time.Time) error { return nil }

func TestAWholeRequestIsReadWithoutAllocating(t *testing.T) {
	c := strict.NewConn(busy{request: chat}, limits)
	p := make([]byte, 4096)
	if n := testing.AllocsPerRun(100, func() { _, _ = c.Read(p) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
