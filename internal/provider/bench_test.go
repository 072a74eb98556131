package provider

import (
	"io"
	"strings"
	"testing"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// eventwise gives one event at each read, as a provider's connection does.
type eventwise struct {
	event string
	left  int
}

func (e *eventwise) Read(p []byte) (int, error) {
	switch e.left--; {
	case e.left > 0:
		return copy(p, e.event), nil
	case e.left == 0:
		return copy(p, "data: [DONE]\n\n"), nil
	}
	return 0, io.EOF
}

// BenchmarkStreamedChunk is what one event costs on its way through the dialect.
func BenchmarkStreamedChunk(b *testing.B) {
	event := `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1767225600,"model":"gpt-5","choices":[{"index":0,"delta":{"content":" there"},"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n"
	call := chatCall(b, llm.Chat, `{"model":"gpt-5","stream":true}`)
	b.ReportAllocs()
	reply, err := newOpenAI(gateway.Target{}, says(200, "text/event-stream", -1, &eventwise{event, b.N + 1})).Handle(b.Context(), call)
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 32<<10)
	for err == nil {
		_, err = reply.Body.Read(buf)
	}
	if err != io.EOF || call.Attempt.Stream.Chunks != b.N {
		b.Fatalf("%v after %d chunks of %d", err, call.Attempt.Stream.Chunks, b.N)
	}
}

// BenchmarkWholeAnswer is what an answer of 2 KB costs on its way through the
// dialect, its request included.
func BenchmarkWholeAnswer(b *testing.B) {
	answer := strings.Replace(chatAnswer, "Hi", strings.Repeat("Hello there. ", 150), 1)
	call := chatCall(b, llm.Chat, `{"model":"gpt-5"}`)
	b.ReportAllocs()
	for b.Loop() {
		sender := says(200, "application/json", int64(len(answer)), strings.NewReader(answer))
		reply, err := newOpenAI(gateway.Target{Model: "gpt-5-mini"}, sender).Handle(b.Context(), call)
		if err != nil || reply.Status != 200 {
			b.Fatal(err)
		}
	}
}
