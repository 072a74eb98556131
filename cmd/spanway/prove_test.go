//go:build prove

// The proofs run the real program as a process of its own, on loopback, under
// load, and pull the rug. Each prints one line: PASS or FAIL, the claim, the
// numbers. hack/prove-lifecycle.sh runs them; with -short they take two
// minutes.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binary is the program, built as it is released.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "spanway-prove-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(folder)
		binary = filepath.Join(folder, "spanway")
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			panic(fmt.Sprintf("%v\n%s", err, out))
		}
		return m.Run()
	}())
}

// provef prints the line of one claim.
func provef(t *testing.T, holds bool, claim, format string, numbers ...any) {
	t.Helper()
	verdict := "PASS"
	if !holds {
		verdict = "FAIL"
		t.Fail()
	}
	fmt.Printf("%s %s: %s\n", verdict, claim, fmt.Sprintf(format, numbers...))
}

// process is a daemon.
type process struct {
	*running
	command *exec.Cmd
	path    string // of its configuration
	ready   time.Duration
	ended   chan struct{}
}

// spawn starts a daemon and kills it with the test.
func spawn(t *testing.T, yaml string, env ...string) *process {
	t.Helper()
	return spawnOn(t, configFile(t, yaml), "127.0.0.1:0", env...)
}

func spawnOn(t *testing.T, path, data string, env ...string) *process {
	t.Helper()
	p := &process{path: path, ended: make(chan struct{}), running: &running{
		t: t, log: newLines(t), http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience},
	}}
	p.command = exec.Command(binary, "run", "--config", path, "--data", data, "--probe", "127.0.0.1:0")
	p.command.Stdout, p.command.Stderr = p.log, p.log
	p.command.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	began := time.Now()
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		err := p.command.Wait()
		p.log.end(err)
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.command.Process.Kill()
		<-p.ended
	})
	p.probe = p.log.await("message", "listening", "listener", "probe")["address"].(string)
	p.data = p.log.await("message", "listening", "listener", "data")["address"].(string)
	p.ready = time.Since(began)
	return p
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.command.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// exit waits for the end and says how the process ended and how long it took.
func (p *process) exit(within time.Duration) (how string, took time.Duration) {
	p.t.Helper()
	began := time.Now()
	select {
	case <-p.ended:
		return p.command.ProcessState.String(), time.Since(began)
	case <-time.After(within):
		return "still running", time.Since(began)
	}
}

// rss is its resident memory in MiB.
func (p *process) rss() float64 { return p.status("VmRSS:") }

// peak is the most it has ever had.
func (p *process) peak() float64 { return p.status("VmHWM:") }

func (p *process) status(field string) float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == field {
			kib, _ := strconv.ParseFloat(words[1], 64)
			return kib / 1024
		}
	}
	return -1
}

func (p *process) descriptors() int {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.command.Process.Pid))
	return len(entries)
}

// metric sums the series of a metric whose labels contain what is asked for.
func (p *process) metric(name, labels string) (sum float64) {
	p.t.Helper()
	for line := range strings.Lines(p.get(p.probe, "/metrics").body) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if bare, _, _ := strings.Cut(series, "{"); bare == name && strings.Contains(series, labels) {
			n, _ := strconv.ParseFloat(value, 64)
			sum += n
		}
	}
	return sum
}

// settled waits until the goroutines and descriptors are at most these, and
// returns how many there are.
func (p *process) settled(goroutines, descriptors int) (int, int) {
	late := time.Now().Add(patience)
	for {
		g, d := int(p.metric("go_goroutine_count", "")), p.descriptors()
		if g <= goroutines && d <= descriptors || time.Now().After(late) {
			return g, d
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (p *process) terminate() { p.signal(syscall.SIGTERM) }

// probed is the status of a probe, 0 if nobody answers.
func (p *process) probed(path string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.probe+path, http.NoBody)
	response, err := p.http.Do(request)
	if err != nil {
		if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) {
			return 0
		}
		return -1
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// length is the long form of a proof, or the short one.
func length(long, short time.Duration) time.Duration {
	if testing.Short() {
		return short
	}
	return long
}
