package main

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// named is a configuration whose one model has the name.
func named(model string) string {
	return "llm: {passthrough: false}\n" + mocked + "models: {" + model + ": {targets: [{upstream: mock, model: m}]}}\n"
}

// reloaded waits for the line that tells of a reload, and sees that the model
// answers from then on.
func (r *running) reloaded(model string) map[string]any {
	r.t.Helper()
	line := r.log.await("message", "the configuration was reloaded")
	if got := r.chat(model, ""); got.StatusCode != http.StatusOK {
		r.t.Errorf("after the reload %s is answered with %s %s", model, got.Status, got.body)
	}
	return line
}

// lastReload is what the gauge says of it.
func (r *running) lastReload() string {
	r.t.Helper()
	for line := range strings.Lines(r.get(r.probe, "/metrics").body) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(name, "spanway_config_last_reload_successful") {
			return value
		}
	}
	return "missing"
}

func launchWith(t *testing.T, path string) *running {
	t.Helper()
	t.Setenv("SPANWAY_CONFIG", path)
	return start(t, "")
}

func TestAChangedFileIsReloaded(t *testing.T) {
	path := configFile(t, named("one"))
	r := launchWith(t, path)
	write(t, path, named("two"))
	r.reloaded("two")
	if got := r.chat("one", ""); got.StatusCode != http.StatusNotFound {
		t.Errorf("a model that is gone: %s", got.Status)
	}
}

func TestAConfigMapIsReloadedWhenItsLinkIsSwapped(t *testing.T) {
	folder := t.TempDir()
	version := func(name, text string) {
		if err := os.Mkdir(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, name, "spanway.yaml"), text)
		if err := os.Symlink(name, filepath.Join(folder, "..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(folder, "..data_tmp"), filepath.Join(folder, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..1", named("one"))
	path := filepath.Join(folder, "spanway.yaml")
	if err := os.Symlink(filepath.Join("..data", "spanway.yaml"), path); err != nil {
		t.Fatal(err)
	}
	r := launchWith(t, path)
	version("..2", named("two"))
	r.reloaded("two")
}

func TestAHangupReloadsAlsoASecretThatWasRotated(t *testing.T) {
	var shown string
	model := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		shown = q.Header.Get("Authorization")
		_, _ = io.WriteString(w, `{}`)
	}))
	defer model.Close()
	secret := filepath.Join(t.TempDir(), "key")
	write(t, secret, "before")
	r := start(t, `upstreams: {a: {url: "`+model.URL+`", dialect: openai, default: true, keys: ["file:`+secret+`"]}}`)
	r.chat("any", "")
	if shown != "Bearer before" {
		t.Errorf("the upstream was shown %q", shown)
	}
	write(t, secret, "after")
	hangUp(t)
	r.log.await("message", "the configuration was reloaded")
	r.chat("any", "")
	if shown != "Bearer after" {
		t.Errorf("after the rotation the upstream was shown %q", shown)
	}
}

func TestChangedPricesAreAReload(t *testing.T) {
	folder := t.TempDir()
	path, prices := filepath.Join(folder, "spanway.yaml"), filepath.Join(folder, "prices.json")
	table := func(input string) string {
		return `{"models": [{"model": "m", "input": ` + input + `, "output": 0}]}`
	}
	write(t, prices, table("1"))
	write(t, path, strings.Replace(named("one"), "llm: {", "llm: {prices: \"file:prices.json\", ", 1))
	r := launchWith(t, path)
	before := r.chatCost("one")
	write(t, prices, table("1000"))
	hangUp(t)
	line := r.log.await("message", "the configuration was reloaded")
	if line["config"] != line["before"] {
		t.Error("the file itself has not changed")
	}
	if after := r.chatCost("one"); before == 0 || after != 1000*before {
		t.Errorf("a call cost %v, and with prices 1000 times as high %v", before, after)
	}
	write(t, prices, table("-1"))
	hangUp(t)
	r.log.await("message", "the configuration was not reloaded", "level", "error")
}

// chatCost is what a chat cost, as its log line says.
func (r *running) chatCost(model string) float64 {
	r.t.Helper()
	id := r.chat(model, "").Header.Get("X-Request-Id")
	cost, _ := r.log.await("message", "call", "request_id", id)["cost_usd"].(float64)
	return cost
}

func TestABrokenReloadKeepsTheLastGoodOne(t *testing.T) {
	path := configFile(t, named("one"))
	r := launchWith(t, path)
	const broken = "limits: {heads: 1KiB}\n"
	write(t, path, broken)
	line := r.log.await("message", "the configuration was not reloaded", "level", "error")
	if why, want := line["error"].(string), path+":1:10: limits.heads: "; !strings.HasPrefix(why, want) {
		t.Errorf("the log says %s, not %s", why, want)
	}
	if got := r.lastReload(); got != "0" {
		t.Errorf("the gauge is %s", got)
	}
	if got := r.get(r.probe, "/readyz"); got.StatusCode != http.StatusOK || !strings.HasPrefix(got.body, "degraded: configuration: the last reload failed") {
		t.Errorf("/readyz says %s %s", got.Status, got.body)
	}
	if got := r.chat("one", ""); got.StatusCode != http.StatusOK {
		t.Errorf("the last good configuration does not answer: %s", got.Status)
	}

	// The file as it was is a good one again.
	write(t, path, named("one"))
	r.reloaded("one")
	if got := r.lastReload(); got != "1" {
		t.Errorf("the gauge is %s", got)
	}

	// So is one that was gone for a while.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	r.log.await("message", "the configuration was not reloaded")
	write(t, path, named("one"))
	r.reloaded("one")
	if got := r.get(r.probe, "/readyz"); got.body != "ready\n" {
		t.Errorf("/readyz says %s", got.body)
	}
}

func TestTheControlSocketReloads(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control.sock")
	listen := "listen: {control: \"unix://" + socket + "\"}\n"
	path := configFile(t, listen+named("one"))
	r := launchWith(t, path)
	reload := func() (int, string) { return tell(t, socket, http.MethodPost, "/reload", "") }
	if status, body := reload(); status != http.StatusOK || body != "{\"changed\":false}\n" {
		t.Errorf("the same bytes again: %d %s", status, body)
	}
	write(t, path, listen+named("two"))
	// The watcher may be first.
	if status, _ := reload(); status != http.StatusOK {
		t.Errorf("a good file: %d", status)
	}
	r.reloaded("two")
	write(t, path, listen+"drain: never\n")
	for range 2 { // it stays wrong, also when nothing has changed since
		if status, body := reload(); status != http.StatusUnprocessableEntity || !strings.Contains(body, path+":2:8: drain: ") {
			t.Errorf("a broken file: %d %s", status, body)
		}
	}
	write(t, path, listen+named("three"))
	r.reloaded("three")
	if n := strings.Count(r.log.String(), "was not reloaded"); n != 1 {
		t.Errorf("one broken file was logged %d times", n)
	}
	if n := strings.Count(r.log.String(), "was reloaded"); n != 2 {
		t.Errorf("two changes were %d reloads", n)
	}
}

func TestWhatNeedsARestartIsNamedUntilThereIsOne(t *testing.T) {
	path := configFile(t, named("one"))
	r := launchWith(t, path)
	needs := "listen: {control: \"unix:///nowhere\"}\nlimits: {connections: 7}\n"
	for _, model := range []string{"two", "three"} {
		write(t, path, needs+named(model))
		if got, _ := r.reloaded(model)["needs_restart"].([]any); len(got) != 2 || got[0] != "listen" || got[1] != "limits.connections" {
			t.Errorf("%s: needs_restart is %v", model, got)
		}
	}
	write(t, path, named("four"))
	if got, ok := r.reloaded("four")["needs_restart"]; ok {
		t.Errorf("nothing differs from the start, and needs_restart is %v", got)
	}
}

func TestAStreamUnderWayEndsInItsGeneration(t *testing.T) {
	more := make(chan string)
	model := func(name string) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			_, _ = io.Copy(io.Discard, q.Body)
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, `data: {"choices":[{"index":0,"delta":{"content":"from `+name+`"}}]}`+"\n\n")
			w.(http.Flusher).Flush()
			if name == "old" {
				_, _ = io.WriteString(w, <-more)
			}
			_, _ = io.WriteString(w, "data: [DONE]\n\n")
		}))
	}
	old, young := model("old"), model("young")
	defer old.Close()
	defer young.Close()
	file := func(url string) string {
		return `upstreams: {a: {url: "` + url + `", dialect: openai, default: true}}` + "\n"
	}
	path := configFile(t, file(old.URL))
	r := launchWith(t, path)
	stream, err := r.http.Do(r.ask("any", `,"stream":true`))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	events := bufio.NewReader(stream.Body)
	if event, _ := events.ReadString('\n'); !strings.Contains(event, "from old") {
		t.Fatalf("the stream begins with %s", event)
	}

	write(t, path, file(young.URL))
	r.log.await("message", "the configuration was reloaded")
	if got := r.chat("any", `,"stream":true`); !strings.Contains(got.body, "from young") {
		t.Errorf("after the reload: %s", got.body)
	}
	more <- `data: {"choices":[{"index":0,"delta":{"content":"still here"}}]}` + "\n\n"
	rest, err := io.ReadAll(events)
	if err != nil || !strings.Contains(string(rest), "still here") || !strings.HasSuffix(string(rest), "data: [DONE]\n\n") {
		t.Errorf("the stream went on with %s %v", rest, err)
	}
}
