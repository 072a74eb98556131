//go:build prove

package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestProveSlowHeads: 1000 clients that send a byte a second of a request's head.
func TestProveSlowHeads(t *testing.T) {
	const clients, rate = 1000, 200
	p := spawn(t, mocked)
	pool := &client{address: p.data}
	call := func(int) error { return pool.call(shortChat(), `"chat.completion"`) }
	var before, beside, afterwards, slow tally
	before.drive(rate, after(3*time.Second), call)

	var others sync.WaitGroup
	over := make(chan struct{})
	others.Go(func() { beside.drive(rate, over, call) })
	var dribbling sync.WaitGroup
	for range clients {
		dribbling.Go(func() { slow.count(dribble(p.data)) })
		time.Sleep(time.Millisecond / 2)
	}
	dribbling.Wait()
	close(over)
	others.Wait()
	afterwards.drive(rate, after(3*time.Second), call)
	pool.close()
	alone := max(before.quantile(.99), afterwards.quantile(.99)) // a machine is not always equally quiet
	provef(t, slow.failed() == 0 && slow.quantile(1) < 12*time.Second, "slow heads are answered 408 and closed",
		"%d of %d not, the last after %s%s", slow.failed(), clients, slow.quantile(1), slow.why())
	provef(t, beside.failed() == 0 && beside.quantile(.99) < 2*max(alone, 2*time.Millisecond), "others do not see them",
		"%d of %d calls failed; p50 %s and p99 %s, %s and %s without%s", beside.failed(), beside.calls,
		beside.quantile(.5), beside.quantile(.99), before.quantile(.5), alone, beside.why())
}

// dribble sends a byte a second until it is answered, and wants a 408 and the end.
func dribble(address string) (took time.Duration, err error) {
	l, err := dial(address)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	began := time.Now()
	answered := make(chan error, 1)
	go func() {
		_ = l.SetReadDeadline(time.Now().Add(30 * time.Second))
		answer, err := io.ReadAll(l.replies)
		if err == nil && !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
			err = fmt.Errorf("answered with %.60q", answer)
		}
		answered <- err
	}()
	head := "POST /v1/chat/completions HTTP/1.1\r\nHost: prove\r\nX-Slow: "
	for i := 0; ; i++ {
		b := byte('x')
		if i < len(head) {
			b = head[i]
		}
		_, _ = l.Write([]byte{b})
		select {
		case err := <-answered:
			return time.Since(began), err
		case <-time.After(time.Second):
		}
	}
}

// TestProveConnectionLimit: one connection too many is told so.
func TestProveConnectionLimit(t *testing.T) {
	const limit = 100
	p := spawn(t, mocked+"limits: {connections: 100}\n")
	for range limit {
		l, err := dial(p.data)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if _, _, err := l.ask(shortChat()); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	l, err := dial(p.data)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, closing, err := l.ask(shortChat())
	took := time.Since(began)
	healthy := p.probed("/healthz")
	provef(t, err != nil && strings.HasPrefix(err.Error(), "503 ") && closing && took < time.Second && healthy == http.StatusOK,
		"with 100 connections open, the next is answered 503", "%.60s after %s, /healthz %d", fmt.Sprint(err), took.Round(10*time.Microsecond), healthy)
}

// TestProveHealthUnderFullCPU: the liveness probe answers while two busy loops
// and a saturating load want the same processors.
func TestProveHealthUnderFullCPU(t *testing.T) {
	p := spawn(t, mocked)
	for range 2 {
		busy := exec.Command("sh", "-c", "while :; do :; done")
		if err := busy.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = busy.Process.Kill(); _ = busy.Wait() }()
	}
	var load tally
	over := after(length(20*time.Second, 4*time.Second))
	var workers sync.WaitGroup
	pool := &client{address: p.data}
	for range 64 {
		workers.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
					began := time.Now()
					err := pool.call(shortChat(), `"chat.completion"`)
					load.count(time.Since(began), err)
				}
			}
		})
	}
	var health tally
	health.drive(10, over, func(int) error {
		if status := p.probed("/healthz"); status != http.StatusOK {
			return fmt.Errorf("/healthz is %d", status)
		}
		return nil
	})
	workers.Wait()
	pool.close()
	provef(t, health.failed() == 0 && health.quantile(1) < time.Second && load.failed() == 0, "/healthz answers within 1 s under full CPU",
		"the slowest of %d took %s, beside %d calls of which %d failed%s%s", health.calls, health.quantile(1), load.calls, load.failed(), health.why(), load.why())
}

// TestProveMemory: large bodies do not make it grow past what it was given.
func TestProveMemory(t *testing.T) {
	const parallel, rounds = 200, 3
	upstream := newModel(t)
	p := spawn(t, fmt.Sprintf("upstreams: {m: {url: %q, dialect: openai, default: true}}", upstream.url), "GOMEMLIMIT=64MiB")
	text := question("/v1/chat/completions", `{"model":"any","messages":[{"role":"user","content":"`+strings.Repeat("large ", 1<<20/6)+`"}]}`, "")
	var load tally
	var served, shed int
	for range rounds {
		var calls sync.WaitGroup
		for range parallel {
			calls.Go(func() {
				l, err := dial(p.data)
				if err != nil {
					load.count(0, err)
					return
				}
				defer l.Close()
				began := time.Now()
				_, _, err = l.ask(text)
				load.mu.Lock()
				switch {
				case err == nil:
					served++
				case strings.HasPrefix(err.Error(), "503 "), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
					shed++
					err = nil
				}
				load.mu.Unlock()
				load.count(time.Since(began), err)
			})
		}
		calls.Wait()
	}
	peak := p.peak()
	eventually(t, "the memory is given back", func() bool { return p.metric("go_memory_used_bytes", `"other"`) < 96<<20 })
	err := p.after()
	provef(t, load.failed() == 0 && served > 0 && peak < 128 && err == nil, "600 bodies of 1 MiB, 200 at a time, under GOMEMLIMIT=64MiB",
		"%d served, %d shed with 503, %d failed; %.0f MiB at the peak, %.0f after%s", served, shed, load.failed(), peak, p.rss(), load.why())
}

// after makes one more call, to see that all is well.
func (p *process) after() error {
	pool := &client{address: p.data}
	defer pool.close()
	return pool.call(shortChat(), `"chat.completion"`)
}
