package policy

import (
	"slices"
	"sync"
	"time"
)

// pace is what is known of how fast a target begins its replies, and how many
// more calls may be sent to it twice.
type pace struct {
	mu     sync.Mutex
	recent [128]time.Duration // a ring
	seen   int
	slow   time.Duration // what 95 of 100 of them took; 0 while there are too few
	credit float64
}

const (
	fewest     = 20 // replies, before anything can be said
	recount    = 8  // replies between two counts
	mostCredit = 10 // second attempts that may come at once after a quiet time
)

// newPace knows nothing, and lets one call be sent twice.
func newPace() *pace { return &pace{credit: 1} }

// call counts a call, and returns after how long it is slow; 0 where that is not
// known.
func (p *pace) call(share float64) (after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.credit = min(p.credit+share, mostCredit)
	return p.slow
}

// spend takes the right to one second attempt, if there is one.
func (p *pace) spend() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.credit < 1 {
		return false
	}
	p.credit--
	return true
}

// took learns how long a reply took to begin.
func (p *pace) took(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recent[p.seen%len(p.recent)] = d
	p.seen++
	if p.seen < fewest || p.seen%recount != 0 && p.slow > 0 {
		return
	}
	sorted := p.recent // a copy
	list := sorted[:min(p.seen, len(sorted))]
	slices.Sort(list)
	p.slow = max(list[len(list)*95/100], 1)
}
