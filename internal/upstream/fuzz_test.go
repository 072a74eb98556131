package upstream

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/spanway/spanway/internal/gateway"
)

// canned is a connection on which these bytes come, however cut, and then its end.
type canned struct {
	net.Conn
	bytes []byte
	step  int // how many come at a time; 0 is all
}

func (c *canned) Read(p []byte) (int, error) {
	if len(c.bytes) == 0 {
		return 0, io.EOF
	}
	if c.step > 0 && len(p) > c.step {
		p = p[:c.step]
	}
	n := copy(p, c.bytes)
	c.bytes = c.bytes[n:]
	return n, nil
}

func (*canned) Write(p []byte) (int, error)      { return len(p), nil }
func (*canned) Close() error                     { return nil }
func (*canned) RemoteAddr() net.Addr             { return nil }
func (*canned) SetDeadline(time.Time) error      { return nil }
func (*canned) SetReadDeadline(time.Time) error  { return nil }
func (*canned) SetWriteDeadline(time.Time) error { return nil }

// outcome is all that a client could learn of an answer.
type outcome struct {
	failed, broken bool
	status         int
	header         http.Header
	body           string
	kept           bool
}

func answerTo(t *testing.T, method string, raw []byte, step int) outcome {
	pools := NewPools(Options{})
	u, err := pools.Open("orders", Settings{URL: "http://orders"})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	e := u.pool.endpoints[0]
	e.open.Add(1)
	e.keep(newConn(e, &canned{bytes: bytes.Clone(raw), step: step}))
	call := newCall(method)
	reply, err := u.Handle(t.Context(), call)
	if err != nil {
		if code := codeOf(err); code != gateway.UpstreamFailed {
			t.Errorf("the code is %s", code)
		}
		return outcome{failed: true}
	}
	body, err := io.ReadAll(reply.Body)
	reply.Close()
	_, idle := count(u)
	return outcome{broken: err != nil, status: reply.Status, header: reply.Header, body: string(body), kept: idle == 1}
}

// However an answer is cut on its way, it is read the same; and what is read as
// whole, net/http reads so too. Two readings of one answer are how the replies
// of two clients are swapped.
func FuzzReply(f *testing.F) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, seed := range []string{
		nothing,
		plainAnswer,
		ok + "Content-Length: 5\r\n\r\nhello",
		ok + "Transfer-Encoding: chunked\r\n\r\n5;a\r\nhello\r\n0\r\nA: b\r\n\r\n",
		ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
		ok + "\r\nuntil it closes",
		"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.0 304 Not Modified\r\nConnection: keep-alive, x\r\nX: y\r\nX: z\r\n\r\n",
		ok + "a : b\r\n c\r\n\n\r\n",
	} {
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, raw []byte, head bool) {
		method := "GET"
		if head {
			method = "HEAD"
		}
		whole := answerTo(t, method, raw, 0)
		if single := answerTo(t, method, raw, 1); whole.failed != single.failed || whole.status != single.status ||
			whole.broken != single.broken || !whole.broken && whole.body != single.body || !reflect.DeepEqual(whole.header, single.header) {
			t.Errorf("byte by byte:\n%+v\nwhole:\n%+v", single, whole)
		}
		if whole.failed || whole.broken {
			return
		}
		r := bufio.NewReader(bytes.NewReader(raw))
		for {
			resp, err := http.ReadResponse(r, &http.Request{Method: method})
			if err != nil {
				t.Fatalf("net/http refuses it: %v\n%+v", err, whole)
			}
			if resp.StatusCode < 200 {
				continue
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != whole.status || string(body) != whole.body {
				t.Errorf("net/http reads %d %q, %v; here it is\n%+v", resp.StatusCode, body, err, whole)
			}
			return
		}
	})
}
