// Command e2eload calls a gateway at a steady rate while somebody pulls the rug:
// short chats and streamed ones of about three seconds. A call is lost if it
// fails in any way; nothing is retried. It exits with 1 if any was.
//
//	e2eload -url http://10.0.0.1 -rate 200 -streamed 0.1 -for 45s
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// The mock provider says what it is told, a word every 10 ms.
const wordsOfThreeSeconds = 300

type tally struct {
	sync.Mutex
	short, streamed int
	lost            map[string]int
	took            []time.Duration // of the short ones
}

func main() {
	url := flag.String("url", "", "the gateway")
	rate := flag.Int("rate", 200, "calls a second")
	streamed := flag.Float64("streamed", 0.1, "share of streamed calls")
	length := flag.Duration("for", 30*time.Second, "how long to start calls")
	flag.Parse()

	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}, Timeout: 30 * time.Second}
	t := &tally{lost: map[string]int{}}
	var calls sync.WaitGroup
	tick := time.NewTicker(time.Second / time.Duration(*rate))
	end := time.After(*length)
	share := 0.0
	for running := true; running; {
		select {
		case <-end:
			running = false
		case <-tick.C:
			share += *streamed
			stream := share >= 1
			if stream {
				share--
			}
			calls.Go(func() { t.count(client, *url, stream) })
		}
	}
	calls.Wait()

	lost := 0
	for reason, n := range t.lost {
		lost += n
		fmt.Printf("lost %d: %s\n", n, reason)
	}
	slices.Sort(t.took)
	if len(t.took) > 0 {
		fmt.Printf("short calls: median %v, p99 %v\n", t.took[len(t.took)/2].Round(10*time.Microsecond), t.took[len(t.took)*99/100].Round(10*time.Microsecond))
	}
	fmt.Printf("%d short and %d streamed calls, %d lost\n", t.short, t.streamed, lost)
	if lost > 0 || t.short == 0 || t.streamed == 0 {
		os.Exit(1)
	}
}

func (t *tally) count(client *http.Client, url string, stream bool) {
	start := time.Now()
	err := chat(client, url, stream)
	t.Lock()
	defer t.Unlock()
	if stream {
		t.streamed++
	} else {
		t.short++
		t.took = append(t.took, time.Since(start))
	}
	if err != nil {
		t.lost[err.Error()]++
	}
}

// chat makes one call and says what was wrong with its answer.
func chat(client *http.Client, url string, stream bool) error {
	said, end := "hello", `"object":"chat.completion"`
	if stream {
		said, end = strings.Repeat("word ", wordsOfThreeSeconds), "data: [DONE]"
	}
	question := fmt.Sprintf(`{"model":"load","stream":%t,"messages":[{"role":"user","content":%q}]}`, stream, said)
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url+"/v1/chat/completions", strings.NewReader(question))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	start := time.Now()
	response, err := client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return fmt.Errorf("the answer broke off: %w", err)
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %.200s", response.Status, body)
	case !bytes.Contains(body, []byte(end)):
		return fmt.Errorf("the answer has no %s", end)
	case stream && time.Since(start) < 2500*time.Millisecond:
		return fmt.Errorf("the stream took only %v", time.Since(start).Round(100*time.Millisecond))
	}
	return nil
}
