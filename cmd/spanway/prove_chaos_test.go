//go:build prove

package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// chaos is a gateway with two targets that fail in every way and two that do not.
// Each model begins at another of them.
const chaos = `
upstreams:
  bad-a: {url: %[1]s, dialect: openai}
  bad-b: {url: %[1]s, dialect: openai}
  good-c: {url: %[1]s, dialect: openai}
  good-d: {url: %[1]s, dialect: openai}
models:
  a: {targets: [{upstream: bad-a, model: at-a}, {upstream: good-c, model: at-c}]}
  b: {targets: [{upstream: bad-b, model: at-b}, {upstream: good-d, model: at-d}]}
  c: {targets: [{upstream: good-c, model: at-c}, {upstream: bad-b, model: at-b}]}
  d: {targets: [{upstream: good-d, model: at-d}, {upstream: bad-a, model: at-a}]}
limits: {connections: 20000}
attempt:
  retry: {attempts: 3, backoff: 50ms, max_wait: 1s}
  timeout: {connect: 2s, first_token: 4s, idle: 4s}
  fault:
    inject:
%[2]s`

// troubles are all that there are, so that about two in three attempts at a bad
// target fail, or are slow.
var troubles = []string{
	"latency 500ms", "error 503", "error 500", "error 429", "rate_limit 10s", "rate_limit 1s", "error_in_200",
	"slow_first_token 1s", "slow_first_token 30s", "stall 3", "cut 3", "malformed_tools", "wrong_usage",
}

// poem is what the model says to a question, a word an event.
func poem(question string, words int) string {
	var text strings.Builder
	for i := range words {
		fmt.Fprintf(&text, "%s-%d ", question, i)
	}
	return text.String()
}

const poemWords = 20

var asked = regexp.MustCompile(`"content":"([^"]*)"`)

// newPoet is an upstream that recites.
func newPoet(t *testing.T, pause time.Duration) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		found := asked.FindSubmatch(body)
		if found == nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for word := range strings.FieldsSeq(poem(string(found[1]), poemWords)) {
			fmt.Fprintf(w, `data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"%s "},"finish_reason":null}]}`+"\n\n", word)
			w.(http.Flusher).Flush()
			time.Sleep(pause)
		}
		_, _ = io.WriteString(w, `data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
	})}
	go s.Serve(ln)
	t.Cleanup(func() { _ = s.Close() })
	return "http://" + ln.Addr().String()
}

var said = regexp.MustCompile(`"delta":\{"content":"([^"]*)"`)

// recited judges the answer to a question: whole and right, ended with an error
// event, or an error that says that nothing of it worked.
func recited(question, answer string, err error) (whole, event, refused bool, wrong error) {
	if err != nil {
		if text := err.Error(); strings.Contains(text, `"error"`) && strings.Contains(text, `"trace_id"`) {
			return false, false, true, nil
		}
		return false, false, false, err
	}
	var text strings.Builder
	for _, piece := range said.FindAllStringSubmatch(answer, -1) {
		text.WriteString(piece[1])
	}
	want := poem(question, poemWords)
	switch {
	case strings.Contains(answer, `data: {"error":`) && strings.HasPrefix(want, text.String()):
		return false, true, false, nil
	case text.String() == want && strings.HasSuffix(answer, "data: [DONE]\n\n"):
		return true, false, false, nil
	}
	return false, false, false, fmt.Errorf("a wrong answer: %.80q … %.60q", answer, answer[max(0, len(answer)-60):])
}

// TestProveChaos: half of the targets fail at random in every way, under streams
// in great number.
func TestProveChaos(t *testing.T) {
	streams, waves := 2000, 4
	if testing.Short() {
		streams, waves = 500, 2
	}
	seed := rand.Uint64()
	dice := rand.New(rand.NewPCG(seed, seed))
	var inject strings.Builder
	for i, fault := range troubles {
		share := 0.04 + 0.06*dice.Float64()
		fmt.Fprintf(&inject, "      - {name: f%d, do: %q, share: %.3f, upstreams: [bad-a, bad-b]}\n", i, fault, share)
	}
	pause := 200 * time.Millisecond
	p := spawn(t, fmt.Sprintf(chaos, newPoet(t, pause), inject.String()), "GOGC=50") // so that what is left shows
	models := []string{"a", "b", "c", "d"}
	const streamed = `{"model":%q,"stream":true,"messages":[{"role":"user","content":%q}]}`

	// One wave goes first, so that what grows to its size does not count as growth.
	var wholes, events, refusals int
	var wrong tally
	first := map[string]int{}
	wave := func(n int) {
		var mu sync.Mutex
		var calls sync.WaitGroup
		for i := range streams {
			model, late := models[dice.IntN(len(models))], time.Duration(dice.Int64N(int64(time.Second)))
			first[model]++
			calls.Go(func() {
				time.Sleep(late)
				words := fmt.Sprintf("q%d.%d", n, i)
				answer := ""
				l, err := dial(p.data)
				if err == nil {
					answer, _, err = l.ask(question("/v1/chat/completions", fmt.Sprintf(streamed, model, words), ""))
					_ = l.Close()
				}
				whole, event, refused, bad := recited(words, answer, err)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case whole:
					wholes++
				case event:
					events++
				case refused:
					refusals++
				}
				wrong.count(0, bad)
			})
		}
		calls.Wait()
	}
	began := time.Now()
	wave(0)
	goroutines, descriptors := p.settled(0, 0)
	memory := []float64{p.rss()}
	for n := range waves {
		wave(n + 1)
		memory = append(memory, p.rss())
	}
	floor := 10 * (1 + time.Since(began).Seconds()/10) // as the default is
	goroutinesThen, descriptorsThen := p.settled(goroutines+10, descriptors+10)
	grown := memory[waves] - memory[waves/2]

	provef(t, wrong.failed() == 0 && wholes > wrong.calls/2, "every client gets a whole answer or an error",
		"seed %d: %d streams, %d at a time: %d whole and right, %d ended with an error event, %d refused, %d wrong%s",
		seed, wrong.calls, streams, wholes, events, refusals, wrong.failed(), wrong.why())
	provef(t, goroutinesThen <= goroutines+10 && descriptorsThen <= descriptors+10 && grown < 32, "nothing grows",
		"%d goroutines and %d descriptors after one wave, %d and %d after all; %.0f MiB after each", goroutines, descriptors, goroutinesThen, descriptorsThen, memory)
	for _, target := range []string{"a", "b"} {
		attempts := int(p.metric("gen_ai_client_operation_duration_seconds_count", `"at-`+target+`"`))
		amplified := float64(attempts) / float64(first[target])
		holds := float64(attempts) <= 1.2*float64(first[target])+floor && (amplified < 1.25 || testing.Short()) // few calls, much floor
		provef(t, holds, "retries of a failing target are bounded", "target %s: %d attempts for %d calls, ×%.2f", target, attempts, first[target], amplified)
	}
}
