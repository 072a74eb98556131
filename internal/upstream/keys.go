package upstream

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/spanway/spanway/internal/gateway"
)

// How long a key that fails is left out.
const (
	benchLong    = 10 * time.Minute // it is not taken, or not paid for: somebody has to do something
	benchDefault = 10 * time.Second // too much was asked with it, and until when was not said
)

// key is one of the keys of an upstream.
type key struct {
	id         string // first 8 hex digits of its SHA-256
	authorizer Authorizer
	bench      *atomic.Int64 // until when it is left out, in Unix nanoseconds; shared by generations
}

// keyring takes the keys in turn, and leaves out those that fail.
type keyring struct {
	keys  []key
	next  atomic.Uint32
	model bool // of a provider, whose 403 is about the key and not about what was asked for
}

// ring makes the keyring of an upstream. What is known of a key stays with the
// pool, so a reload does not send what is benched back in.
func (p *pool) ring(settings Settings) *keyring {
	r := &keyring{model: settings.Dialect != ""}
	known := map[[sha256.Size]byte]*atomic.Int64{}
	for _, secret := range settings.Keys {
		sum := sha256.Sum256([]byte(secret.Reveal()))
		bench := p.benches[sum]
		if bench == nil {
			bench = new(atomic.Int64)
		}
		known[sum] = bench
		r.keys = append(r.keys, key{hex.EncodeToString(sum[:4]), settings.authorizer(secret), bench})
	}
	for sum, bench := range p.benches { // of another upstream with the same servers, or of a key that may come back
		if time.Now().UnixNano() < bench.Load() {
			known[sum] = bench
		}
	}
	p.benches = known
	return r
}

// pick returns the next key that is in. If none is, it returns the one that will
// be first: a doubtful answer is better than a certain refusal, and says what is
// wrong in the provider's own words. It is nil where there are no keys.
func (r *keyring) pick() *key {
	switch len(r.keys) {
	case 0:
		return nil
	case 1:
		return &r.keys[0]
	}
	n := uint32(len(r.keys))
	turn := r.next.Add(1) - 1
	now := time.Now().UnixNano()
	first := &r.keys[turn%n]
	for i := range n {
		k := &r.keys[(turn+i)%n]
		if k.bench.Load() <= now {
			return k
		}
		if k.bench.Load() < first.bench.Load() {
			first = k
		}
	}
	return first
}

// several reports whether there is a choice. What has but one key benches none.
func (r *keyring) several() bool { return len(r.keys) > 1 }

// other reports whether any key but this one is in.
func (r *keyring) other(than *key) bool {
	now := time.Now().UnixNano()
	for i := range r.keys {
		if k := &r.keys[i]; k != than && k.bench.Load() <= now {
			return true
		}
	}
	return false
}

// watch benches a key for what its provider answers. It waits for the reply's
// end: by then somebody who can read it may have said what kind of failure it is,
// also of one that came with status 200.
func (r *keyring) watch(call *gateway.Call, k *key, reply *gateway.Reply) {
	if reply.Status == http.StatusForbidden && !r.model {
		return
	}
	reply.OnDone(func(reply *gateway.Reply) {
		switch failure := gateway.FailureOf(reply, nil); failure {
		case gateway.FailAuth, gateway.FailBilling:
			r.leaveOut(call, k, failure, benchLong)
		case gateway.FailRateLimited:
			wait, asked := gateway.RetryAfter(reply.Header, time.Now())
			if !asked {
				wait = benchDefault
			}
			r.leaveOut(call, k, failure, min(wait, benchLong))
		}
	})
}

// leaveOut benches a key, unless it is benched for longer already.
func (r *keyring) leaveOut(call *gateway.Call, k *key, why gateway.Failure, wait time.Duration) {
	until := time.Now().Add(wait).UnixNano()
	for {
		before := k.bench.Load()
		if wait <= 0 || before >= until {
			return
		}
		if k.bench.CompareAndSwap(before, until) {
			break
		}
	}
	call.Note("key", "benched", gateway.Fact{Key: "key", Value: k.id}, gateway.Fact{Key: "why", Value: string(why)},
		gateway.Fact{Key: "for", Value: wait.Round(time.Millisecond).String()})
}
