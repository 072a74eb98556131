package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/gateway"
)

func proxied(address string) Proxy { return Proxy{check.NewSecret(address)} }

// dialled notes which addresses are asked for.
type dialled struct {
	server
	addresses []string
}

func (d *dialled) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.addresses = append(d.addresses, address)
	return d.server.dial(ctx, network, address)
}

func TestAProxyIsAskedInTheWayOfTheAddress(t *testing.T) {
	environment := EnvironmentProxy(func(name string) string {
		return map[string]string{"HTTP_PROXY": "http://env:3128", "https_proxy": "http://env-tls:3128", "NO_PROXY": "internal,10.0.0.0/8"}[name]
	})
	for _, test := range []struct {
		name     string
		settings Settings
		dialled  string
		request  string
	}{
		{
			"in the whole, for http", Settings{URL: "http://orders:8080/base", Proxy: proxied("http://proxy:3128")}, "proxy:3128",
			"GET http://orders:8080/base/v1/x HTTP/1.1\nHost: orders:8080",
		},
		{
			"with credentials of its own", Settings{URL: "http://orders", Proxy: proxied("http://us:pa%3Ass@proxy/")}, "proxy:80",
			"GET http://orders/v1/x HTTP/1.1\nHost: orders\nProxy-Authorization: Basic dXM6cGE6c3M=",
		},
		{"by CONNECT, for https", Settings{URL: "https://orders", Proxy: proxied("http://proxy:3128")}, "proxy:3128", "CONNECT orders:443 HTTP/1.1\nHost: orders:443"},
		{
			"by CONNECT with credentials", Settings{URL: "https://[2001:db8::1]:8443", Proxy: proxied("http://us:pass@proxy:3128")}, "proxy:3128",
			"CONNECT [2001:db8::1]:8443 HTTP/1.1\nHost: [2001:db8::1]:8443\nProxy-Authorization: Basic dXM6cGFzcw==",
		},
		{"of the environment", Settings{URL: "http://orders"}, "env:3128", "GET http://orders/v1/x HTTP/1.1\nHost: orders"},
		{"of the environment, for https", Settings{URL: "https://orders"}, "env-tls:3128", "CONNECT orders:443 HTTP/1.1\nHost: orders:443"},
		{"but not where the environment says so", Settings{URL: "http://orders.internal"}, "orders.internal:80", "GET /v1/x HTTP/1.1\nHost: orders.internal"},
		{"nor in a network that it leaves out", Settings{URL: "http://10.1.2.3"}, "10.1.2.3:80", "GET /v1/x HTTP/1.1\nHost: 10.1.2.3"},
		{"nor on this machine", Settings{URL: "http://127.0.0.1:8080"}, "127.0.0.1:8080", "GET /v1/x HTTP/1.1\nHost: 127.0.0.1:8080"},
		{"nor where the upstream says off", Settings{URL: "http://orders", Proxy: proxied("off")}, "orders:80", "GET /v1/x HTTP/1.1\nHost: orders"},
		{"nor to a socket", Settings{URL: "unix:///run/orders.sock"}, "/run/orders.sock", "GET /v1/x HTTP/1.1\nHost: localhost"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &dialled{server: server{play: saysAndCloses("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")}}
				u, err := New("orders", test.settings, Options{Dial: d.dial, Proxy: environment})
				if err != nil {
					t.Fatal(err)
				}
				defer u.Close()
				call := newCall("GET")
				reply, err := u.Handle(t.Context(), call)
				if err == nil {
					reply.Close()
				}
				synctest.Wait()
				if d.addresses[0] != test.dialled || d.requests[0] != test.request {
					t.Errorf("asked %s:\n%s\nwant %s:\n%s", d.addresses[0], d.requests[0], test.dialled, test.request)
				}
				if call.Attempt.ServerAddress != u.pool.endpoints[0].server {
					t.Errorf("the attempt names %q", call.Attempt.ServerAddress)
				}
			})
		})
	}
}

// What a proxy does wrong is an upstream that could not be reached, in time, and
// no word of it shows a credential.
func TestAProxyThatFails(t *testing.T) {
	silent := func(s *server, c net.Conn) { _, _ = io.Copy(io.Discard, c) }
	for _, test := range []struct {
		name, url string
		play      func(*server, net.Conn)
		code      gateway.Code
		cause     string
	}{
		{"it says nothing", "https://orders", silent, gateway.UpstreamTimeout, ""},
		{"it wants to know us", "https://orders", saysAndCloses("HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n"), gateway.UpstreamFailed, "407"},
		{"it wants to know us, for http", "http://orders", saysAndCloses("HTTP/1.1 407 Who\r\nContent-Length: 3\r\n\r\nsay"), gateway.UpstreamFailed, "407"},
		{"it refuses", "https://orders", saysAndCloses("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"), gateway.UpstreamFailed, "the proxy answered 403"},
		{"it closes", "https://orders", saysAndCloses(""), gateway.UpstreamFailed, "the proxy: "},
		{"it is no proxy", "https://orders", saysAndCloses("SSH-2.0-x\r\n\r\n"), gateway.UpstreamFailed, "the proxy: its status line"},
		{"it says too much", "https://orders", saysAndCloses("HTTP/1.1 200 OK\r\n\r\nmore"), gateway.UpstreamFailed, "said more"},
		{"it switches", "https://orders", saysAndCloses("HTTP/1.1 101 X\r\n\r\n"), gateway.UpstreamFailed, "the proxy answered 101"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{play: test.play}
				u := open(t, s, Settings{URL: test.url, Proxy: proxied("http://us:hidden@proxy:3128")})
				defer u.Close()
				call := newCall("GET")
				call.Attempt.Timeouts = gateway.Timeouts{Connect: time.Second, FirstToken: 5 * time.Second}
				start := time.Now()
				_, err := u.Handle(t.Context(), call)
				e := gateway.AsError(err)
				if e.Code != test.code || !strings.HasPrefix(e.Message, "orders could not be reached") || !strings.Contains(e.Error(), test.cause) {
					t.Errorf("got %v", e)
				}
				if strings.Contains(fmt.Sprintf("%+v", e), "hidden") || strings.Contains(e.Error(), "dXM6") {
					t.Errorf("shows the password: %v", e)
				}
				if took := time.Since(start); took != 0 && took != time.Second {
					t.Errorf("it took %s", took)
				}
				if open, _ := count(u); open != 0 {
					t.Errorf("%d connections are open", open)
				}
			})
		})
	}
}

func TestAnAddressOfAProxyThatMakesNoSenseIsRefusedUnseen(t *testing.T) {
	for _, address := range []string{"socks5://hidden@proxy", "http://hidden@", "http://us:hidden@proxy/path", "http://us:hidden@proxy:x", "proxy:3128", "http://proxy?hidden"} {
		problems := check.New()
		proxied(address).Check(problems)
		if all := problems.All(); len(all) != 1 || strings.Contains(all[0].Text, "hidden") {
			t.Errorf("%s: %+v", address, all)
		}
		_, err := New("orders", Settings{URL: "http://orders", Proxy: proxied(address)}, Options{})
		if err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", address, err)
		}
	}
	broken := Options{Proxy: func(*url.URL) (*url.URL, error) { return nil, errors.New("http://us:hidden@ is no URL") }}
	if _, err := New("orders", Settings{URL: "http://orders"}, broken); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("of the environment: %v", err)
	}
	shown, _ := proxied("http://us:hidden@proxy:3128").MarshalText()
	if string(shown) != "http://***@proxy:3128" || strings.Contains(fmt.Sprintf("%+v %#v", Settings{Proxy: proxied("http://us:hidden@proxy")}, proxied("http://us:hidden@proxy")), "hidden") {
		t.Errorf("shown as %s", shown)
	}
}

// forward is a proxy that does what it is asked: it copies, both ways.
func forward(t *testing.T, secure *tls.Config) (address string) {
	return listen(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		if secure != nil {
			c = tls.Server(c, secure)
		}
		r := bufio.NewReader(c)
		req, err := http.ReadRequest(r)
		if err != nil || req.Method != http.MethodConnect {
			return
		}
		_, port, _ := net.SplitHostPort(req.Host)
		to, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			return
		}
		defer to.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(to, r) }()
		_, _ = io.Copy(c, to)
	})
}

// Through a tunnel, and with issuers and a name of the upstream's own, TLS is
// spoken with the upstream; without them it is refused.
func TestTLSThroughATunnelWithIssuersOfItsOwn(t *testing.T) {
	ts := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) }))
	ts.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail on purpose
	ts.StartTLS()
	defer ts.Close()
	ca := check.NewFile("/ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ts.Certificate().Raw})))
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(ts.URL, "https://"))
	pools := NewPools(Options{})
	defer pools.Close()
	open, secret := forward(t, nil), forward(t, &tls.Config{Certificates: ts.TLS.Certificates})
	for _, test := range []struct {
		name     string
		settings Settings
		ok       bool
	}{
		{"without issuers", Settings{URL: ts.URL}, false},
		{"with issuers", Settings{URL: ts.URL, TLS: TLS{CA: ca}}, true},
		{"without issuers again, though a session could be taken up", Settings{URL: ts.URL}, false},
		{"another's name", Settings{URL: "https://localhost:" + port, TLS: TLS{CA: ca}}, false},
		{"the name that it has", Settings{URL: "https://localhost:" + port, TLS: TLS{CA: ca, ServerName: "example.com"}}, true},
		{"through a tunnel", Settings{URL: ts.URL, TLS: TLS{CA: ca}, Proxy: proxied("http://us:pass@" + open)}, true},
		{"through a tunnel, whose proxy speaks TLS", Settings{URL: ts.URL, TLS: TLS{CA: ca}, Proxy: proxied("https://" + secret)}, true},
		{"through a tunnel, without issuers", Settings{URL: ts.URL, Proxy: proxied("http://" + open)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			u, err := pools.Open("orders", test.settings)
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
			for i := range 2 {
				call := newCall("GET")
				reply, err := u.Handle(t.Context(), call)
				if (err == nil) != test.ok {
					t.Fatalf("got %v", err)
				}
				if err != nil {
					return
				}
				if body, err := io.ReadAll(reply.Body); err != nil || !strings.HasSuffix(string(body), ":"+port) {
					t.Errorf("got %q, %v", body, err)
				}
				reply.Close()
				if call.Attempt.Reused != (i > 0) {
					t.Errorf("call %d: the attempt is %+v", i, call.Attempt)
				}
			}
		})
	}
}
