package telemetry

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	logQueueBytes = 1 << 20               // lines that wait to be written
	logQueuePause = 25 * time.Millisecond // between two writes, so that lines under load share one
)

// LogQueue writes lines to w from a goroutine of its own, so that a pipe whose
// reader has stopped makes no request wait. What does not fit is dropped and
// counted.
type LogQueue struct {
	w       io.Writer
	wake    chan struct{}
	done    chan struct{}
	dropped atomic.Int64

	mu     sync.Mutex
	lines  []byte
	closed bool
}

// NewLogQueue returns a queue in front of w. Close it to have its last lines
// written.
func NewLogQueue(w io.Writer) *LogQueue {
	q := &LogQueue{w: w, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go q.run()
	return q
}

// Write implements io.Writer. It never blocks and never fails.
func (q *LogQueue) Write(line []byte) (int, error) {
	q.mu.Lock()
	if q.closed || len(q.lines)+len(line) > logQueueBytes {
		q.mu.Unlock()
		q.dropped.Add(1)
		return len(line), nil
	}
	defer q.mu.Unlock()
	q.lines = append(q.lines, line...)
	if len(q.lines) == len(line) {
		select {
		case q.wake <- struct{}{}:
		default: // it is awake already
		}
	}
	return len(line), nil
}

// Dropped returns how many lines did not fit.
func (q *LogQueue) Dropped() int64 { return q.dropped.Load() }

// Close writes what is left, for at most the time given. Lines that come later
// are dropped.
func (q *LogQueue) Close(within time.Duration) {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.wake)
	}
	q.mu.Unlock()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-q.done:
	case <-timer.C:
	}
}

func (q *LogQueue) run() {
	defer close(q.done)
	var spare []byte
	for range q.wake {
		spare = q.flush(spare)
		time.Sleep(logQueuePause)
	}
	q.flush(spare)
}

// flush writes the lines that wait, and returns a buffer for the next ones.
func (q *LogQueue) flush(spare []byte) []byte {
	q.mu.Lock()
	lines := q.lines
	q.lines = spare[:0]
	q.mu.Unlock()
	if len(lines) > 0 {
		_, _ = q.w.Write(lines) // a log that cannot be written can be told to nobody
	}
	return lines
}
