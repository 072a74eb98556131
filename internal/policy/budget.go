package policy

import (
	"sync"
	"time"
)

// Budgets bounds how much retries may add to what targets have to bear. They live
// as long as the process: a reload does not forget what a target has had.
type Budgets struct{ targets[*budget] }

// budgetSeconds is how far back a budget looks.
const budgetSeconds = 10

// budget counts the calls to a target and their retries, second by second.
type budget struct {
	mu      sync.Mutex
	seconds [budgetSeconds]tally
}

// tally is what happened in one second.
type tally struct {
	at             int64 // Unix seconds
	calls, retries int
}

// called counts a call.
func (b *budget) called(now time.Time) {
	b.mu.Lock()
	b.second(now.Unix()).calls++
	b.mu.Unlock()
}

// take counts a retry, unless there have been too many.
func (b *budget) take(r *Retry, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	calls, retries := 0, 0
	for _, s := range b.seconds {
		if s.at > now.Unix()-budgetSeconds {
			calls += s.calls
			retries += s.retries
		}
	}
	if retries >= r.Floor+calls*r.Budget/100 {
		return false
	}
	b.second(now.Unix()).retries++
	return true
}

func (b *budget) second(at int64) *tally {
	s := &b.seconds[at%budgetSeconds]
	if s.at != at {
		*s = tally{at: at}
	}
	return s
}
