package provider

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// Whatever a provider streams, nobody panics or hangs, the caller gets the same
// however it was cut, the provider's bytes where it speaks the same dialect, and
// otherwise what Anthropic's libraries can read.
func FuzzAnthropicStream(f *testing.F) {
	for _, folder := range []string{"anthropic", "anthropic_caller"} {
		paths, _ := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
		for _, path := range paths {
			_, file := parse(f, path)
			f.Add([]byte(file["provider.sse"]))
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		for _, pair := range []struct {
			caller gateway.Dialect
			speaks llm.Dialect
			asked  string
		}{
			{Anthropic, llm.OpenAI, messagesAsked},
			{Anthropic, llm.Anthropic, messagesAsked},
			{OpenAI, llm.Anthropic, chatAsked},
			{OpenAI, llm.OpenAI, plainAsked},
		} {
			whole, err := heardAlike(t, pair.caller, pair.speaks, pair.asked, stream)
			if pair.caller == Anthropic && pair.speaks == llm.OpenAI && err == nil && whole != "" && !strings.Contains(whole, "event: error\n") {
				wellFormedMessage(t, whole)
			}
		}
	})
}

// Whatever passes the scan is read without panic, and what was authorised is what
// is forwarded, in whichever dialect.
func FuzzPrompt(f *testing.F) {
	paths, _ := filepath.Glob("testdata/prompts/*.txtar")
	for _, path := range paths {
		_, file := parse(f, path)
		for section, body := range file {
			if strings.HasPrefix(section, "from ") {
				f.Add([]byte(body))
			}
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, caller := range []dialect{anthropic{}, openAI{}} {
			request, err := llm.Scan(caller.word(), llm.Chat, body)
			if err != nil {
				continue
			}
			p, err := caller.prompt(body)
			if err != nil {
				continue
			}
			p.Model, p.Stream = request.Model, request.Stream
			estimate(p)
			for _, speaks := range []dialect{anthropic{}, openAI{}, openAI{provider: "openai"}} {
				written, _ := speaks.appendPrompt(nil, p)
				again, err := llm.Scan(speaks.word(), llm.Chat, written)
				if err != nil {
					t.Fatalf("%s: %v\n%s", body, err, written)
				}
				if again.Model != request.Model || again.Stream != request.Stream || request.MaxTokens > 0 && again.MaxTokens != request.MaxTokens {
					t.Errorf("%s\nwas authorised as %+v, and is sent as\n%s", body, request, written)
				}
			}
		}
	})
}

// Whatever a provider answers, nobody panics, and what the caller gets is JSON.
func FuzzOutput(f *testing.F) {
	paths, _ := filepath.Glob("testdata/outputs/*.txtar")
	for _, path := range paths {
		_, file := parse(f, path)
		for section, body := range file {
			if strings.HasPrefix(section, "from ") {
				f.Add([]byte(body))
			}
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, speaks := range []llm.Dialect{llm.OpenAI, llm.Anthropic} {
			for name, caller := range byWord {
				sender := says(http.StatusOK, "application/json", -1, bytes.NewReader(body))
				reply, err := New(gateway.Target{}, Settings{Dialect: speaks}, sender).Handle(t.Context(), asks(t, caller, llm.Chat, asking[name]))
				if err != nil {
					continue
				}
				got, err := io.ReadAll(reply.Body)
				if string(speaks) != name && (err != nil || !json.Valid(got)) {
					t.Errorf("%s of %s: got %q, %v", name, body, got, err)
				}
			}
		}
	})
}
