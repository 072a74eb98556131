package assemble_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/spanway/spanway/internal/gateway"
)

const rawConfig = `
upstreams:
  openai: {url: "http://api.openai.com/v1", dialect: openai, default: true}
  files: {url: "http://files:8080"}
routes:
  - {name: files, prefix: /files, targets: [{upstream: files}]}
`

// raw is one way to break a request, and what it gets.
type raw struct {
	name string
	text string
	code gateway.Code // "" is a good answer
	goes bool         // on: the connection takes another request
	sent string       // what the upstream gets, in part; "" is nothing
}

const (
	chatHead = "POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\n"
	chatBody = `{"model":"gpt-5","messages":[]}`
	getFile  = "GET /files/a HTTP/1.1\r\nHost: gateway\r\n"
)

var rawRequests = []raw{
	{"both lengths", chatHead + "Content-Length: 31\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", gateway.Invalid, false, ""},
	{"two different lengths", chatHead + "Content-Length: 31\r\nContent-Length: 30\r\n\r\n" + chatBody, gateway.Invalid, false, ""},
	{"a length with a sign", chatHead + "Content-Length: +31\r\n\r\n" + chatBody, gateway.Invalid, false, ""},
	{"a transfer encoding in HTTP/1.0", strings.Replace(chatHead, "1.1", "1.0", 1) + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", gateway.Invalid, false, ""},
	{"an unknown transfer encoding", chatHead + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", gateway.NotImplemented, false, ""},
	{"white space in front of a colon", chatHead + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", gateway.Invalid, false, ""},
	{"a chunk size that is none", chatHead + "Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n0\r\n\r\n", gateway.Invalid, false, ""},
	{"a line feed in a chunk extension", chatHead + "Transfer-Encoding: chunked\r\n\r\n1f;a\nb\r\n" + chatBody + "\r\n0\r\n\r\n", gateway.Invalid, false, ""},
	{"a chunk line that ends in LF", chatHead + "Transfer-Encoding: chunked\r\n\r\n1f\n" + chatBody + "\r\n0\r\n\r\n", gateway.Invalid, false, ""},
	{"a chunk without its CRLF", chatHead + "Transfer-Encoding: chunked\r\n\r\n1f\r\n" + chatBody + "XX0\r\n\r\n", gateway.Invalid, false, ""},
	{"a bad chunk on the way to a service", "PUT /files/a HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", gateway.Invalid, false, ""},
	{"a head that ends its lines in LF", "GET /files/a HTTP/1.1\nHost: gateway\n\n", gateway.Invalid, false, ""},
	{"a folded line", getFile + "X-A: 1\r\n 2\r\n\r\n", gateway.Invalid, false, ""},
	{"a NUL in a value", getFile + "X-A: 1\x002\r\n\r\n", gateway.Invalid, false, ""},
	{"a bare CR in a value", getFile + "X-A: 1\r2\r\n\r\n", gateway.Invalid, false, ""},
	{"no host", "GET /files/a HTTP/1.1\r\n\r\n", gateway.Invalid, false, ""},
	{"two hosts", getFile + "Host: other\r\n\r\n", gateway.Invalid, false, ""},
	{"a host that is a URL", "GET /files/a HTTP/1.1\r\nHost: gateway/#@evil\r\n\r\n", gateway.Invalid, false, ""},
	{"an absolute target elsewhere", "GET http://evil/files/a HTTP/1.1\r\nHost: gateway\r\n\r\n", gateway.Misdirected, true, ""},
	{"an absolute target that is the host", "GET http://gateway/files/a HTTP/1.1\r\nHost: gateway\r\n\r\n", "", true, "Host: files:8080"},
	{"an absolute target without a path", "GET http://gateway HTTP/1.1\r\nHost: gateway\r\n\r\n", gateway.Invalid, true, ""},
	{"a target that is a star", "OPTIONS * HTTP/1.1\r\nHost: gateway\r\n\r\n", gateway.NoRoute, true, ""},
	{"a made-up method", "gEt! /files/a HTTP/1.1\r\nHost: gateway\r\n\r\n", gateway.MethodNotAllowed, true, ""},
	{"TRACE", "TRACE /files/a HTTP/1.1\r\nHost: gateway\r\n\r\n", gateway.MethodNotAllowed, true, ""},
	{"CONNECT", "CONNECT evil:443 HTTP/1.1\r\nHost: evil:443\r\n\r\n", gateway.MethodNotAllowed, false, ""},
	{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", gateway.Invalid, false, ""},
	{"HTTP/1.2", "GET /files/a HTTP/1.2\r\nHost: gateway\r\n\r\n", gateway.BadVersion, false, ""},
	{"HTTP/0.9", "GET /files/a\r\n\r\n", gateway.Invalid, false, ""},
	{"an empty segment", "GET //files/a HTTP/1.1\r\nHost: gateway\r\n\r\n", gateway.Invalid, true, ""},
	{"a dot segment", "GET /files/../v1/models HTTP/1.1\r\nHost: gateway\r\n\r\n", gateway.Invalid, true, ""},
	{"an encoded dot segment", "GET /files/%2e%2e/v1 HTTP/1.1\r\nHost: gateway\r\n\r\n", gateway.Invalid, true, ""},
	{"an encoded slash", "GET /files/..%2fv1 HTTP/1.1\r\nHost: gateway\r\n\r\n", gateway.Invalid, true, ""},
	{"a path parameter", "GET /files;x/../a HTTP/1.1\r\nHost: gateway\r\n\r\n", gateway.Invalid, true, ""},
	{"an encoded NUL", "GET /files/%00 HTTP/1.1\r\nHost: gateway\r\n\r\n", gateway.Invalid, true, ""},
	{"encoded line ends", "GET /files/%0d%0aX:1 HTTP/1.1\r\nHost: gateway\r\n\r\n", gateway.Invalid, true, ""},
	{"back slashes", "GET /files/\\..\\a HTTP/1.1\r\nHost: gateway\r\n\r\n", gateway.Invalid, true, ""},
	{"a fragment", "GET /files/a#frag HTTP/1.1\r\nHost: gateway\r\n\r\n", gateway.Invalid, true, ""},
	{"a bad escape in a path", "GET /files/%zz HTTP/1.1\r\nHost: gateway\r\n\r\n", gateway.Invalid, true, ""},
	{"a semicolon in a query", "GET /files/a?a=1;b=2 HTTP/1.1\r\nHost: gateway\r\n\r\n", gateway.Invalid, true, ""},
	{"a bad escape in a query", "GET /files/a?a=%zz HTTP/1.1\r\nHost: gateway\r\n\r\n", gateway.Invalid, true, ""},
	{"a query as it was written", "GET /files/a?b=%20&a=1&a=2&& HTTP/1.1\r\nHost: gateway\r\n\r\n", "", true, "GET /files/a?b=%20&a=1&a=2&& HTTP/1.1"},
	{"too many headers", getFile + strings.Repeat("X-A: 1\r\n", 101) + "\r\n", gateway.HeadTooLarge, false, ""},
	{"a long head", getFile + "X-A: " + strings.Repeat("a", 66<<10) + "\r\n\r\n", gateway.HeadTooLarge, false, ""},
	{"a long target", "GET /files/" + strings.Repeat("a", 9<<10) + " HTTP/1.1\r\nHost: gateway\r\n\r\n", gateway.URITooLong, false, ""},
	{"an upgrade to HTTP/2", getFile + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", "", true, "GET /files/a HTTP/1.1"},
	{"a name with an underscore", getFile + "X_User_Id: 7\r\nX-User-Id: 8\r\n\r\n", "", true, "X-User-Id: 8"},
	{"half a body and then silence", chatHead + "Content-Length: 31\r\n\r\n" + chatBody[:10], gateway.ClientTimeout, false, ""},
	{"half a head and then silence", getFile + "X-A: ", gateway.ClientTimeout, false, ""},
}

// TestRawRequests sends bytes that two readers could take for different things.
// Each is answered in the caller's dialect and traced; the upstream sees what
// was meant, or nothing; and the connection goes on only where it is beyond doubt
// where the next request begins.
func TestRawRequests(t *testing.T) {
	for _, r := range rawRequests {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := ""
				if r.code == "" {
					script += "200 sent\n\n"
				}
				if r.goes {
					script += "200 good\n"
				}
				w := newWorld(t, rawConfig, script, func(string) string { return "" }, zerolog.TraceLevel)
				conn, err := w.listener.Dial(netip.MustParseAddr("127.0.0.1"))
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				secret := "Host: gateway\r\nX-Secret: " + canaryText + "\r\nAuthorization: Bearer " + canaryKey + "\r\n"
				text := strings.Replace(r.text, "Host: gateway\r\n", secret, 1)
				go func() { _, _ = io.WriteString(conn, text) }() // the gateway may close before it has read all
				in := bufio.NewReader(conn)
				checkAnswer(t, w, in, r)
				synctest.Wait()
				if dialled, sent := len(w.upstream.Dialled()), len(w.upstream.Requests()); r.code != "" && dialled+sent > 0 {
					t.Errorf("the upstream was dialled %d times and got %d requests", dialled, sent)
				}
				checkNext(t, conn, in, r.goes)
				checkUntold(t, &played{world: w})
			})
		})
	}
}

// checkAnswer reads the answer, and compares it with what the client and the
// trace are to say.
func checkAnswer(t *testing.T, w *world, in *bufio.Reader, r raw) {
	t.Helper()
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.code == "" {
		requests := w.upstream.Requests()
		if answer.StatusCode != http.StatusOK || len(requests) != 1 {
			t.Fatalf("answer %d %s, the upstream got %d requests", answer.StatusCode, body, len(requests))
		}
		raw := requests[0].Raw
		if !strings.Contains(raw, r.sent+"\r\n") || strings.Contains(raw, "_") || strings.Contains(raw, "Upgrade") || strings.Contains(raw, "Http2") {
			t.Errorf("the upstream got\n%s", raw)
		}
		return
	}
	var said struct {
		Error struct {
			Code    gateway.Code `json:"code"`
			Type    string       `json:"type"`
			TraceID string       `json:"trace_id"`
		} `json:"error"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if answer.StatusCode != r.code.Status() || said.Error.Code != r.code || said.Error.Type == "" {
		t.Errorf("answer %d %s, want %d %s", answer.StatusCode, body, r.code.Status(), r.code)
	}
	synctest.Wait()
	tree := w.recorder.Tree()
	failed := r.code.Status() >= http.StatusInternalServerError // 501 and 505, as the conventions say
	if strings.Count(tree, "SERVER") != 1 || !strings.Contains(tree, "spanway.refused.by=") || strings.Contains(tree, "status=Error") != failed {
		t.Errorf("the trace must be one refusal; is\n%s", tree)
	}
	if id := fmt.Sprintf("%x", w.recorder.Spans()[0].TraceId); id != said.Error.TraceID {
		t.Errorf("the answer names the trace %q, it is %q", said.Error.TraceID, id)
	}
}

// checkNext sends a good request on the same connection.
func checkNext(t *testing.T, conn net.Conn, in *bufio.Reader, goes bool) {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(time.Minute)) // pipes take it
	if !goes {
		if rest, err := io.ReadAll(in); err != nil && !errors.Is(err, io.ErrClosedPipe) || len(rest) > 0 {
			t.Errorf("the connection stays open: %v, %q", err, rest)
		}
		return
	}
	go func() { _, _ = io.WriteString(conn, getFile+"\r\n") }()
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("the connection took no other request: %v", err)
	}
	if body, _ := io.ReadAll(answer.Body); string(body) != "good" {
		t.Errorf("the next answer is %q", body)
	}
}
