package gateway

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfterIsReadInAllItsSpellings(t *testing.T) {
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	const none = -1
	for _, c := range []struct {
		name   string
		header map[string]string
		want   time.Duration
	}{
		{"nothing", nil, none},
		{"seconds", map[string]string{"Retry-After": "7"}, 7 * time.Second},
		{"a part of a second", map[string]string{"Retry-After": "0.25"}, 250 * time.Millisecond},
		{"a year", map[string]string{"Retry-After": "31536000"}, 365 * 24 * time.Hour},
		{"for ever", map[string]string{"Retry-After": "99999999999999999999"}, longAgo},
		{"milliseconds for ever", map[string]string{"Retry-After-Ms": "1e20"}, longAgo},
		{"now", map[string]string{"Retry-After": "0"}, 0},
		{"a date", map[string]string{"Retry-After": "Sun, 01 Mar 2026 12:00:09 GMT"}, 9 * time.Second},
		{"an old kind of date", map[string]string{"Retry-After": "Sunday, 01-Mar-26 12:00:09 GMT"}, 9 * time.Second},
		{"a date that has passed", map[string]string{"Retry-After": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0},
		{"nonsense", map[string]string{"Retry-After": "soon"}, none},
		{"less than nothing", map[string]string{"Retry-After": "-3"}, none},
		{"no number", map[string]string{"Retry-After": "NaN"}, none},
		{"without end", map[string]string{"Retry-After": "Inf"}, none},
		{"milliseconds go first", map[string]string{"Retry-After-Ms": "40", "Retry-After": "1"}, 40 * time.Millisecond},
		{"nonsense is passed over", map[string]string{"Retry-After-Ms": "x", "Retry-After": "1"}, time.Second},
		{"a quota that is used up", map[string]string{
			"X-Ratelimit-Remaining-Requests": "0", "X-Ratelimit-Reset-Requests": "1m30s",
			"X-Ratelimit-Remaining-Tokens": "5000", "X-Ratelimit-Reset-Tokens": "6m0s",
		}, 90 * time.Second},
		{"two of them", map[string]string{
			"X-Ratelimit-Remaining-Requests": "0", "X-Ratelimit-Reset-Requests": "120ms",
			"X-Ratelimit-Remaining-Tokens": "0", "X-Ratelimit-Reset-Tokens": "2s",
		}, 2 * time.Second},
		{"a quota in seconds", map[string]string{"X-Ratelimit-Remaining-Tokens": "0", "X-Ratelimit-Reset-Tokens": "7.66"}, 7660 * time.Millisecond},
		{"quotas that are not used up", map[string]string{"X-Ratelimit-Remaining-Tokens": "9", "X-Ratelimit-Reset-Tokens": "2s"}, none},
		{"a moment in Unix time", map[string]string{"X-Ratelimit-Reset": "1772366405"}, 5 * time.Second},
		{"in milliseconds", map[string]string{"X-Ratelimit-Reset": "1772366405500"}, 5500 * time.Millisecond},
		{"as RFC 3339", map[string]string{"X-Ratelimit-Reset": "2026-03-01T12:00:11Z"}, 11 * time.Second},
		{"the draft's", map[string]string{"Ratelimit-Remaining": "0", "Ratelimit-Reset": "4"}, 4 * time.Second},
		{"the draft's, with room left", map[string]string{"Ratelimit-Remaining": "2", "Ratelimit-Reset": "4"}, none},
		{"what is asked goes before quotas", map[string]string{"Retry-After": "1", "X-Ratelimit-Reset": "9"}, time.Second},
	} {
		h := http.Header{}
		for name, value := range c.header {
			h.Set(name, value)
		}
		got, asked := RetryAfter(h, now)
		if !asked {
			got = none
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func FuzzRetryAfterIsNeverNegative(f *testing.F) {
	for _, seed := range []string{"7", "1e308", "-1", "1772366405", "9223372036854775807", "Sun, 01 Mar 2026 12:00:09 GMT", "3h"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if wait, ok := until(text, time.Unix(1772366400, 0)); ok && wait < 0 {
			t.Errorf("%q is %s", text, wait)
		}
	})
}
