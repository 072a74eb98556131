package provider

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/tools/txtar"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// asks returns a call for one attempt in a caller's dialect, its body read in and
// scanned.
func asks(t testing.TB, caller gateway.Dialect, op llm.Operation, body string) *gateway.Call {
	t.Helper()
	request, err := llm.Scan(caller.(dialect).word(), op, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	call := gateway.NewCall(http.MethodPost, "/v1/anything", nil)
	call.Route = &gateway.Route{Name: "any", Operation: op, Dialect: caller}
	call.Dialect, call.LLM = caller, request
	call.Body = gateway.Body{Bytes: []byte(body), Length: int64(len(body))}
	return call.To(&gateway.Target{Upstream: "openai", Provider: "openai"})
}

// told plays a provider's stream to a caller, cut in each of the ways in which a
// network may cut it, and returns what the caller got and what was learned: the
// same each time.
func told(t *testing.T, caller gateway.Dialect, speaks llm.Dialect, asked, stream string, end error) (got, learned string) {
	t.Helper()
	first := true
	for name, body := range cuts([]byte(stream), end) {
		call := asks(t, caller, llm.Chat, asked)
		sender := says(http.StatusOK, "text/event-stream", -1, body)
		reply, err := New(gateway.Target{Model: "gpt-5", Provider: "openai"}, Settings{Dialect: speaks}, sender).Handle(t.Context(), call)
		text := []byte{}
		if err == nil {
			text, err = io.ReadAll(reply.Body)
			reply.Close()
		}
		knows := facts(call.Attempt, reply, err)
		if first {
			got, learned, first = string(text), knows, false
			continue
		}
		if string(text) != got || knows != learned {
			t.Fatalf("%s: the caller got\n%s%s\nand in another way\n%s%s", name, text, knows, got, learned)
		}
	}
	return got, learned
}

// golden compares what came out with a section of a file, or writes it there.
func golden(t *testing.T, archive *txtar.Archive, section, got string) {
	t.Helper()
	if got != "" && !strings.HasSuffix(got, "\n") {
		got += "\n"
	}
	for i := range archive.Files {
		if file := &archive.Files[i]; file.Name == section {
			if *update {
				file.Data = []byte(got)
			}
			if string(file.Data) != got {
				t.Errorf("%s: got\n%s\nwant\n%s", section, got, file.Data)
			}
			return
		}
	}
	t.Errorf("there is no section %q", section)
}

// goldens runs a test for each file of a folder.
func goldens(t *testing.T, folder string, test func(t *testing.T, archive *txtar.Archive, file map[string]string)) {
	t.Helper()
	paths, _ := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
	if len(paths) < 12 {
		t.Fatalf("found %d files", len(paths))
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, file := parse(t, path)
			synctest.Test(t, func(t *testing.T) { test(t, archive, file) }) // for the times in answers
			if *update {
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Each file in testdata/responses is a stream as a provider sends it, what is
// learned from it, and what callers in other dialects get. A caller of Responses
// gets the provider's bytes.
func TestResponsesStream(t *testing.T) {
	goldens(t, "responses", func(t *testing.T, archive *txtar.Archive, file map[string]string) {
		stream, end := file["provider.sse"], ending(file["ends"])
		got, learned := told(t, Responses, llm.Responses, `{"model":"gpt-5","stream":true,"input":"Hi"}`, stream, end)
		if strings.HasPrefix(learned, "status 200") && got != stream {
			t.Errorf("the caller got\n%s\nwant\n%s", got, stream)
		}
		golden(t, archive, "facts", learned)
		for caller, asked := range map[gateway.Dialect]string{
			OpenAI:    `{"model":"gpt-5","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hi"}]}`,
			Anthropic: `{"model":"gpt-5","stream":true,"max_tokens":99,"messages":[{"role":"user","content":"Hi"}]}`,
		} {
			got, again := told(t, caller, llm.Responses, asked, stream, end)
			golden(t, archive, string(caller.(dialect).word())+".sse", got)
			if again != learned {
				t.Errorf("of a stream told in another dialect was learned\n%s\nwant\n%s", again, learned)
			}
		}
	})
}

// Each file in testdata/responses_caller is a chat's stream as a provider sends
// it, and what a caller of Responses gets.
func TestResponsesCaller(t *testing.T) {
	goldens(t, "responses_caller", func(t *testing.T, archive *txtar.Archive, file map[string]string) {
		got, learned := told(t, Responses, llm.OpenAI, file["asked"], file["provider.sse"], ending(file["ends"]))
		golden(t, archive, "client.sse", got)
		golden(t, archive, "facts", learned)
		wellFormed(t, got)
	})
}
