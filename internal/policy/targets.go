package policy

import (
	"fmt"
	"sync"

	"github.com/spanway/spanway/internal/gateway"
)

// maxTargets bounds what is kept of targets. Configured ones are few; models that
// pass through have names that callers make up.
const maxTargets = 1000

// targets keeps what a policy has learned of each target. It belongs to the
// process: a reload that changes neither a target nor the policy's settings finds
// it as it was. Its zero value is empty.
type targets[T any] struct {
	mu    sync.Mutex
	known map[string]T
}

// of returns what is known of a target under these settings, and begins where
// nothing is. Where there is no room one is forgotten, whichever: who holds
// it goes on using it.
func (t *targets[T]) of(target *gateway.Target, settings any, begin func() T) T {
	key := fmt.Sprintf("%q %q %+v", target.Upstream, target.Model, settings)
	t.mu.Lock()
	defer t.mu.Unlock()
	if state, ok := t.known[key]; ok {
		return state
	}
	if t.known == nil {
		t.known = map[string]T{}
	}
	if len(t.known) >= maxTargets {
		for other := range t.known {
			delete(t.known, other)
			break
		}
	}
	state := begin()
	t.known[key] = state
	return state
}

// all returns what is known of every target.
func (t *targets[T]) all() []T {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]T, 0, len(t.known))
	for _, state := range t.known {
		list = append(list, state)
	}
	return list
}
