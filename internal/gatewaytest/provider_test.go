package gatewaytest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanway/spanway/internal/gateway"
)

// client returns a client whose connections lead to the provider.
func client(t *testing.T, p *Provider) *http.Client {
	wire := &http.Transport{DialContext: p.Dial}
	t.Cleanup(wire.CloseIdleConnections)
	return &http.Client{Transport: wire}
}

// ask posts once and says what came: the status, the body, and the error that
// ended it.
func ask(t *testing.T, c *http.Client) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://provider/v1/x", strings.NewReader("ask"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		return "error " + rootOf(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	text := fmt.Sprintf("%d %s", resp.StatusCode, body)
	if err != nil {
		text += " error " + rootOf(err)
	}
	return text
}

func rootOf(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

func TestProviderPlaysItsScript(t *testing.T) {
	tests := []struct {
		name, script string
		want         []string
		dials        int
	}{
		{"whole answers, on one connection", "200 {\"a\":1}\n429 retry-after=1 x-b=2 slow down\n\n# a note\n204", []string{`200 {"a":1}`, "429 slow down", "204 "}, 1},
		{"a stream, and the connection again", "stream\ncomment wait\ndata: a\nraw \"data: b\\r\\n\\r\\n\"\n\n200 x", []string{"200 : wait\n\ndata: a\n\ndata: b\r\n\r\n", "200 x"}, 1},
		{"a cut stream", "stream\ndata: a\ncut", []string{"200 data: a\n\n error unexpected EOF"}, 1},
		{"a broken stream", "stream\ndata: a\nreset", []string{"200 data: a\n\n error connection reset by peer"}, 1},
		{"bytes that are not HTTP within a stream", "stream\ndata: a\ngarbage", []string{"200 data: a\n\n error invalid byte in chunk length"}, 1},
		{"bytes that are not HTTP", "garbage", []string{"error malformed HTTP status code \"this\""}, 1},
		{"a reset before the head", "reset", []string{"error connection reset by peer"}, 1},
		{"a cut before the head", "cut", []string{"error EOF"}, 1},
		{"a short body", "200 content-length=9 short\ncut", []string{"200 short error unexpected EOF"}, 1},
		{"a refused connection", "refuse\n\n200 x", []string{"error connection refused", "200 x"}, 2},
		{"a closed connection", "200 connection=close x\n200 y", []string{"200 x", "200 y"}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := NewProvider(t, tt.script)
				c := client(t, p)
				for _, want := range tt.want {
					if got := ask(t, c); got != want {
						t.Errorf("got  %q\nwant %q", got, want)
					}
					synctest.Wait()
				}
				if n := len(p.Dialled()); n != tt.dials || p.Dialled()[0] != "provider:80" {
					t.Errorf("dialled %v, want %d", p.Dialled(), tt.dials)
				}
			})
		})
	}
}

func TestProviderKeepsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewProvider(t, "200 x\n200 y")
		c := client(t, p)
		ask(t, c)
		ask(t, c)
		got := p.Requests()
		want := "POST /v1/x HTTP/1.1\r\nHost: provider\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: 3\r\nAccept-Encoding: gzip\r\n\r\nask"
		if len(got) != 2 || got[1].Raw != want || got[1].Text != "ask" || got[1].Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestProviderTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewProvider(t, "after 1h\n200 x\n\nstream\ndata: a\nafter 30s\ndata: b")
		c := client(t, p)
		start := time.Now()
		if got := ask(t, c); got != "200 x" || time.Since(start) != time.Hour {
			t.Errorf("got %q after %v", got, time.Since(start))
		}
		start = time.Now()
		if got := ask(t, c); got != "200 data: a\n\ndata: b\n\n" || time.Since(start) != 30*time.Second {
			t.Errorf("got %q after %v", got, time.Since(start))
		}
	})
}

func TestProviderSeesItsClientGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewProvider(t, "stream\ndata: a\nhang")
		ctx, leave := context.WithCancel(t.Context())
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://provider/", nil)
		resp, err := client(t, p).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if line, err := bufio.NewReader(resp.Body).ReadString('\n'); line != "data: a\n" {
			t.Errorf("got %q, %v", line, err)
		}
		synctest.Wait()
		if p.Gone() != 0 {
			t.Error("the client is still there")
		}
		leave()
		synctest.Wait()
		if p.Gone() != 1 {
			t.Errorf("%d clients went, want 1", p.Gone())
		}
	})
}

func TestScriptsThatAreWrong(t *testing.T) {
	for script, want := range map[string]string{
		"200 x\nwait 3s":   `script, line 2: "wait 3s" is no step`,
		"stream x=1 {}":    `script, line 1: "{}" is no header`,
		"\n\nafter a day":  `script, line 3: time: invalid duration "a day"`,
		"stream\nraw data": `script, line 2: invalid syntax`,
	} {
		if _, err := parse(script); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", script, err, want)
		}
	}
}

func TestAnswersComeInOrder(t *testing.T) {
	down := errors.New("down")
	late := gateway.NewReply(200, nil, io.MultiReader(strings.NewReader("x"), errorReader{syscall.EPIPE}), -1, nil)
	asked := gateway.HandlerFunc(func(context.Context, *gateway.Call) (*gateway.Reply, error) { return reply(418), nil })
	target := Answers(down, 503, late, asked, 200)
	for i, want := range []any{down, 503, error(syscall.EPIPE), 418, 200, 200} {
		if got := Do(t.Context(), target); got != want {
			t.Errorf("answer %d: got %v, want %v", i, got, want)
		}
	}
	if target.Tries() != 6 || target.Calls()[0].Method != http.MethodGet {
		t.Errorf("counted %d", target.Tries())
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }
