package upstream

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/spanway/spanway/internal/gateway"
)

// serveRaw answers each request of a kilobyte with another, without parsing.
func serveRaw(b *testing.B, answer string) string {
	return listen(b, "tcp", "127.0.0.1:0", func(c net.Conn) {
		p, have := make([]byte, 64<<10), 0
		for {
			n, err := c.Read(p[have:])
			if err != nil {
				return
			}
			have += n
			end := bytes.Index(p[:have], []byte("\r\n\r\n"))
			if end < 0 || have < end+4+1024 {
				continue
			}
			have = 0
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	})
}

var kilobyte = bytes.Repeat([]byte("x"), 1024)

var plainAnswer = "HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov 2026 10:00:00 GMT\r\nContent-Type: application/json\r\nServer: x\r\n" +
	"X-Request-Id: 0123456789abcdef\r\nX-Ratelimit-Remaining: 99\r\nContent-Length: 1024\r\n\r\n" + string(kilobyte)

var benchHeader = http.Header{
	"Accept": {"application/json"}, "Accept-Encoding": {"gzip"}, "Content-Type": {"application/json"},
	"User-Agent": {"bench/1"}, "X-Forwarded-For": {"192.0.2.1"}, "X-Request-Id": {"0123456789abcdef"},
}

func BenchmarkRoundTrip(b *testing.B) {
	b.Run("upstream", func(b *testing.B) {
		u := dialed(b, "http://"+serveRaw(b, plainAnswer), Options{})
		call := newCall("POST")
		call.Header, call.Body.Bytes = benchHeader, kilobyte
		p := make([]byte, 32<<10)
		b.ReportAllocs()
		for b.Loop() {
			call.Attempt = &gateway.Attempt{}
			reply, err := u.Handle(b.Context(), call)
			if err != nil {
				b.Fatal(err)
			}
			for err == nil {
				_, err = reply.Body.Read(p)
			}
			reply.Close()
		}
	})
	b.Run("upstream with timeouts", func(b *testing.B) {
		u := dialed(b, "http://"+serveRaw(b, plainAnswer), Options{})
		call := newCall("POST")
		call.Header, call.Body.Bytes = benchHeader, kilobyte
		p := make([]byte, 32<<10)
		b.ReportAllocs()
		for b.Loop() {
			call.Attempt = &gateway.Attempt{Timeouts: gateway.Timeouts{FirstToken: time.Minute, Idle: time.Minute}}
			reply, err := u.Handle(b.Context(), call)
			if err != nil {
				b.Fatal(err)
			}
			for err == nil {
				_, err = reply.Body.Read(p)
			}
			reply.Close()
		}
	})
	b.Run("http.Transport", func(b *testing.B) {
		url := "http://" + serveRaw(b, plainAnswer) + "/v1/x"
		client := &http.Transport{DisableCompression: true}
		defer client.CloseIdleConnections()
		p := make([]byte, 32<<10)
		b.ReportAllocs()
		for b.Loop() {
			req, _ := http.NewRequestWithContext(b.Context(), "POST", url, bytes.NewReader(kilobyte))
			req.Header = benchHeader
			resp, err := client.RoundTrip(req)
			if err != nil {
				b.Fatal(err)
			}
			for err == nil {
				_, err = resp.Body.Read(p)
			}
			_ = resp.Body.Close()
		}
	})
	b.Run("bare socket", func(b *testing.B) {
		c, err := net.Dial("tcp", serveRaw(b, plainAnswer))
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		out := append([]byte("POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1024\r\n\r\n"), kilobyte...)
		r := bufio.NewReaderSize(c, 8<<10)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Write(out); err != nil {
				b.Fatal(err)
			}
			if _, err := r.Discard(len(plainAnswer)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkHead(b *testing.B) {
	head := []byte(plainAnswer[:len(plainAnswer)-1024])
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseHead(head); err != nil {
			b.Fatal(err)
		}
	}
}
