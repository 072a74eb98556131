package assemble_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// chaos makes two of four providers fail at every second attempt, in all ways in
// which they can.
const chaos = `
upstreams:
  a: {url: "mock:", dialect: openai}
  b: {url: "mock:", dialect: openai}
  c: {url: "mock:", dialect: openai}
  d: {url: "mock:", dialect: openai}
  calm: {url: "mock:", dialect: openai, default: true}
models:
  troubled:
    targets: [{upstream: a, model: mock}, {upstream: b, model: mock}, {upstream: c, model: mock}, {upstream: d, model: mock}]
    attempt:
      hedge: {after: 2s, share: 0.01}
      retry: {attempts: 3}
      concurrency: {max: 500, queue: 2000, wait: 1m}
      timeout: {first_token: 5s, idle: 5s}
      fault:
        inject:
          - {name: latency, do: latency 20s, share: 0.07, upstreams: [a, b]}
          - {name: error, do: error 500, share: 0.07, upstreams: [a, b]}
          - {name: rate_limit, do: rate_limit 1s, share: 0.07, upstreams: [a, b]}
          - {name: error_in_200, do: error_in_200, share: 0.07, upstreams: [a, b]}
          - {name: slow, do: slow_first_token 20s, share: 0.07, upstreams: [a, b]}
          - {name: stall_early, do: stall 1, share: 0.07, upstreams: [a, b]}
          - {name: stall, do: stall 3, share: 0.07, upstreams: [a, b]}
          - {name: cut_early, do: cut 0, share: 0.07, upstreams: [a, b]}
          - {name: cut, do: cut 4, share: 0.07, upstreams: [a, b]}
`

// TestWhateverFailsEachStreamIsWholeOrSaysThatItIsNot compares what comes through
// the chaos with what the same call gets without it. The bubble fails if a
// goroutine stays behind.
func TestWhateverFailsEachStreamIsWholeOrSaysThatItIsNot(t *testing.T) {
	const calls = 2000
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, chaos, "", func(string) string { return "" }, zerolog.Disabled)
		ask := func(model string, i int) (status, body string) {
			c := client{world: w}
			defer c.leave()
			answer := c.send(parseRequest(t, "request", fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\nHost: gateway\nContent-Type: application/json\n\n"+
				`{"model":%q,"stream":true,"messages":[{"role":"user","content":"call %d"}]}`, model, i)))
			head, body, _ := strings.Cut(answer, "\n\n")
			status, _, _ = strings.Cut(head, " ")
			return status, body
		}
		var mu sync.Mutex
		counted := map[string]int{}
		var clients sync.WaitGroup
		for i := range calls {
			clients.Go(func() {
				_, want := ask("mock", i)
				status, got := ask("troubled", i)
				outcome := "wrong"
				switch {
				case status == "200" && got == want:
					outcome = "whole"
				case status == "200" && !strings.Contains(got, "[DONE]") && strings.Contains(got, `data: {"error":{"message":`):
					told, _, _ := strings.Cut(got, "\n\n\n\ndata: {\"error\"")
					if strings.HasPrefix(want, told) {
						outcome = "broken off, and said so"
					}
				case status != "200" && strings.Contains(got, `"error":{`):
					outcome = "refused"
				}
				mu.Lock()
				defer mu.Unlock()
				if counted[outcome]++; outcome == "wrong" {
					t.Errorf("call %d: %s\n%s\nwant\n%s", i, status, got, want)
				}
			})
		}
		clients.Wait()
		attempts := attemptsAt(t, w.recorder.Metrics())
		t.Logf("%v, by attempts %v", counted, attempts)
		if most := calls * 125 / 100; attempts["a"] == 0 || attempts["a"] > most {
			t.Errorf("%v attempts for %d calls: what fails is asked too often, or not at all", attempts, calls)
		}
		if counted["whole"] < calls*3/4 || counted["broken off, and said so"] == 0 || counted["refused"] > 0 {
			t.Errorf("of %d calls: %v", calls, counted)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if used := w.memory.Used(); used != 0 {
			t.Errorf("%d bytes of buffer memory were not given back", used)
		}
	})
}

// attemptsAt counts the attempts at each upstream, as the metrics have them.
func attemptsAt(t *testing.T, metrics string) map[string]int {
	t.Helper()
	line := regexp.MustCompile(`(?m)^http\.client\.request\.duration \{.*service\.peer\.name=(\w+).*\} (\d+)$`)
	counted := map[string]int{}
	for _, match := range line.FindAllStringSubmatch(metrics, -1) {
		n, err := strconv.Atoi(match[2])
		if err != nil {
			t.Fatal(err)
		}
		counted[match[1]] += n
	}
	return counted
}
