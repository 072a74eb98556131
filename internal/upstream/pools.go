package upstream

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options say how connections are made and kept. The zero value is what the
// program uses.
type Options struct {
	// Dial makes a connection; by default as net.Dialer does. Tests put pipes here.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	TLS  *tls.Config // by default TLS 1.2 at least, and the system's roots
	// Proxy gives the proxy for an address; nil, or a nil URL, is none. It is asked when an upstream is opened.
	Proxy func(*url.URL) (*url.URL, error)

	IdlePerEndpoint int           // connections kept for later; by default 1024
	IdleTimeout     time.Duration // how long they are kept; by default 90s
	DialTimeout     time.Duration // where an attempt sets no other; by default 10s
	MaxHead         int           // bytes of a reply's head; by default 64 KiB
}

func (o Options) withDefaults() Options {
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.TLS == nil {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(256)}
	}
	o.IdlePerEndpoint = cmp.Or(o.IdlePerEndpoint, 1024)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, 90*time.Second)
	o.DialTimeout = cmp.Or(o.DialTimeout, 10*time.Second)
	o.MaxHead = cmp.Or(o.MaxHead, 64<<10)
	return o
}

// Pools holds the connections of the process. Upstreams of several generations
// lease them: one whose servers did not change in a reload keeps its connections
// and what is known of its servers' health.
type Pools struct {
	options  Options
	requests sync.Pool // buffers to write from

	mu     sync.Mutex
	leased map[string]*pool
	closed bool
}

// NewPools returns an empty registry.
func NewPools(options Options) *Pools {
	return &Pools{options: options.withDefaults(), leased: map[string]*pool{}}
}

// pool is the servers of an upstream, with their connections and health.
type pool struct {
	key       string
	endpoints []*endpoint
	health    Health
	next      atomic.Uint32

	// Guarded by Pools.mu.
	leases  int
	benches map[[sha256.Size]byte]*atomic.Int64 // of keys, by their hash
}

// Open leases the connections to an upstream's servers. Close gives them back.
func (p *Pools) Open(name string, settings Settings) (*Upstream, error) {
	urls := settings.Endpoints
	if len(urls) == 0 {
		urls = []string{settings.URL}
	}
	// Keys and the like are not in here: a rotated key costs no connection.
	key := fmt.Sprintf("%q %v %q %q %q", urls, settings.Health, settings.Proxy.Address.Reveal(), settings.TLS.CA.Text(), settings.TLS.ServerName)

	p.mu.Lock()
	defer p.mu.Unlock()
	shared, ok := p.leased[key]
	if !ok {
		shared = &pool{key: key, health: settings.Health}
		for _, address := range urls {
			e, err := newEndpoint(address, settings, &p.options)
			if err != nil {
				return nil, fmt.Errorf("upstream %s: %w", name, err)
			}
			e.closed = p.closed
			shared.endpoints = append(shared.endpoints, e)
		}
		p.leased[key] = shared
	}
	shared.leases++
	return &Upstream{
		name:  name,
		keys:  shared.ring(settings),
		pools: p,
		pool:  shared,
		model: settings.Dialect != "",
	}, nil
}

// release ends a lease. The last one closes what is idle; connections under way
// end with their calls.
func (p *Pools) release(shared *pool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	shared.leases--
	if shared.leases > 0 {
		return
	}
	if p.leased[shared.key] == shared {
		delete(p.leased, shared.key)
	}
	for _, e := range shared.endpoints {
		e.shut()
	}
}

// Close closes what is idle, whoever leases it, and keeps no connection from
// then on. Calls under way end as they would have.
func (p *Pools) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, shared := range p.leased {
		for _, e := range shared.endpoints {
			e.shut()
		}
	}
}

// Stat counts the connections to one origin.
type Stat struct {
	Origin string // such as "http://orders-a:8080"
	Open   int    // in use and idle
	Idle   int
}

// Stats counts the connections of all upstreams, by origin.
func (p *Pools) Stats() []Stat {
	p.mu.Lock()
	defer p.mu.Unlock()
	sums := map[string]Stat{}
	for _, shared := range p.leased {
		for _, e := range shared.endpoints {
			sum := sums[e.origin]
			open, idle := e.count()
			sums[e.origin] = Stat{e.origin, sum.Open + open, sum.Idle + idle}
		}
	}
	var all []Stat
	for _, sum := range sums {
		all = append(all, sum)
	}
	slices.SortFunc(all, func(a, b Stat) int { return cmp.Compare(a.Origin, b.Origin) })
	return all
}

// pick returns the next endpoint that is in. If none is, it returns the next
// one anyway: a doubtful answer is better than a certain refusal.
func (p *pool) pick() *endpoint {
	n := uint32(len(p.endpoints))
	turn := p.next.Add(1) - 1
	for i := range n {
		if e := p.endpoints[(turn+i)%n]; e.in() {
			return e
		}
	}
	return p.endpoints[turn%n]
}
