package upstream

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"

	"golang.org/x/net/http/httpproxy"

	"github.com/spanway/spanway/internal/check"
)

// Proxy is the address of an egress proxy, "off", or nothing. It may hold a
// password, so it shows itself without.
type Proxy struct{ Address check.Secret }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Proxy) UnmarshalText(text []byte) error {
	p.Address = check.NewSecret(string(text))
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (p Proxy) MarshalText() ([]byte, error) {
	text := p.Address.Reveal()
	if u, err := parseProxy(text); err == nil && u.User != nil {
		text = u.Scheme + "://***@" + u.Host
	} else if err != nil && text != "" && text != off {
		text = "***"
	}
	return []byte(text), nil
}

// off says that there is no proxy, whatever the environment says.
const off = "off"

// Check reports what is wrong with the setting. It never shows it.
func (p Proxy) Check(problems check.Problems) {
	if text := p.Address.Reveal(); text != "" && text != off {
		if _, err := parseProxy(text); err != nil {
			problems.Addf("", "must be http:// or https:// and a host, such as http://proxy:3128, or off")
		}
	}
}

func parseProxy(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("its address is no URL") // and may hold a password, so it is not repeated
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("its address must be http:// or https:// and a host")
	}
	return u, nil
}

// EnvironmentProxy returns the proxy for an address, as HTTPS_PROXY, HTTP_PROXY
// and NO_PROXY say, in capitals or not; nil is none. It is none for this machine.
func EnvironmentProxy(getenv func(string) string) func(*url.URL) (*url.URL, error) {
	first := func(names ...string) string {
		for _, name := range names {
			if value := getenv(name); value != "" {
				return value
			}
		}
		return ""
	}
	settings := httpproxy.Config{
		HTTPProxy:  first("HTTP_PROXY", "http_proxy"),
		HTTPSProxy: first("HTTPS_PROXY", "https_proxy"),
		NoProxy:    first("NO_PROXY", "no_proxy"),
	}
	return settings.ProxyFunc()
}

// hop is the proxy in front of an endpoint.
type hop struct {
	address       string
	tls           *tls.Config // nil is cleartext
	authorization string      // of Proxy-Authorization; "" is none
}

// via finds the proxy of an endpoint: that of its settings, else that of the
// environment.
func (e *endpoint) via(target *url.URL, setting Proxy) error {
	var proxy *url.URL
	var err error
	switch text := setting.Address.Reveal(); {
	case text == off:
	case text != "":
		proxy, err = parseProxy(text)
	case e.options.Proxy != nil:
		if proxy, err = e.options.Proxy(target); err != nil {
			err = errors.New("the environment's address is no URL") // the library's error repeats it
		} else if proxy != nil {
			proxy, err = parseProxy(proxy.String())
		}
	}
	if err != nil {
		return fmt.Errorf("the proxy: %w", err)
	}
	if proxy == nil {
		return nil
	}
	e.hop = &hop{}
	port := "80"
	if proxy.Scheme == "https" {
		port = "443"
		e.hop.tls = e.secure(proxy.Hostname())
	}
	if own := proxy.Port(); own != "" {
		port = own
	}
	e.hop.address = net.JoinHostPort(proxy.Hostname(), port)
	if user := proxy.User; user != nil {
		password, _ := user.Password()
		e.hop.authorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
	}
	if e.tls == nil {
		e.absolute = "http://" + e.authority
	}
	return nil
}

// errProxy is what a proxy that wants to know us better makes of a call.
var errProxy = errors.New("the proxy answered 407: it does not take our credentials")

// tunnel asks the proxy for a connection to the endpoint, to speak TLS on.
func (e *endpoint) tunnel(ctx context.Context, to net.Conn) error {
	c := &conn{Conn: to, home: e, buf: make([]byte, 1<<10)}
	stop := context.AfterFunc(ctx, c.interrupt)
	err := e.connectBy(c)
	if !stop() {
		return ctx.Err()
	}
	return err
}

func (e *endpoint) connectBy(to *conn) error {
	request := appendField([]byte("CONNECT "+e.address+" HTTP/1.1\r\n"), "Host", e.address)
	if e.hop.authorization != "" {
		request = appendField(request, "Proxy-Authorization", e.hop.authorization)
	}
	if _, err := to.Write(append(request, "\r\n"...)); err != nil {
		return fmt.Errorf("the proxy: %w", err)
	}
	raw, err := to.head(e.options.MaxHead)
	if err != nil {
		return fmt.Errorf("the proxy: %w", err)
	}
	answer, err := parseHead(raw)
	switch {
	case err != nil:
		return fmt.Errorf("the proxy: %w", err)
	case answer.status == 407:
		return errProxy
	case answer.status/100 != 2:
		return fmt.Errorf("the proxy answered %d", answer.status)
	case len(to.unread()) > 0: // the endpoint has not been spoken to, so it cannot be its
		return errors.New("the proxy said more than it was asked")
	}
	return nil
}
