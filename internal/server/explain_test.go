package server

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/spanway/spanway/internal/gateway"
)

func TestAnExplanationIsJSONThatAHeaderCanHold(t *testing.T) {
	call := gateway.NewCall("POST", "/", nil)
	call.Received = time.Now()
	call.TraceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	call.Note("route", "decided", gateway.Fact{Key: "upstream", Value: "größer\r\n\x7f\xff😀"})
	call.Note("fallback", "", gateway.Fact{Key: "why", Value: "server"})
	text := explanation(call)
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Errorf("a header cannot hold %q", text)
	}
	var read struct {
		TraceID string           `json:"trace_id"`
		Notes   []map[string]any `json:"notes"`
		More    bool             `json:"more"`
	}
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		t.Fatal(err)
	}
	if read.TraceID != call.TraceID || len(read.Notes) != 2 || read.More ||
		read.Notes[0]["upstream"] != "größer\r\n\x7f\ufffd😀" || read.Notes[1]["note"] != "fallback" || read.Notes[1]["why"] != "server" {
		t.Errorf("it says %s", text)
	}
	for range 100 {
		call.Note("retry", "exhausted", gateway.Fact{Key: "why", Value: strings.Repeat("x", 100)})
	}
	text = explanation(call)
	if err := json.Unmarshal([]byte(text), &read); err != nil || !read.More || len(text) > maxExplanation {
		t.Errorf("%v in %d bytes that end in %q", err, len(text), text[len(text)-30:])
	}
}
