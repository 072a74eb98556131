package telemetry

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Lines are written in order, each once, by whoever wrote them at the same time.
func TestLogQueueWritesWhatItTakes(t *testing.T) {
	var out bytes.Buffer
	q := NewLogQueue(&out)
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for range 1000 {
				_, _ = io.WriteString(q, "a line\n")
			}
		})
	}
	writers.Wait()
	q.Close(10 * time.Second)
	if got := strings.Count(out.String(), "a line\n"); got != 8000 || q.Dropped() != 0 {
		t.Errorf("%d lines came, %d were dropped", got, q.Dropped())
	}
}

// A reader that has stopped makes nobody wait, and what it costs is counted.
func TestLogQueueNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck, release := io.Pipe()
		q := NewLogQueue(release)
		start := time.Now()
		line := strings.Repeat("x", 1<<10)
		for range 3 << 10 {
			_, _ = io.WriteString(q, line)
		}
		q.Close(time.Second)
		_, _ = io.WriteString(q, "too late")
		if took := time.Since(start); took > time.Second {
			t.Errorf("it took %s", took)
		}
		if q.Dropped() < 1<<10 {
			t.Errorf("%d lines were counted as dropped", q.Dropped())
		}
		_ = stuck.Close()
		<-q.done
	})
}
