package server

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spanway/spanway/internal/check"
)

// Check reports what is wrong with the settings.
func (l Listen) Check(p check.Problems) {
	checkAddress(p, "data", l.Data, true)
	checkAddress(p, "probe", l.Probe, false)
	if l.Control != "" && checkAddress(p, "control", l.Control, true) && !strings.HasPrefix(l.Control, "unix:") {
		if !Local(l.Control) {
			p.Addf("control", "must be unix:///path or on loopback, is %q", l.Control)
		} else if l.Token.Empty() {
			p.Addf("", "must have a token, because control is no unix socket")
		}
	}
	taken := map[string]string{}
	for _, listener := range []struct{ field, address string }{
		{"data", l.Data}, {"probe", l.Probe}, {"control", l.Control},
	} {
		if listener.address == "" || strings.HasSuffix(listener.address, ":0") {
			continue
		}
		if other, ok := taken[listener.address]; ok {
			p.Addf(listener.field, "is the same address as listen.%s", other)
		}
		taken[listener.address] = listener.field
	}
}

// longestSocket is what Linux takes for the path of a unix socket.
const longestSocket = 107

// checkAddress reports whether the address is well formed.
func checkAddress(p check.Problems, field, address string, unix bool) bool {
	if path, ok := strings.CutPrefix(address, "unix:"); ok && unix {
		path, slashes := strings.CutPrefix(path, "//")
		if !slashes || !strings.HasPrefix(path, "/") || path == "/" {
			p.Addf(field, "must be unix:///path with an absolute path, is %q", address)
			return false
		}
		if len(path) > longestSocket {
			p.Addf(field, "must be at most 107 bytes of path, is %d", len(path))
			return false
		}
		return true
	}
	host, port, err := net.SplitHostPort(address)
	_, numErr := strconv.ParseUint(port, 10, 16)
	if err != nil || numErr != nil || strings.ContainsAny(host, "/ \t") {
		if unix {
			p.Addf(field, "must be host:port or unix:///path, is %q", address)
		} else {
			p.Addf(field, "must be host:port, is %q", address)
		}
		return false
	}
	return true
}

// Local reports whether only this machine can reach a listen address: a unix
// socket, or one on loopback. A name other than localhost is not looked up.
func Local(address string) bool {
	if strings.HasPrefix(address, "unix:") {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// Check reports what is wrong with the settings. The bounds keep typing errors
// out, not tastes.
func (l Limits) Check(p check.Problems) {
	if l.Body < 1 || l.Body > 4<<30 {
		p.Addf("body", "must be between 1B and 4GiB, is %s", l.Body)
	}
	if l.Upload < l.Body || l.Upload > 1<<40 {
		p.Addf("upload", "must be between limits.body (%s) and 1TiB, is %s", l.Body, l.Upload)
	}
	if l.Head < 1<<10 || l.Head > 1<<20 {
		p.Addf("head", "must be between 1KiB and 1MiB, is %s", l.Head)
	}
	if l.URI < 64 || l.URI > l.Head {
		p.Addf("uri", "must be between 64B and limits.head (%s), is %s", l.Head, l.URI)
	}
	if l.Headers < 4 || l.Headers > 10000 {
		p.Addf("headers", "must be between 4 and 10000, is %d", l.Headers)
	}
	if l.Buffered < l.Body {
		p.Addf("buffered", "must be at least limits.body (%s), is %s", l.Body, l.Buffered)
	}
	if l.Connections < 1 || l.Connections > 1_000_000 {
		p.Addf("connections", "must be between 1 and 1000000, is %d", l.Connections)
	}
}

// Check reports what is wrong with the settings.
func (d Drain) Check(p check.Problems) {
	for _, wait := range []struct {
		field string
		value time.Duration
	}{{"notice", d.Notice}, {"calls", d.Calls}, {"flush", d.Flush}} {
		if wait.value < 0 || wait.value > time.Hour {
			p.Addf(wait.field, "must be between 0s and 1h, is %s", wait.value)
		}
	}
}
