package strict_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanway/spanway/internal/strict"
)

// read returns the next answer on r.
func read(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(resp.StatusCode, " ", string(body))
}

func write(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, strict.Options{})
		all := get("/1") + post("Content-Length: 2\r\n", "hi") + get("//") + chunked("1\r\nx\r\n0\r\n\r\n") + get("/;") + get("/5") + good
		want := []string{
			"200 GET /1", `200 POST /v1 "hi"`, "400 bad_target", `200 POST /v1 "x"`, "400 bad_target", "200 GET /5", "200 GET /good",
		}
		for size := 1; size <= len(all); size++ {
			if got := s.say(slices.Collect(slices.Chunk([]byte(all), size))...); !slices.Equal(got, want) {
				t.Fatalf("in pieces of %d bytes\n got %q\nwant %q", size, got, want)
			}
		}
	})
}

func TestARefusalSaysWhatWasAskedForAndNothingThatHarmsALog(t *testing.T) {
	for bytes, want := range map[string]strict.Refusal{
		get("//v1?secret"):                      {Reason: "bad_target", Method: "GET", Path: "//v1"},
		get("/a;\xff\"&path=x"):                 {Reason: "bad_target", Method: "GET", Path: `/a;?"&path=x`},
		get("/?a;b"):                            {Reason: "bad_query", Method: "GET", Path: "/"},
		get("//" + strings.Repeat("x", 300)):    {Reason: "bad_target", Method: "GET", Path: "//" + strings.Repeat("x", 254)},
		"TRACE /t HTTP/1.1\r\nHost: gw\r\n\r\n": {Reason: "bad_method", Method: "TRACE", Path: "/t"},
		strings.Repeat("M", 40) + " /t HTTP/1.1\r\nHost: gw\r\n\r\n": {Reason: "bad_method", Method: strings.Repeat("M", 32), Path: "/t"},
		with("X: a\n"):           {Reason: "bare_lf", Method: "GET", Path: "/", Close: true},
		"GET /\x1b HTTP/1.1\r\n": {Reason: "bad_request_line", Close: true},
	} {
		c, far := net.Pipe()
		go func() { _, _ = io.WriteString(far, bytes) }()
		r, err := http.ReadRequest(bufio.NewReader(strict.NewConn(c, limits)))
		if err != nil {
			t.Fatal(err)
		}
		got, ok := strict.Refused(r)
		if !ok || got.Status < 400 || got.Message == "" {
			t.Errorf("%.60q: got %+v, %t", bytes, got, ok)
		}
		got.Status, got.Message = 0, ""
		if got != want {
			t.Errorf("%.60q:\n got %+v\nwant %+v", bytes, got, want)
		}
		_, _ = c.Close(), far.Close()
	}
}

func TestAnHTTP2RequestCannotPassForARefusalOfOurs(t *testing.T) {
	r, err := http.NewRequest("REFUSED", "/overloaded?path=x", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.ProtoMajor, r.ProtoMinor = 2, 0
	if got, ok := strict.Refused(r); !ok || got.Reason != "bad_method" || got.Path != "" {
		t.Errorf("got %+v, %t", got, ok)
	}
}

func TestABodyThatEndsEarlyIsNoRefusal(t *testing.T) {
	for _, request := range []string{post("Content-Length: 5\r\n", "hell"), chunked("5\r\nhell"), chunked("5\r\nhello\r\n0\r\n"), chunked("5")} {
		c, far := net.Pipe()
		go func() {
			_, _ = io.WriteString(far, request)
			_ = far.Close()
		}()
		r, err := http.ReadRequest(bufio.NewReader(strict.NewConn(c, limits)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = io.ReadAll(r.Body); err != io.ErrUnexpectedEOF {
			t.Errorf("%q: got %v", request, err)
		}
	}
}

// net/http would answer an error it meets between requests, behind an answer
// that has been given.
func TestABodyThatBreaksBehindTheAnswersHeadIsAnsweredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, strict.Options{})
		got := s.say([]byte(post("Test-Early: 1\r\nTransfer-Encoding: chunked\r\n", "2\r\nhi\r\nzz\r\n") + good))
		if want := []string{`200 bad_chunk after "hi"`}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestTheReadDeadlineBoundsAHeadToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, headTimeout := range []time.Duration{0, time.Minute} {
			inner, client := net.Pipe()
			l := limits
			l.HeadTimeout = headTimeout
			c := strict.NewConn(inner, l)
			if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = io.WriteString(client, "GET /slow HTTP/1.1\r\nHost: ") }()
			r, err := http.ReadRequest(bufio.NewReader(c))
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := strict.Refused(r); got.Reason != "head_timeout" || got.Method != "GET" || got.Path != "/slow" {
				t.Errorf("got %+v", got)
			}
			_, _ = c.Close(), client.Close()
		}
	})
}

func TestAHeadThatTakesTooLongIsAnswered408(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, strict.Options{})
		for _, before := range []string{"", "\r\n", get("/")} { // new, and kept alive: net/http's limit is an hour there
			c := s.dial()
			r := bufio.NewReader(c)
			write(t, c, before)
			if before == get("/") {
				if got := read(t, r); got != "200 GET /" {
					t.Errorf("got %q", got)
				}
			}
			time.Sleep(30 * time.Second) // idle: no head is under way
			began := time.Now()
			var sending sync.WaitGroup
			sending.Go(func() {
				for _, b := range []byte(get("/slow")) {
					if _, err := c.Write([]byte{b}); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			})
			if got := answers(r); !slices.Equal(got, []string{"408 head_timeout"}) {
				t.Errorf("after %q: got %q", before, got)
			}
			if took := time.Since(began); took != limits.HeadTimeout {
				t.Errorf("after %q: answered after %v", before, took)
			}
			_ = c.Close()
			sending.Wait()
		}
	})
}

func TestAConnectionThatSaysNothingIsClosedWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, strict.Options{})
		if got := s.say(); got != nil {
			t.Errorf("got %q", got)
		}
	})
}

// A handler that ends while the next head is half here makes net/http stop its
// read ahead by a deadline in the past. That is no time-out of the head.
func TestAHeadMayArriveWhileTheOneBeforeIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, strict.Options{})
		c := s.dial()
		r := bufio.NewReader(c)
		next := get("/next")
		for cut := range len(next) {
			write(t, c, get("/first")+next[:cut])
			if got := read(t, r); got != "200 GET /first" {
				t.Fatalf("cut at %d: got %q", cut, got)
			}
			time.Sleep(time.Second)
			write(t, c, next[cut:])
			if got := read(t, r); got != "200 GET /next" {
				t.Fatalf("cut at %d: got %q", cut, got)
			}
		}
		_ = c.Close()
	})
}

func TestAfterAnUpgradeAllBytesPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, strict.Options{})
		c := s.dial()
		defer func() { _ = c.Close() }()
		write(t, c, with("Connection: Upgrade\r\nUpgrade: echo\r\nTest-Upgrade: 1\r\n"))
		r := bufio.NewReader(c)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("got %v, %v", resp, err)
		}
		for range 3 {
			write(t, c, "\x00\nno HTTP")
			got := make([]byte, len("\x00\nno HTTP"))
			if _, err := io.ReadFull(r, got); err != nil || string(got) != "\x00\nno HTTP" {
				t.Errorf("got %q, %v", got, err)
			}
		}
	})
}

// halves is a connection that can end its sending half, like TCP's.
type halves struct {
	net.Conn
	ended chan struct{}
}

func (h halves) CloseWrite() error {
	close(h.ended)
	return nil
}

func TestARefusedClientMayReadItsAnswerBeforeTheConnectionGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, client := net.Pipe()
		ended := make(chan struct{})
		c := strict.NewConn(halves{inner, ended}, limits)
		go func() { _, _ = io.WriteString(client, "GET / HTTP/1.1\n") }()
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		<-ended
		if took := time.Since(began); took != 0 {
			t.Errorf("Close kept its caller for %v", took)
		}
		write(t, client, strings.Repeat("unread", 1000))
		if _, err := client.Read(make([]byte, 1)); err != io.EOF || time.Since(began) != 500*time.Millisecond {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}
