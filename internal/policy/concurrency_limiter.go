package policy

import (
	"math"
	"slices"
	"sync"
	"time"
)

// limiter counts the attempts under way at one target.
type limiter struct {
	settings Concurrency

	mu      sync.Mutex
	used    int
	waiting []chan struct{} // in order; each is closed when it has got a place
	limit   float64         // what used may become
	usual   float64         // seconds that replies take while there is room
	samples int             // so many have been learned
	learned time.Time       // the last of them
}

func newLimiter(settings Concurrency) *limiter {
	l := &limiter{settings: settings, limit: float64(settings.Max)}
	if settings.Adaptive {
		l.limit = min(max(float64(settings.Min), adaptiveStart), float64(settings.Max))
	}
	return l
}

// How the adaptive limit moves. A target that is not loaded answers each of a few
// more attempts as fast as before; where replies begin to take longer than they
// usually do, the attempts wait there for each other, and fewer do no worse. As
// many replies as the limit is move it all the way: by its square root up, or by
// up to a half down.
//
// What is usual is learned while the target has room, or else a crowd would soon
// pass for usual; only one of many minutes does.
const (
	adaptiveStart = 20
	tolerance     = 2.0              // so many times the usual is not longer
	usualWeight   = 1.0 / 100        // of one sample, in what is usual
	crowdTime     = 10 * time.Minute // in which a crowd becomes usual
	overloadCost  = 2                // places that the limit loses for each refusal
)

// take takes a place, or a place in the queue, or neither.
func (l *limiter) take() (place bool, waits chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.used < int(l.limit) && len(l.waiting) == 0 {
		l.used++
		return true, nil
	}
	if len(l.waiting) >= l.settings.Queue {
		return false, nil
	}
	waits = make(chan struct{})
	l.waiting = append(l.waiting, waits)
	return false, waits
}

// gone takes a waiter out of the queue, and reports false if a place has come to
// it already.
func (l *limiter) gone(waits chan struct{}) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.waiting, waits)
	if i < 0 {
		return false
	}
	l.waiting = slices.Delete(l.waiting, i, i+1)
	return true
}

// leave gives a place back, and learns from how long the reply took.
func (l *limiter) leave(took time.Duration, kind sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.settings.Adaptive {
		l.learn(took.Seconds(), kind)
	}
	l.used--
	for len(l.waiting) > 0 && l.used < int(l.limit) {
		close(l.waiting[0])
		l.waiting = slices.Delete(l.waiting, 0, 1)
		l.used++
	}
}

func (l *limiter) learn(took float64, kind sample) {
	switch kind {
	case overload:
		l.set(l.limit - overloadCost)
	case fine:
		now := time.Now()
		weight := usualWeight
		crowded := 2*l.used >= int(l.limit)
		if l.samples < adaptiveStart {
			l.samples++
			weight = 1 / float64(l.samples)
		} else if crowded {
			weight = min(float64(now.Sub(l.learned))/float64(crowdTime), 1)
		}
		l.learned = now
		l.usual += (took - l.usual) * weight
		if !crowded {
			return // the limit bounds nothing now, and nothing is learned of it
		}
		gradient := 1.0
		if took > 0 {
			gradient = min(max(tolerance*l.usual/took, 0.5), 1)
		}
		l.set(l.limit + gradient - 1 + 1/math.Sqrt(l.limit))
	}
}

func (l *limiter) set(limit float64) {
	l.limit = min(max(limit, float64(l.settings.Min)), float64(l.settings.Max))
}
