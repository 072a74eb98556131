package gateway

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RetryAfter reads how long an upstream asks to be left alone, in all the
// spellings that there are: first what is meant for those who retry, then the
// resets of its quotas, of which only those that are used up matter.
func RetryAfter(h http.Header, now time.Time) (wait time.Duration, asked bool) {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms >= 0 {
		return seconds(ms / 1000)
	}
	if text := h.Get("Retry-After"); text != "" {
		if wait, ok := until(text, now); ok {
			return wait, true
		}
	}
	for _, quota := range []string{"Requests", "Tokens"} {
		if h.Get("X-Ratelimit-Remaining-"+quota) != "0" {
			continue
		}
		if reset, ok := until(h.Get("X-Ratelimit-Reset-"+quota), now); ok {
			wait, asked = max(wait, reset), true
		}
	}
	if asked {
		return wait, true
	}
	for _, name := range []string{"X-Ratelimit-Reset", "Ratelimit-Reset"} {
		if remaining := h.Get(strings.Replace(name, "Reset", "Remaining", 1)); remaining != "" && remaining != "0" {
			continue
		}
		if reset, ok := until(h.Get(name), now); ok {
			return reset, true
		}
	}
	return 0, false
}

// longAgo tells a number of seconds from a moment in Unix time: nobody asks to be
// left alone for decades.
const longAgo = 1e9 * time.Second

// until reads a wait: seconds, whole or not; a duration as in Go; or the moment
// when it ends, as HTTP, RFC 3339 or Unix write it. A moment that has passed is
// no wait, and was asked for all the same.
func until(text string, now time.Time) (wait time.Duration, ok bool) {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		switch {
		case n > 1e15: // no moment that anybody means
			return seconds(n)
		case n > 1e3*float64(now.Unix())/2: // in milliseconds
			return max(time.UnixMilli(int64(n)).Sub(now), 0), true
		case n > longAgo.Seconds():
			return max(time.Unix(int64(n), 0).Sub(now), 0), true
		}
		return seconds(n)
	}
	if d, err := time.ParseDuration(text); err == nil {
		return d, d >= 0
	}
	for _, layout := range []string{http.TimeFormat, time.RFC850, time.ANSIC, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return max(at.Sub(now), 0), true
		}
	}
	return 0, false
}

// seconds is a wait of so many, and of [longAgo] where they are more.
func seconds(n float64) (wait time.Duration, ok bool) {
	if !(n >= 0 && n <= math.MaxFloat64) { // not the other way round: it may be no number
		return 0, false
	}
	return time.Duration(min(n, longAgo.Seconds()) * float64(time.Second)), true
}
