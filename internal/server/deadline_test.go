package server

import (
	"net/http"
	"testing"
	"time"

	"github.com/spanway/spanway/internal/gateway"
)

func TestACallerSaysHowLongTheyWait(t *testing.T) {
	const refused = -1
	for _, c := range []struct {
		name   string
		header map[string][]string
		wait   time.Duration // 0 is for ever
		whole  bool
	}{
		{"nothing", nil, 0, false},
		{"a duration", map[string][]string{ownTimeout: {"1m30s"}}, 90 * time.Second, true},
		{"seconds", map[string][]string{ownTimeout: {"2.5"}}, 2500 * time.Millisecond, true},
		{"days", map[string][]string{ownTimeout: {"48h"}}, 0, false},
		{"more than there is", map[string][]string{ownTimeout: {"1e300"}}, 0, false},
		{"nonsense", map[string][]string{ownTimeout: {"soon"}}, refused, false},
		{"nothing at all", map[string][]string{ownTimeout: {""}}, refused, false},
		{"no time", map[string][]string{ownTimeout: {"0"}}, refused, false},
		{"less than that", map[string][]string{ownTimeout: {"-1s"}}, refused, false},
		{"no number", map[string][]string{ownTimeout: {"NaN"}}, refused, false},
		{"twice", map[string][]string{ownTimeout: {"1s", "2s"}}, refused, false},
		{"as gRPC does", map[string][]string{grpcTimeout: {"250m"}}, 250 * time.Millisecond, true},
		{"in its hours", map[string][]string{grpcTimeout: {"2H"}}, 2 * time.Hour, true},
		{"in too many of them", map[string][]string{grpcTimeout: {"99999999H"}}, 0, false},
		{"in nine digits", map[string][]string{grpcTimeout: {"123456789S"}}, 0, false},
		{"without a unit", map[string][]string{grpcTimeout: {"10"}}, 0, false},
		{"as OpenAI's library does", map[string][]string{stainlessTimeout: {"600"}}, 10 * time.Minute, false},
		{"in nonsense of a library", map[string][]string{stainlessTimeout: {"NOT_GIVEN"}}, 0, false},
		{"in two ways", map[string][]string{stainlessTimeout: {"600"}, ownTimeout: {"5s"}}, 5 * time.Second, true},
		{"in two other ways", map[string][]string{stainlessTimeout: {"3"}, ownTimeout: {"5s"}}, 3 * time.Second, false},
	} {
		call := gateway.NewCall(http.MethodPost, "/", http.Header(c.header))
		p, err := patienceOf(call)
		wait := time.Duration(0)
		if err != nil {
			wait = refused
		} else if !p.until.IsZero() {
			wait = p.until.Sub(call.Received)
		}
		if wait != c.wait || p.whole != c.whole {
			t.Errorf("%s: waits %s, for the whole %t; want %s, %t", c.name, wait, p.whole, c.wait, c.whole)
		}
		if call.Header[ownTimeout] != nil {
			t.Errorf("%s: it is sent on", c.name)
		}
	}
}
