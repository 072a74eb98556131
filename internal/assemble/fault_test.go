package assemble_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// sign makes the header that asks for status 418 within the next minute.
func sign(secret string) string {
	text := fmt.Sprintf("error 418;%d", time.Now().Add(time.Minute).Unix())
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return fmt.Sprintf("%s;%x", text, mac.Sum(nil))
}

// TestASignedHeaderMakesAChatFail sends the header through the whole program: the
// dialect, which passes few headers on, stands behind the one that reads it.
func TestASignedHeaderMakesAChatFail(t *testing.T) {
	const yaml = `
upstreams:
  openai: {url: "http://api.openai.com/v1", dialect: openai, default: true}
  orders: {url: "http://orders"}
routes: [{name: orders, prefix: /orders, targets: [{upstream: orders}]}]
attempt: {fault: {secret: "${FAULT_SECRET}"}}
`
	const script = "200 content-type=text/plain seven\n"
	const body = `{"model":"gpt-5","messages":[]}`
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, yaml, script, func(string) string { return "s3cret" }, zerolog.InfoLevel)
		signed, forged := sign("s3cret"), sign("guess")
		c := client{world: w}
		ask := func(line, header, body string) string {
			return c.send(parseRequest(t, "request", line+" HTTP/1.1\nHost: gateway\nContent-Type: application/json\nX-Spanway-Fault: "+header+"\n\n"+body))
		}
		for _, line := range []string{"POST /v1/chat/completions", "GET /orders/7"} {
			asked := ""
			if strings.HasPrefix(line, "POST") {
				asked = body
			}
			if answer := ask(line, signed, asked); !strings.HasPrefix(answer, "418 ") {
				t.Errorf("%s: %s", line, answer)
			}
		}
		if answer := ask("GET /orders/7", forged, ""); !strings.HasPrefix(answer, "200 ") {
			t.Errorf("a forged header: %s", answer)
		}
		c.leave()
		for _, r := range w.upstream.Requests() {
			if r.Header.Get("X-Spanway-Fault") != "" {
				t.Error("the upstream sees the header")
			}
		}
		if len(w.upstream.Requests()) != 1 {
			t.Errorf("the upstream got %d requests", len(w.upstream.Requests()))
		}
	})
}
