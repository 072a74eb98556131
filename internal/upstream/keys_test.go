package upstream

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/gateway"
)

func secrets(keys ...string) (all []check.Secret) {
	for _, k := range keys {
		all = append(all, check.NewSecret(k))
	}
	return all
}

// byKey answers as is written for the key that it is shown, else with 200.
func byKey(answers map[string]string) func(*server, net.Conn) {
	return func(s *server, c net.Conn) {
		r := bufio.NewReader(c)
		for req := s.read(r); req != nil; req = s.read(r) {
			answer, ok := answers[strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")]
			if !ok {
				answer = nothing
			}
			if _, err := c.Write([]byte(answer)); err != nil {
				return
			}
		}
	}
}

func answer(status int, fields ...string) string {
	return fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: 0\r\n%s\r\n", status, strings.Join(append(fields, ""), "\r\n"))
}

// shown are the keys that the upstream was shown since the last time.
func (s *server) shown() (keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, request := range s.requests {
		_, after, _ := strings.Cut(request, "Authorization: Bearer ")
		key, _, _ := strings.Cut(after, "\n")
		keys = append(keys, key)
	}
	s.requests = nil
	return keys
}

func sendTimes(t *testing.T, u *Upstream, times int) (call *gateway.Call) {
	t.Helper()
	for range times {
		call = newCall("POST")
		reply, err := u.Handle(t.Context(), call)
		if err != nil {
			t.Fatal(err)
		}
		reply.Close()
	}
	return call
}

func TestKeysAreTakenInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{play: byKey(nil)}
		u := open(t, s, Settings{Dialect: "openai", Keys: secrets("a", "b", "c")})
		defer u.Close()
		call := sendTimes(t, u, 6)
		if got := s.shown(); !slices.Equal(got, []string{"a", "b", "c", "a", "b", "c"}) {
			t.Errorf("shown were %s", got)
		}
		if call.Attempt.KeyID != "2e7d2c03" { // of sha256("c")
			t.Errorf("the attempt went with %q", call.Attempt.KeyID)
		}
	})
}

func TestAKeyThatFailsIsLeftOutForAsLongAsItsFailureAsksFor(t *testing.T) {
	for _, test := range []struct {
		name    string
		answer  string
		dialect string
		why     string        // "": it stays in
		out     time.Duration // for so long
	}{
		{"401", answer(401), "openai", "auth", 10 * time.Minute},
		{"403 of a provider", answer(403), "openai", "auth", 10 * time.Minute},
		{"403 of a service is about what was asked for", answer(403), "", "", 0},
		{"402", answer(402), "openai", "billing", 10 * time.Minute},
		{"429", answer(429), "openai", "rate_limited", 10 * time.Second},
		{"429 that says when", answer(429, "Retry-After: 3"), "openai", "rate_limited", 3 * time.Second},
		{"429 that says when, with a fraction", answer(429, "Retry-After: 1.5"), "openai", "rate_limited", 1500 * time.Millisecond},
		{"429 in milliseconds", answer(429, "Retry-After: 60", "retry-after-ms: 250"), "openai", "rate_limited", 250 * time.Millisecond},
		{"429 with a date", answer(429, "Retry-After: Sat, 01 Jan 2000 00:00:30 GMT"), "openai", "rate_limited", 30 * time.Second},
		{"429 with a date that is over", answer(429, "Retry-After: Fri, 31 Dec 1999 00:00:00 GMT"), "openai", "", 0},
		{"429 at once", answer(429, "Retry-After: 0"), "openai", "", 0},
		{"429 in a thousand years", answer(429, "Retry-After: 99999999999999999999"), "openai", "rate_limited", 10 * time.Minute},
		{"429 with garbage", answer(429, "Retry-After: soon"), "openai", "rate_limited", 10 * time.Second},
		{"429 with a negative wait", answer(429, "Retry-After: -5"), "openai", "rate_limited", 10 * time.Second},
		{"400", answer(400), "openai", "", 0},
		{"503 is not about the key", answer(503, "Retry-After: 60"), "openai", "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{play: byKey(map[string]string{"bad": test.answer})}
				u := open(t, s, Settings{Dialect: test.dialect, Keys: secrets("bad", "good")})
				defer u.Close()
				call := sendTimes(t, u, 1)
				if !call.Attempt.OtherKey {
					t.Error("it does not say that the other key is in")
				}
				notes := call.Notes()
				switch {
				case test.why == "" && len(notes) > 0:
					t.Errorf("noted %+v", notes)
				case test.why != "" && (len(notes) != 1 || notes[0].Policy != "key" || notes[0].Decision != "benched" ||
					!slices.Equal(notes[0].Facts, []gateway.Fact{{Key: "key", Value: "2f05d4b6"}, {Key: "why", Value: test.why}, {Key: "for", Value: test.out.String()}})):
					t.Errorf("noted %+v", notes)
				}
				if test.out > 0 {
					s.shown()
					time.Sleep(test.out - time.Nanosecond)
					sendTimes(t, u, 3)
					if got := s.shown(); slices.Contains(got, "bad") {
						t.Errorf("while it is out, shown were %s", got)
					}
					time.Sleep(time.Nanosecond)
				}
				s.shown()
				sendTimes(t, u, 2)
				if got := s.shown(); !slices.Contains(got, "bad") {
					t.Errorf("afterwards, shown were %s", got)
				}
			})
		})
	}
}

func TestWhatAProviderSaysOfAFailureCountsMoreThanItsStatus(t *testing.T) {
	for said, out := range map[gateway.Failure]time.Duration{
		gateway.FailBilling:       10 * time.Minute,
		gateway.FailRateLimited:   3 * time.Second,
		gateway.FailContentPolicy: 0,
		gateway.FailOverloaded:    0,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &server{play: byKey(map[string]string{"bad": answer(429, "Retry-After: 3")})}
			u := open(t, s, Settings{Dialect: "openai", Keys: secrets("bad", "good")})
			defer u.Close()
			reply, err := u.Handle(t.Context(), newCall("POST"))
			if err != nil {
				t.Fatal(err)
			}
			reply.Failure = said
			reply.Close()
			if got := time.Until(time.Unix(0, u.keys.keys[0].bench.Load())); max(got, 0) != out {
				t.Errorf("%s: it is out for %s, not for %s", said, got, out)
			}
		})
	}
}

func TestWhereAllKeysAreOutTheOneThatIsBackFirstIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{play: byKey(map[string]string{"a": answer(401), "b": answer(429, "Retry-After: 60"), "c": answer(403)})}
		u := open(t, s, Settings{Dialect: "openai", Keys: secrets("a", "b", "c")})
		defer u.Close()
		sendTimes(t, u, 3)
		s.shown()
		call := sendTimes(t, u, 3)
		if call.Attempt.OtherKey {
			t.Error("it says that another key is in")
		}
		if got := s.shown(); !slices.Equal(got, []string{"b", "b", "b"}) || call.Attempt.Status != http.StatusTooManyRequests {
			t.Errorf("shown were %s, and the answer was %d", got, call.Attempt.Status)
		}
	})
}

func TestTheOnlyKeyIsNeverOutAndHasNoID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{play: byKey(map[string]string{"a": answer(401)})}
		u := open(t, s, Settings{Dialect: "openai", Keys: secrets("a")})
		defer u.Close()
		if call := sendTimes(t, u, 3); call.Attempt.KeyID != "" || len(call.Notes()) > 0 {
			t.Errorf("the attempt is %+v, noted was %+v", call.Attempt, call.Notes())
		}
	})
}

func TestAReloadKeepsAKeyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{play: byKey(map[string]string{"bad": answer(401)})}
		pools := NewPools(Options{Dial: s.dial})
		defer pools.Close()
		settings := Settings{URL: "http://orders", Dialect: "openai", Keys: secrets("bad", "good")}
		old, err := pools.Open("orders", settings)
		if err != nil {
			t.Fatal(err)
		}
		sendTimes(t, old, 1)
		settings.Keys = secrets("other", "good") // and back: what is out stays known
		for _, keys := range [][]check.Secret{secrets("other", "good"), secrets("good", "bad")} {
			settings.Keys = keys
			u, err := pools.Open("orders", settings)
			if err != nil {
				t.Fatal(err)
			}
			old.Close()
			old = u
		}
		defer old.Close()
		s.shown()
		sendTimes(t, old, 4)
		if got := s.shown(); slices.Contains(got, "bad") {
			t.Errorf("shown were %s", got)
		}
	})
}
