package telemetry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// script is an exporter that does as the test says.
type script struct {
	do func(context.Context) error

	mu      sync.Mutex
	batches []int // spans of each batch, as they came
}

func (s *script) came() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(s.batches)
}

func (s *script) export(ctx context.Context, b *batch) (int, error) {
	s.mu.Lock()
	s.batches = append(s.batches, b.spans)
	s.mu.Unlock()
	if s.do == nil {
		return 0, nil
	}
	return 0, s.do(ctx)
}

func (*script) shutdown(context.Context) error { return nil }

var testScope = newProvider(nil, limits{}, nil).Tracer("test").(*tracer).scope

func fill(q *queue, n int) {
	for range n {
		q.add(testScope, make([]byte, 100))
	}
}

func held(q *queue) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.spans + q.bytes
}

func smallQueue(e exporter) *queue {
	return newQueue(queueLimits{spans: 100, bytes: 1 << 20, batch: 10, delay: time.Second, timeout: 10 * time.Second}, e, func(error) {})
}

func TestAFullBatchGoesAtOnceAndTheRestWhenItIsRipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		q := smallQueue(s)
		fill(q, 25)
		synctest.Wait()
		if s.came() != "[10 10]" {
			t.Errorf("at once: %v", s.came())
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if s.came() != "[10 10 5]" || held(q) != 0 {
			t.Errorf("after a second: %v, %d spans and bytes left", s.came(), held(q))
		}
		if err := q.shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestAQueueThatIsFullDropsAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{do: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		q := smallQueue(s)
		fill(q, 150)
		if n := q.drops.queueFull.Load(); n != 50 {
			t.Errorf("%d dropped, want 50", n)
		}
		q.add(testScope, make([]byte, 2<<20)) // would not fit an empty queue either
		time.Sleep(101 * time.Second)         // ten batches, ten seconds each
		synctest.Wait()
		if n := q.drops.failed.Load(); n != 100 || !q.failing.Load() {
			t.Errorf("%d failed, want 100", n)
		}
		fill(q, 5)
		if err := q.shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if n := q.drops.shutdown.Load() + q.drops.failed.Load(); n != 105 {
			t.Errorf("%d lost in exports, want 105", n)
		}
	})
}

func TestShutdownKeepsItsDeadline(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(context.Context) error
		most time.Duration
	}{
		{"the collector hangs", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 2 * time.Second},
		{"the exporter does not even see its context end", func(context.Context) error { time.Sleep(time.Hour); return nil }, 2*time.Second + patience},
		{"the collector refuses", func(context.Context) error { return errors.New("refused") }, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := smallQueue(&script{do: test.do})
				fill(q, 35)
				ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
				defer cancel()
				began := time.Now()
				_ = q.shutdown(ctx)
				if took := time.Since(began); took > test.most {
					t.Errorf("took %s, want %s at most", took, test.most)
				}
				fill(q, 1)
				lost := q.drops.shutdown.Load() + q.drops.failed.Load()
				if lost != 36 {
					t.Errorf("%d of 36 accounted for", lost)
				}
				time.Sleep(2 * time.Hour) // whoever still hangs comes back
				synctest.Wait()
				if again := q.drops.shutdown.Load() + q.drops.failed.Load(); again != lost {
					t.Errorf("counted twice: %d", again)
				}
			})
		})
	}
}

func TestBigSpansCloseABatchEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		q := newQueue(queueLimits{spans: 100, bytes: 16 << 20, batch: 100, delay: time.Second, timeout: time.Second}, s, func(error) {})
		for range 3 {
			q.add(testScope, make([]byte, 1<<20))
		}
		if err := q.shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if s.came() != "[1 1 1]" {
			t.Errorf("batches of %v spans; a collector takes 4 MiB", s.came())
		}
	})
}
