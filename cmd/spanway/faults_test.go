package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnExperimentRunsInTheDaemon starts a fault on the control socket, lets it
// open a breaker, and stops it again. A reload in between ends neither.
func TestAnExperimentRunsInTheDaemon(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control")
	const upstreams = "\nupstreams: {mock: {url: \"mock:\", dialect: openai, default: true}}\n"
	const attempts = "attempt: {fault: {}, breaker: {volume: 2, open: 1h}}\n"
	yaml := "listen: {control: \"unix://" + socket + "\"}" + upstreams
	path := configFile(t, yaml)
	d := start(t, "", "--config", path)
	const experiment = `{"name": "down", "do": "error 500", "for": "1h"}`

	if status, answer := tell(t, socket, http.MethodPost, "/faults", experiment); status != 422 || !strings.Contains(answer, "attempt: {fault: {}}") {
		t.Errorf("where the file lets no fault in: %d %s", status, answer)
	}
	write(t, path, yaml+attempts)
	if status, answer := tell(t, socket, http.MethodPost, "/reload", ""); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	if status, answer := tell(t, socket, http.MethodPost, "/faults", experiment); status != 200 || !strings.Contains(answer, `"name":"down"`) {
		t.Fatalf("%d %s", status, answer)
	}
	if got := d.chat("any", ""); got.StatusCode != 500 {
		t.Errorf("the first call: %d %s", got.StatusCode, got.body)
	}
	write(t, path, yaml+attempts+"limits: {body: 1MiB}\n")
	if status, answer := tell(t, socket, http.MethodPost, "/reload", ""); status != 200 { // the watcher may have been faster
		t.Fatalf("%d %s", status, answer)
	}
	for i, want := range []int{500, 503} {
		if got := d.chat("any", ""); got.StatusCode != want {
			t.Errorf("call %d after the reload: %d %s", i+1, got.StatusCode, got.body)
		}
	}
	metrics := d.get(d.probe, "/metrics").body
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "spanway_breaker_state") && strings.Contains(line, `spanway_upstream="mock"`) && strings.Contains(line, `gen_ai_request_model="any"`) && strings.HasSuffix(line, "} 2\n") {
			metrics = ""
		}
	}
	if metrics != "" {
		t.Errorf("the metrics do not show the open breaker:\n%s", metrics)
	}
	if status, _ := tell(t, socket, http.MethodDelete, "/faults/down", ""); status != 200 {
		t.Errorf("it cannot be stopped: %d", status)
	}
	if status, answer := tell(t, socket, http.MethodGet, "/faults", ""); status != 200 || answer != "{\"faults\":[]}\n" {
		t.Errorf("and then there are %d %s", status, answer)
	}
	if got := d.chat("other", ""); got.StatusCode != 200 {
		t.Errorf("when it is stopped, another model: %d %s", got.StatusCode, got.body)
	}
}
