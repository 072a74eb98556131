package assemble_test

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rs/zerolog"
	"golang.org/x/tools/txtar"

	"github.com/spanway/spanway/internal/admin"
	"github.com/spanway/spanway/internal/config"
)

// The canaries are planted wherever a secret can stand. All begin alike, so that
// one search finds any of them.
const (
	canary         = "CANARY0"
	canaryKey      = canary + "callerskey"   // what the caller shows
	canaryProvider = canary + "providerskey" // what the provider is shown
	canaryText     = canary + "text"         // what callers and providers say, in bodies, queries and headers
)

// TestNoSecretIsTold plays every scenario with canaries in the caller's key, in
// all of its headers, in queries and bodies, in the provider's key (from a
// variable, and from a file) and in what the provider says. None may be found in
// the log at its most talkative, in spans, metrics, errors of ours, the
// configuration that the control listener shows, or the answers of the probe.
// The path is not planted: it is shown, and the contract says so.
func TestNoSecretIsTold(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(secret, []byte(canaryProvider+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := maps.Clone(environment)
	env["OPENAI_API_KEY"] = canaryProvider
	for name, archive := range scenarios(t) {
		for where, reference := range map[string]string{"variable": "${OPENAI_API_KEY}", "file": "file:" + secret} {
			t.Run(name+"/"+where, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					checkUntold(t, play(t, plant(archive, reference), env, zerolog.TraceLevel))
				})
			})
		}
	}
}

// TestCanariesSing makes sure that there is something to be found: what is
// planted reaches the provider and comes back.
func TestCanariesSing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := play(t, plant(scenarios(t)["chat"], "${OPENAI_API_KEY}"), map[string]string{"OPENAI_API_KEY": canaryProvider}, zerolog.TraceLevel)
		sent, answer := p.world.upstream.Requests()[0].Raw, p.answers["answer"]
		if !strings.Contains(sent, canaryProvider) || !strings.Contains(sent, canaryText) || !strings.Contains(answer, canaryText) {
			t.Errorf("the provider got\n%s\nthe client got\n%s", sent, answer)
		}
	})
}

var (
	said        = regexp.MustCompile(`"(message|content)":"[^"]*"`)
	requestLine = regexp.MustCompile(`(?m)^((?:GET|HEAD|OPTIONS|POST|PUT) [^ ?]+)(\?[^ ]*)?( HTTP/1\.1)$`)
)

// plant puts canaries into a scenario.
func plant(archive *txtar.Archive, reference string) *txtar.Archive {
	keyOf := func(key string) string {
		sum := sha256.Sum256([]byte(key))
		return hex.EncodeToString(sum[:])
	}
	planted := &txtar.Archive{}
	for _, section := range archive.Files {
		text := string(section.Data)
		name, _, _ := strings.Cut(section.Name, ",")
		switch {
		case name == "spanway.yaml":
			text = strings.ReplaceAll(text, "${OPENAI_API_KEY}", reference)
			text = strings.ReplaceAll(text, keyOf("sk-team-a"), keyOf(canaryKey))
		case name == "upstream":
			text = said.ReplaceAllString(text, `"$1":"`+canaryText+`"`)
		case strings.HasPrefix(name, "request"):
			text = plantRequest(text, strings.Contains(section.Name, "raw"))
		}
		planted.Files = append(planted.Files, txtar.File{Name: section.Name, Data: []byte(text)})
	}
	return planted
}

func plantRequest(text string, raw bool) string {
	text = strings.ReplaceAll(text, "sk-team-a", canaryKey)
	text = strings.ReplaceAll(text, "sk-wrong", canaryKey+"x")
	text = strings.ReplaceAll(text, `"Hello"`, `"`+canaryText+`"`)
	headers := "Cookie: session=" + canaryText + "\nX-Secret: " + canaryText + "\nUser-Agent: " + canaryText +
		"\nReferer: http://example.com/?key=" + canaryText + "\nProxy-Authorization: Basic " + canaryText + "\n"
	if !strings.Contains(text, "Authorization:") && !strings.Contains(text, "X-Api-Key:") {
		headers += "Authorization: Bearer " + canaryKey + "-unknown\nX-Api-Key: " + canaryKey + "-unknown\n"
	}
	if raw {
		return strings.Replace(text, `Host: gateway\r\n`, `Host: gateway\r\n`+strings.ReplaceAll(headers, "\n", `\r\n`), 1)
	}
	text = requestLine.ReplaceAllString(text, "${1}?key="+canaryText+"$3")
	return strings.Replace(text, " HTTP/1.1\n", " HTTP/1.1\n"+headers, 1)
}

// checkUntold looks for canaries where none may be.
func checkUntold(t *testing.T, p *played) {
	t.Helper()
	look := func(where, text string) {
		if i := strings.Index(text, canary); i >= 0 {
			t.Errorf("%s tells a secret: …%s…", where, text[max(0, i-100):min(len(text), i+60)])
		}
	}
	w := p.world
	look("the log", w.log.String())
	for _, span := range w.recorder.Spans() {
		look("the span "+span.Name, span.String())
	}
	look("a metric", w.recorder.Metrics())
	look("the configuration", string(config.Effective(w.file)))
	probe := admin.Probe{Unready: func() string { return "" }, Dependencies: w.generation.Dependencies}
	for _, path := range []string{"/healthz?verbose", "/readyz?verbose", "/readyz"} {
		answer := httptest.NewRecorder()
		probe.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		look(path, answer.Body.String())
	}
	for _, answer := range p.answers {
		head, body, _ := strings.Cut(answer, "\n\n")
		look("the head of an answer", head)
		for line := range strings.Lines(body) {
			if strings.Contains(line, `"trace_id"`) {
				// A provider's own words may be told in another dialect.
				look("an error", strings.ReplaceAll(line, `"message":"`+canaryText+`"`, ""))
			}
		}
		if strings.Contains(answer, canaryProvider) {
			t.Errorf("the provider's key came back:\n%s", answer)
		}
	}
	for _, request := range w.upstream.Requests() {
		if strings.Contains(request.Raw, canaryKey) {
			t.Errorf("the caller's key went on:\n%s", request.Raw)
		}
	}
}
