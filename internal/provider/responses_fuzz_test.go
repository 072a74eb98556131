package provider

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// Whatever a provider streams, nobody panics or hangs, the caller gets the same
// however it was cut, and a caller of Responses gets what its library can read.
func FuzzResponsesStream(f *testing.F) {
	for _, folder := range []string{"responses", "responses_caller", "anthropic"} {
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
			{Responses, llm.OpenAI, `{"model":"m","stream":true,"input":"Hi"}`},
			{OpenAI, llm.Responses, `{"model":"m","stream":true,"messages":[{"role":"user","content":"Hi"}]}`},
			{Responses, llm.Anthropic, `{"model":"m","stream":true,"input":"Hi"}`},
			{Anthropic, llm.Responses, `{"model":"m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}`},
			{Responses, llm.Responses, `{"model":"m","stream":true,"input":"Hi"}`},
		} {
			whole, _ := heardAlike(t, pair.caller, pair.speaks, pair.asked, stream)
			if pair.caller == Responses && pair.speaks != llm.Responses {
				wellFormed(t, whole)
			}
		}
	})
}

// heardAlike returns what a caller hears of a stream, and makes sure that it is
// the same however the stream is cut, and the stream itself where it speaks the
// caller's dialect. OpenAI's tells a usage that its caller may not have asked for.
func heardAlike(t *testing.T, caller gateway.Dialect, speaks llm.Dialect, asked string, stream []byte) (string, error) {
	t.Helper()
	hear := func(body io.Reader) (string, error) {
		reply, err := New(gateway.Target{}, Settings{Dialect: speaks}, says(http.StatusOK, "text/event-stream", -1, body)).
			Handle(t.Context(), asks(t, caller, llm.Chat, asked))
		if err != nil {
			return "", err
		}
		defer reply.Close()
		text, err := io.ReadAll(reply.Body)
		if reply.Status != http.StatusOK {
			return "", io.ErrUnexpectedEOF // an ordinary error
		}
		return string(text), err
	}
	whole, err := hear(bytes.NewReader(stream))
	if same, ok := caller.(dialect); ok && same.word() == speaks && speaks != llm.OpenAI && err == nil && whole != string(stream) {
		t.Errorf("got %q of %q", whole, stream)
	}
	cut, cutErr := hear(iotest.OneByteReader(bytes.NewReader(stream)))
	if hideTimes(whole) != hideTimes(cut) || (err == nil) != (cutErr == nil) {
		t.Errorf("%s told by %s: whole\n%q\n%v\nby the byte\n%q\n%v", stream, speaks, whole, err, cut, cutErr)
	}
	return whole, err
}

// hideTimes hides when an answer was made: the clock may have moved on.
func hideTimes(text string) string {
	for _, name := range []string{`"created_at":`, `"created":`} {
		parts := strings.Split(text, name)
		for i := 1; i < len(parts); i++ {
			parts[i] = strings.TrimLeft(parts[i], "0123456789")
		}
		text = strings.Join(parts, name)
	}
	return text
}

// Whatever passes the scan is read without panic, and what was authorised is what
// is forwarded, as JSON, in whichever dialect.
func FuzzResponsesPrompt(f *testing.F) {
	for _, body := range []string{
		`{"model":"m","input":"Hi","stream":true,"max_output_tokens":7}`, `{"input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,A\u0041"}]}],"model":"\u006d","stream":false}`,
		`{"model":"m","input":[{"type":"function_call","call_id":"a","name":"f","arguments":"{"},{"type":"function_call_output","call_id":"a","output":[]},{"type":"reasoning","encrypted_content":"spanway:signature:x"}]}`,
		`{"model":"m","input":"","tools":[{"type":"function","name":"f","parameters":{"a":[1e9]},"strict":null}],"tool_choice":{"type":"function"},"text":{"format":{"type":"json_schema","schema":{}}},"reasoning":{"effort":"x"}}`,
		`{"model":"m","messages":[{"role":"user","name":"n","content":[]}],"seed":1,"verbosity":"low","store":true,"stop":["a"]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, caller := range []dialect{responses{}, openAI{}} {
			request, err := llm.Scan(caller.word(), llm.Chat, body)
			if err != nil {
				continue
			}
			p, err := caller.prompt(body)
			if err != nil {
				continue
			}
			for _, speaks := range []dialect{responses{}, openAI{}} {
				written, _ := speaks.appendPrompt(nil, p)
				var sent struct {
					Model  string
					Stream bool
					Most   int64 `json:"max_output_tokens"`
				}
				if err := json.Unmarshal(written, &sent); err != nil {
					t.Fatalf("%s: %v\n%s", body, err, written)
				}
				if sent.Model != request.Model || sent.Stream != request.Stream || speaks.word() == llm.Responses && request.MaxTokens >= responsesLeast && sent.Most != request.MaxTokens {
					t.Errorf("%s\nwas authorised as %+v, and is sent as\n%s", body, request, written)
				}
			}
		}
	})
}
