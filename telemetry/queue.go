package telemetry

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// exporter sends batches. The batch is the queue's again when export returns.
// export is never called twice at the same time.
type exporter interface {
	export(ctx context.Context, b *batch) (rejected int, err error)
	shutdown(ctx context.Context) error
}

// queueLimits bound a queue.
type queueLimits struct {
	spans, bytes int           // held in all, the batch on its way included
	batch        int           // spans of one export
	delay        time.Duration // how long a span waits for company
	timeout      time.Duration // of one export
}

// maxBatchBytes closes a batch early: a collector takes messages of 4 MiB by
// default.
const maxBatchBytes = 2 << 20

// Why a span did not get out.
const (
	reasonQueueFull = "queue_full"
	reasonFailed    = "export_failed"
	reasonRejected  = "rejected" // by the collector, in an answer that accepted others
	reasonShutdown  = "shutdown"
)

// drops counts lost spans by reason.
type drops struct{ queueFull, failed, rejected, shutdown atomic.Int64 }

func (d *drops) counts() map[string]int64 {
	return map[string]int64{
		reasonQueueFull: d.queueFull.Load(),
		reasonFailed:    d.failed.Load(),
		reasonRejected:  d.rejected.Load(),
		reasonShutdown:  d.shutdown.Load(),
	}
}

// queue takes encoded spans from requests and gives them, in batches, to an
// exporter on a goroutine of its own. add never waits for the exporter.
type queue struct {
	limits   queueLimits
	exporter exporter
	report   func(error) // told of each export's outcome
	drops    drops
	failing  atomic.Bool

	mu      sync.Mutex
	current *batch
	full    []*batch
	spans   int // in current, full and the one being exported
	bytes   int
	closed  bool
	left    bool // shutdown has gone, and counted what was there

	free      []*batch
	freeBytes int
	usual     int // bytes of a full batch, lately

	wake     chan struct{} // a batch is full, or the queue was closed
	done     chan struct{} // the goroutine has ended
	lifetime context.Context
	cancel   context.CancelFunc
}

func newQueue(limits queueLimits, e exporter, report func(error)) *queue {
	q := &queue{
		limits:   limits,
		exporter: e,
		report:   report,
		wake:     make(chan struct{}, 1),
		done:     make(chan struct{}),
	}
	q.lifetime, q.cancel = context.WithCancel(context.Background())
	go q.run()
	return q
}

// add implements [sink].
func (q *queue) add(s *scope, encoded []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		q.drops.shutdown.Add(1)
		return
	case q.spans >= q.limits.spans, q.bytes+len(encoded) > q.limits.bytes:
		q.drops.queueFull.Add(1)
		return
	}
	if q.current != nil && q.current.bytes+len(encoded) > maxBatchBytes {
		q.closeBatch()
	}
	if q.current == nil {
		q.current = q.newBatch()
	}
	n := q.current.add(s, encoded)
	q.spans++
	q.bytes += n
	if q.current.spans >= q.limits.batch {
		q.closeBatch()
	}
}

// closeBatch needs mu.
func (q *queue) closeBatch() {
	q.full = append(q.full, q.current)
	q.current = nil
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // it is awake already
	}
}

// maxFreeBytes bounds the batches that are kept to be filled again, so that a
// steady load allocates nothing. After a quiet while they are let go.
const maxFreeBytes = 4 << 20

// newBatch needs mu.
func (q *queue) newBatch() *batch {
	if n := len(q.free); n > 0 {
		b := q.free[n-1]
		q.free = q.free[:n-1]
		q.freeBytes -= b.capacity()
		return b
	}
	return &batch{parts: []part{{bytes: make([]byte, 0, q.usual)}}[:0]}
}

// recycle needs mu.
func (q *queue) recycle(b *batch) {
	if b.spans == q.limits.batch {
		q.usual = min(b.bytes+b.bytes/8, maxBatchBytes)
	}
	if size := b.capacity(); q.freeBytes+size <= maxFreeBytes {
		b.parts, b.spans, b.bytes = b.parts[:0], 0, 0
		q.free = append(q.free, b)
		q.freeBytes += size
	}
}

// run exports until the queue is closed and empty.
func (q *queue) run() {
	defer close(q.done)
	ticker := time.NewTicker(q.limits.delay)
	defer ticker.Stop()
	for {
		ripe := false
		select {
		case <-q.wake:
		case <-ticker.C:
			ripe = true
		}
		for {
			b, closed := q.next(ripe)
			if b == nil {
				if closed {
					return
				}
				break
			}
			q.send(b, closed)
		}
	}
}

// next takes the oldest batch: a full one, or the one under way if it is ripe
// or the queue is closed.
func (q *queue) next(ripe bool) (b *batch, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case len(q.full) > 0:
		b = q.full[0]
		q.full[0] = nil
		q.full = q.full[1:]
	case q.current != nil && (ripe || q.closed):
		b, q.current = q.current, nil
	case ripe:
		q.free, q.freeBytes = nil, 0
	}
	return b, q.closed
}

// hastyTimeout is what a collector that was failing gets at shutdown.
const hastyTimeout = time.Second

func (q *queue) send(b *batch, closing bool) {
	if q.lifetime.Err() != nil {
		q.settle(b, &q.drops.shutdown, b.spans)
		return
	}
	timeout := q.limits.timeout
	if closing && q.failing.Load() {
		timeout = min(timeout, hastyTimeout)
	}
	ctx, cancel := context.WithTimeout(q.lifetime, timeout)
	rejected, err := q.exporter.export(ctx, b)
	cancel()
	switch {
	case err == nil:
		q.settle(b, &q.drops.rejected, rejected)
	case q.lifetime.Err() != nil:
		q.settle(b, &q.drops.shutdown, b.spans)
	default:
		q.settle(b, &q.drops.failed, b.spans)
	}
	q.failing.Store(err != nil)
	q.report(err)
	if closing && err != nil {
		q.cancel() // the rest would fare no better, and somebody waits for us to exit
	}
}

// settle counts what a batch lost and gives back the room it had.
func (q *queue) settle(b *batch, lost *atomic.Int64, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.left {
		return
	}
	lost.Add(int64(n))
	q.spans -= b.spans
	q.bytes -= b.bytes
	q.recycle(b)
}

// patience is how long an exporter may outlast its context at shutdown.
const patience = 500 * time.Millisecond

// shutdown exports what is queued until ctx ends; what is left then is dropped
// and counted.
func (q *queue) shutdown(ctx context.Context) error {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
	select {
	case <-q.done:
	case <-ctx.Done():
		q.cancel()
		select {
		case <-q.done:
		case <-time.After(patience): // a terminal that takes no more, say
			q.mu.Lock()
			q.left = true
			q.drops.shutdown.Add(int64(q.spans))
			q.mu.Unlock()
			return ctx.Err()
		}
	}
	err := ctx.Err()
	q.cancel()
	if stopErr := q.exporter.shutdown(ctx); err == nil {
		err = stopErr
	}
	return err
}
