//go:build prove

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// edition is a configuration with a text of its own: other routes, other keys,
// other origins each time, and what the load needs.
func edition(i int, listen string, origins [2]string) string {
	key := sha256.Sum256(fmt.Appendf(nil, "key %d", i))
	var b strings.Builder
	b.WriteString(listen)
	fmt.Fprintf(&b, "upstreams:\n  m: {url: %q, dialect: openai, default: true}\n", origins[i/2%2])
	if i%3 == 0 {
		fmt.Fprintf(&b, "  orders: {endpoints: [%q, %q]}\n", origins[0], origins[1])
	} else {
		fmt.Fprintf(&b, "  orders: {url: %q}\n", origins[i%2])
	}
	fmt.Fprintf(&b, "models: {smart: {targets: [{upstream: m, model: \"m%d\"}]}}\n", i)
	fmt.Fprintf(&b, "keys:\n  - {name: load, sha256: %x}\n  - {name: other%d, sha256: %x}\n", sha256.Sum256([]byte("load")), i, key)
	fmt.Fprintf(&b, "routes:\n  - {name: orders, prefix: /orders, targets: [{upstream: orders}]}\n")
	for n := range i % 5 {
		fmt.Fprintf(&b, "  - {name: r%d, path: \"/r%d/{id}\", targets: [{upstream: orders}]}\n", n, i+n)
	}
	return b.String()
}

// broken are the ways in which every other file is broken.
var broken = []string{
	"routes: [{name: a, path: /a, targets: [{upstream: nowhere}]}]\n", "keys: [\n", "\tlimits: {}\n", "limits: {head: 0}\n",
	"upstreams: {m: {url: \"http://127.0.0.1:1\", keys: [\"${NOT_SET}\"]}}\n", "nonsense: true\n",
	"upstreams: {m: {url: \"ftp://a\"}}\n", "models: {x: {targets: []}}\n", "---\na: b\n---\nc: d\n", "\x00\xff",
}

// TestProveReload: 1000 reloads under load, half of them of broken files.
func TestProveReload(t *testing.T) {
	const reloads, rate = 1000, 250
	models := [2]*model{newModel(t), newModel(t)}
	origins := [2]string{models[0].url, models[1].url}
	socket := t.TempDir() + "/control.sock"
	listen := "listen: {control: \"unix://" + socket + "\"}\n"
	last := edition(0, listen, origins)
	p := spawn(t, last)
	control := unixClient(socket)

	var load tally
	pool := &client{address: p.data}
	stop, over := make(chan struct{}), make(chan struct{})
	key := "Authorization: Bearer load\r\n"
	asks := []string{
		question("/v1/chat/completions", askShort, key),
		question("/v1/chat/completions", strings.ReplaceAll(askShort, "any", "smart"), key),
		question("/orders/7", askShort, key),
		question("/v1/chat/completions", fmt.Sprintf(askPart, "length=300ms"), key),
	}
	go func() {
		defer close(over)
		load.drive(rate, stop, func(i int) error {
			kind := i % 3
			if i%10 == 9 {
				kind = 3
			}
			return pool.call(asks[kind], map[bool]string{true: "data: [DONE]", false: `"chat.completion"`}[kind == 3])
		})
	}()
	time.Sleep(2 * time.Second)
	goroutines, descriptors, memory := int(p.metric("go_goroutine_count", "")), p.descriptors(), 0.0

	wrong := map[string]int{}
	began := time.Now()
	for i := 1; i <= reloads; i++ {
		text, status := edition(i, listen, origins), http.StatusOK
		if i%2 == 0 {
			text, status = listen+broken[i/2%len(broken)]+fmt.Sprintf("# %d\n", i), http.StatusUnprocessableEntity
		} else {
			last = text
		}
		write(t, p.path, text)
		response, err := control.Post("http://spanway/reload", "", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != status {
			wrong[fmt.Sprintf("%d, not %d", response.StatusCode, status)]++
		}
		sum := sha256.Sum256([]byte(last))
		if ready := p.get(p.probe, "/readyz?verbose").body; !strings.Contains(ready, hex.EncodeToString(sum[:])[:12]) {
			wrong["the last good one is not in force"]++
		}
		if i == reloads/4 {
			memory = p.rss()
		}
		time.Sleep(length(25*time.Millisecond, 5*time.Millisecond))
	}
	took := time.Since(began)
	grown := p.rss() - memory
	time.Sleep(time.Second) // the same load, after the reloads
	goroutinesThen, descriptorsThen := p.settled(goroutines+goroutines/4+10, descriptors+descriptors/4+10)
	conns := [2]int64{models[0].open.Load(), models[1].open.Load()}
	close(stop)
	<-over
	pool.close()

	// One origin is left: the other's connections must go.
	write(t, p.path, strings.ReplaceAll(edition(1, listen, origins), origins[1], origins[0]))
	if response, err := control.Post("http://spanway/reload", "", http.NoBody); err == nil {
		_ = response.Body.Close()
	}
	idle := func() bool { return models[1].open.Load() == 0 }
	for late := time.Now().Add(patience); !idle() && time.Now().Before(late); {
		time.Sleep(20 * time.Millisecond)
	}
	provef(t, load.failed() == 0 && load.calls > rate, "1000 reloads lose no call", "%d of %d calls at %d/s, %d reloads in %s, p99 %s%s",
		load.failed(), load.calls, rate, reloads, took.Round(100*time.Millisecond), load.quantile(.99), load.why())
	provef(t, len(wrong) == 0, "broken files change nothing", "%d of %d were broken, wrong: %v", reloads/2, reloads, wrong)
	provef(t, goroutinesThen <= goroutines+goroutines/4+10 && descriptorsThen <= descriptors+descriptors/4+10, "goroutines and descriptors do not grow",
		"%d and %d before, %d and %d after", goroutines, descriptors, goroutinesThen, descriptorsThen)
	provef(t, conns[0] < 150 && conns[1] < 150 && idle(), "pools do not grow", "%d and %d connections to the two origins under load, %d to the one that was dropped",
		conns[0], conns[1], models[1].open.Load())
	provef(t, grown < 16, "memory does not grow", "%.1f MiB after a quarter of the reloads, %+.1f after all", memory, grown)
}
