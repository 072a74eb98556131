package provider

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/tools/txtar"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

var update = flag.Bool("update", false, "write the facts of testdata anew")

// chatCall returns a call for one attempt, its body read in and scanned.
func chatCall(t testing.TB, op llm.Operation, body string) *gateway.Call {
	t.Helper()
	request, err := llm.ScanRequest([]byte(body), op)
	if err != nil {
		t.Fatal(err)
	}
	call := gateway.NewCall(http.MethodPost, "/v1/chat/completions", nil)
	call.Route = &gateway.Route{Name: "chat", Operation: op, Dialect: OpenAI}
	call.Dialect = OpenAI
	call.LLM = request
	call.Body = gateway.Body{Bytes: []byte(body), Length: int64(len(body))}
	return call.To(&gateway.Target{Upstream: "openai", Provider: "openai"})
}

func newOpenAI(target gateway.Target, sender gateway.Handler) gateway.Handler {
	return New(target, Settings{Dialect: llm.OpenAI}, sender)
}

// says returns a sender that answers with these bytes, cut and ended so.
func says(status int, contentType string, length int64, body io.Reader) gateway.Handler {
	return gateway.HandlerFunc(func(context.Context, *gateway.Call) (*gateway.Reply, error) {
		return gateway.NewReply(status, http.Header{"Content-Type": {contentType}}, body, length, nil), nil
	})
}

// cuts are the ways in which a network may cut a stream: whole, by the byte, in
// halves, and in two at every place of a small one.
func cuts(text []byte, end error) map[string]io.Reader {
	rest := func() io.Reader { return iotest.ErrReader(end) }
	whole := func() io.Reader { return io.MultiReader(bytes.NewReader(text), rest()) }
	readers := map[string]io.Reader{
		"whole":             whole(),
		"bytes":             iotest.OneByteReader(whole()),
		"halves":            iotest.HalfReader(whole()),
		"with its end":      iotest.DataErrReader(whole()),
		"in halves, ending": iotest.DataErrReader(iotest.HalfReader(whole())),
	}
	if len(text) < 4096 {
		for i := range text {
			readers[fmt.Sprintf("in two at %d", i)] = io.MultiReader(bytes.NewReader(text[:i]), bytes.NewReader(text[i:]), rest())
		}
	}
	return readers
}

// facts prints what a client and an operator learn of an answer.
func facts(attempt *gateway.Attempt, reply *gateway.Reply, err error) string {
	var out strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	if reply != nil {
		say("status %d", reply.Status)
		say("outcome %s", reply.Outcome)
	}
	if err != nil {
		say("error %s: %s", gateway.AsError(err).Code, gateway.AsError(err).Message)
	}
	if a := attempt.Answer; a.ID != "" {
		say("id %s, model %s", a.ID, a.Model)
		say("ended by %q", a.FinishReasons)
	}
	if s := attempt.Stream; s != nil {
		say("chunks %d", s.Chunks)
	}
	if u := attempt.Answer.Usage; u.Known {
		say("%d in (%d cached), %d out (%d reasoning)", u.Input, u.CacheRead, u.Output, u.Reasoning)
	}
	return out.String()
}

// Each file in testdata/openai is a stream as a provider sends it, and what is
// learned from it. However the network cuts it, the client gets these bytes.
func TestOpenAIStream(t *testing.T) {
	files, _ := filepath.Glob("testdata/openai/*.txtar")
	if len(files) < 12 {
		t.Fatalf("found %d files", len(files))
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, file := parse(t, path)
			for name, body := range cuts([]byte(file["provider.sse"]), ending(file["ends"])) {
				call := chatCall(t, llm.Chat, file["asked"])
				reply, err := newOpenAI(gateway.Target{}, says(200, "text/event-stream", -1, body)).Handle(t.Context(), call)
				var got []byte
				if err == nil {
					got, err = io.ReadAll(reply.Body)
					reply.Close()
				}
				if reply != nil && reply.Status == 200 && string(got) != file["provider.sse"] {
					t.Errorf("%s: the client got\n%s\nwant\n%s", name, got, file["provider.sse"])
				}
				if reply != nil && reply.Status != 200 && !strings.Contains(file["provider.sse"], string(bytes.TrimSpace(got))) {
					t.Errorf("%s: the client got %s, which the provider has not said", name, got)
				}
				learned := facts(call.Attempt, reply, err)
				if *update && name == "whole" {
					archive.Files[len(archive.Files)-1].Data = []byte(learned)
					if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
						t.Fatal(err)
					}
					file["facts"] = learned
				}
				if learned != file["facts"] {
					t.Errorf("%s: learned\n%s\nwant\n%s", name, learned, file["facts"])
				}
			}
		})
	}
}

func parse(t testing.TB, path string) (*txtar.Archive, map[string]string) {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file := map[string]string{"asked": `{"model":"gpt-5","stream":true,"stream_options":{"include_usage":true}}`}
	for _, f := range archive.Files {
		file[f.Name] = string(f.Data)
	}
	for line := range strings.Lines(file["provider.quoted"]) {
		text, err := strconv.Unquote(strings.TrimSpace(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		file["provider.sse"] += text
	}
	return archive, file
}

func ending(text string) error {
	if text == "" {
		return io.EOF
	}
	return errors.New(strings.TrimSpace(text))
}
