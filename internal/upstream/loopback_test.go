package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spanway/spanway/internal/gateway"
)

// What only real sockets do.

// listen accepts connections until the test ends, and plays the script on each.
func listen(t testing.TB, network, address string, play func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				play(c)
			}()
		}
	}()
	return ln.Addr().String()
}

func dialed(t testing.TB, url string, options Options) *Upstream {
	t.Helper()
	u, err := New("orders", Settings{URL: url, Health: Health{FailAfter: 1, ReviveIn: time.Minute}}, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u
}

func TestRefused(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	_ = ln.Close()
	u := dialed(t, "http://"+address, Options{})
	call := newCall("GET")
	_, err = u.Handle(t.Context(), call)
	e := gateway.AsError(err)
	if e.Code != gateway.UpstreamFailed || e.Message != "orders could not be reached" || !errors.Is(err, syscall.ECONNREFUSED) || call.Attempt.Sent {
		t.Errorf("got %v; sent: %t", err, call.Attempt.Sent)
	}
	if u.pool.endpoints[0].in() {
		t.Error("it does not count as a fault")
	}
}

func TestReset(t *testing.T) {
	for name, text := range map[string]string{
		"before the head": "",
		"amid the head":   "HTTP/1.1 200 OK\r\nConte",
		"amid the body":   "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
		"until it closes": "HTTP/1.1 200 OK\r\n\r\nhello",
	} {
		t.Run(name, func(t *testing.T) {
			taken := make(chan struct{})
			address := listen(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
				_, _ = http.ReadRequest(bufio.NewReader(c))
				_, _ = io.WriteString(c, text)
				if strings.Contains(text, "hello") {
					<-taken // a reset would take with it what has not been read
				}
				_ = c.(*net.TCPConn).SetLinger(0)
			})
			u := dialed(t, "http://"+address, Options{})
			reply, err := u.Handle(t.Context(), newCall("GET"))
			if err == nil {
				p := make([]byte, 5)
				_, _ = io.ReadFull(reply.Body, p)
				close(taken)
				_, err = io.ReadAll(reply.Body)
				reply.Close()
			}
			if codeOf(err) != gateway.UpstreamFailed || u.pool.endpoints[0].in() {
				t.Errorf("got %v", err)
			}
			if open, _ := count(u); open != 0 {
				t.Errorf("%d connections are open", open)
			}
		})
	}
}

// A connection that its peer has closed, or on which it has said something
// unasked, is not used again.
func TestStale(t *testing.T) {
	for name, last := range map[string]string{"closed": "", "said something": "HTTP/1.1 408 Request Timeout\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			again, done := make(chan struct{}), make(chan struct{}, 2)
			address := listen(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
				_, _ = http.ReadRequest(bufio.NewReader(c))
				_, _ = io.WriteString(c, nothing)
				<-again
				_, _ = io.WriteString(c, last)
				_ = c.Close()
				done <- struct{}{}
			})
			u := dialed(t, "http://"+address, Options{})
			send(t, u)
			close(again)
			<-done
			c := u.pool.endpoints[0].idle[0]
			for deadline := time.Now().Add(10 * time.Second); c.quiet() && time.Now().Before(deadline); {
				continue // until the kernel has carried it over
			}
			if attempt := send(t, u); attempt.Reused || attempt.Status != 200 {
				t.Errorf("the attempt is %+v", attempt)
			}
		})
	}
}

// A connection may rest for longer than the waits of the call it carried.
func TestRestBeyondAWait(t *testing.T) {
	address := listen(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		for r := bufio.NewReader(c); ; {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			_, _ = io.WriteString(c, nothing)
		}
	})
	u := dialed(t, "http://"+address, Options{})
	call := newCall("GET")
	call.Attempt.Timeouts.FirstToken = 200 * time.Millisecond
	reply, err := u.Handle(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	reply.Close()
	for over := time.Now().Add(250 * time.Millisecond); time.Now().Before(over); {
		continue // until its deadline has passed
	}
	if attempt := send(t, u); !attempt.Reused {
		t.Errorf("the attempt is %+v", attempt)
	}
}

// Where the peer closes just as the call is sent, it fails, marked as on a used
// connection and not blamed on the endpoint; it is not sent again here.
func TestStaleTooLate(t *testing.T) {
	n := 0
	address := listen(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		n++
		r := bufio.NewReader(c)
		_, _ = http.ReadRequest(r)
		_, _ = io.WriteString(c, nothing)
		_, _ = http.ReadRequest(r)
	})
	u := dialed(t, "http://"+address, Options{})
	send(t, u)
	call := newCall("GET")
	_, err := u.Handle(t.Context(), call)
	if codeOf(err) != gateway.UpstreamFailed || !call.Attempt.Reused || !call.Attempt.Sent || n != 1 {
		t.Errorf("got %v; the attempt is %+v; %d connections", err, call.Attempt, n)
	}
	if !u.pool.endpoints[0].in() {
		t.Error("the endpoint was blamed")
	}
}

// A server that refuses a streamed body early, and reads no more of it.
func TestStreamRefusedEarly(t *testing.T) {
	address := listen(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		r := bufio.NewReader(c)
		_, _ = http.ReadRequest(r)
		_, _ = io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.CopyN(io.Discard, r, 1<<20)
		_ = c.(*net.TCPConn).CloseRead()
		_, _ = c.Read(make([]byte, 1))
	})
	u := dialed(t, "http://"+address, Options{})
	call := newCall("POST")
	call.Body = gateway.Body{Reader: io.LimitReader(zeros{}, 2<<20), Length: -1}
	reply, err := u.Handle(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(reply.Body); string(body) != "big" || reply.Status != 413 || err != nil {
		t.Errorf("got %d %q, %v", reply.Status, body, err)
	}
	reply.Close()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestTLS(t *testing.T) {
	ts := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s to %s over %s", r.Method, r.Host, r.TLS.NegotiatedProtocol)
	}))
	ts.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail on purpose
	ts.StartTLS()
	defer ts.Close()
	roots := x509.NewCertPool()
	roots.AddCert(ts.Certificate())
	host := strings.TrimPrefix(ts.URL, "https://")

	u := dialed(t, ts.URL, Options{TLS: &tls.Config{RootCAs: roots}})
	for i := range 3 {
		call := newCall("GET")
		reply, err := u.Handle(t.Context(), call)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(reply.Body); string(body) != "GET to "+host+" over http/1.1" || err != nil {
			t.Errorf("got %q, %v", body, err)
		}
		reply.Close()
		if call.Attempt.Reused != (i > 0) || call.Attempt.PeerAddress != host {
			t.Errorf("call %d: the attempt is %+v", i, call.Attempt)
		}
	}
	_, port, _ := net.SplitHostPort(host)
	for name, bad := range map[string]*Upstream{
		"an unknown issuer": dialed(t, ts.URL, Options{}),
		"another's name":    dialed(t, "https://localhost:"+port, Options{TLS: &tls.Config{RootCAs: roots}, Dial: toward(host)}),
	} {
		call := newCall("GET")
		if _, err := bad.Handle(t.Context(), call); codeOf(err) != gateway.UpstreamFailed || call.Attempt.Sent {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// toward dials one address, whatever the name.
func toward(address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

func TestSocket(t *testing.T) {
	path := listen(t, "unix", filepath.Join(t.TempDir(), "s"), func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			_, _ = io.WriteString(c, nothing)
		}
	})
	u := dialed(t, "unix://"+path, Options{})
	send(t, u)
	if attempt := send(t, u); attempt.Status != 200 || !attempt.Reused || attempt.ServerAddress != path || attempt.ServerPort != 0 {
		t.Errorf("the attempt is %+v", attempt)
	}
}

// An event of a stream is handed over when it comes, not when the next one does.
func TestStreamAtOnce(t *testing.T) {
	next := make(chan string)
	address := listen(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
		for text := range next {
			_, _ = fmt.Fprintf(c, "%x\r\n%s\r\n", len(text), text)
		}
		_, _ = io.WriteString(c, "0\r\n\r\n")
		_, _ = c.Read(make([]byte, 1))
	})
	u := dialed(t, "http://"+address, Options{})
	reply, err := u.Handle(t.Context(), newCall("GET"))
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 64<<10)
	for _, size := range []int{1, 10, 5000, bufferSize, 20000} {
		text := "data: " + strings.Repeat("x", size) + "\n\n"
		next <- text
		if _, err := io.ReadFull(reply.Body, p[:len(text)]); err != nil || string(p[:len(text)]) != text {
			t.Fatalf("size %d: %v", size, err)
		}
	}
	close(next)
	if n, err := reply.Body.Read(p); n != 0 || err != io.EOF {
		t.Errorf("got %d bytes, %v", n, err)
	}
	if _, idle := count(u); idle != 1 {
		t.Error("the connection is not free when the body has ended")
	}
	reply.Close()
}

// A thousand calls at once, many of them broken off, leave no connection behind.
func TestCrowd(t *testing.T) {
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}))
	defer ts.Close()
	u := dialed(t, ts.URL, Options{})
	failed := make(chan error, 20)
	for i := range cap(failed) {
		go func() {
			var err error
			for j := 0; j < 50 && err == nil; j++ {
				text := strings.Repeat(string(rune('a'+(i+j)%26)), 1+(i*j*977)%(3*together))
				call := newCall("POST")
				if j%2 == 0 {
					call.Body.Bytes = []byte(text)
				} else {
					call.Body = gateway.Body{Reader: strings.NewReader(text), Length: -1}
				}
				var reply *gateway.Reply
				if reply, err = u.Handle(t.Context(), call); err != nil {
					break
				}
				if j%5 > 0 {
					var body []byte
					if body, err = io.ReadAll(reply.Body); err == nil && string(body) != text {
						err = errors.New("another body came back")
					}
				}
				reply.Close()
			}
			failed <- err
		}()
	}
	for range cap(failed) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if open, idle := count(u); open != idle || open == 0 {
		t.Errorf("%d connections are open, %d wait", open, idle)
	}
}
