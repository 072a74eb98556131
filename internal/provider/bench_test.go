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

// BenchmarkToldChunk is what one event costs on its way: passed on as it is, and
// told in another dialect.
func BenchmarkToldChunk(b *testing.B) {
	const responsesDelta = "event: response.output_text.delta\ndata: " + `{"type":"response.output_text.delta","sequence_number":17,"item_id":"msg_68af4030592c81938ec0a5fbab4a3e9f05438e46b5f69a3b","output_index":0,"content_index":0,"delta":" there","logprobs":[],"obfuscation":"x8Kq2LwPz1"}` + "\n\n"
	const asked = `{"model":"gpt-5","stream":true,"input":"Hi"}`
	const delta = "event: content_block_delta\ndata: " + `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" there"}}` + "\n\n"
	const chunk = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1767225600,"model":"gpt-5","choices":[{"index":0,"delta":{"content":" there"},"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n"
	for _, bench := range []struct {
		name   string
		caller gateway.Dialect
		speaks llm.Dialect
		asked  string
		event  string
	}{
		{"Messages as they are", Anthropic, llm.Anthropic, messagesAsked, delta},
		{"Messages to a chat", OpenAI, llm.Anthropic, chatAsked, delta},
		{"a chat to Messages", Anthropic, llm.OpenAI, messagesAsked, chunk},
		{"a Response as it is", Responses, llm.Responses, asked, responsesDelta},
		{"a Response to a chat", OpenAI, llm.Responses, chatAsked, responsesDelta},
		{"a Response to Messages", Anthropic, llm.Responses, messagesAsked, responsesDelta},
		{"a chat to a Response", Responses, llm.OpenAI, asked, chunk},
	} {
		b.Run(bench.name, func(b *testing.B) {
			call := asks(b, bench.caller, llm.Chat, bench.asked)
			b.ReportAllocs()
			reply, err := New(gateway.Target{}, Settings{Dialect: bench.speaks}, says(200, "text/event-stream", -1, &eventwise{bench.event, b.N + 1})).Handle(b.Context(), call)
			if err != nil {
				b.Fatal(err)
			}
			buf := make([]byte, 32<<10)
			for err == nil {
				_, err = reply.Body.Read(buf)
			}
			if call.Attempt.Stream.Chunks != b.N {
				b.Fatalf("%v after %d chunks of %d", err, call.Attempt.Stream.Chunks, b.N)
			}
		})
	}
}

// A stream of the caller's own dialect costs no allocation for an event, also
// where the usage is taken out of it.
func TestAnEventThatPassesCostsNoAllocation(t *testing.T) {
	for _, tt := range []struct {
		name   string
		caller gateway.Dialect
		speaks llm.Dialect
		asked  string
		event  string
	}{
		{"a chat", OpenAI, llm.OpenAI, chatAsked, token + "\n\n"},
		{"a chat without usage", OpenAI, llm.OpenAI, plainAsked, token + "\n\n"},
		{"a message", Anthropic, llm.Anthropic, messagesAsked, `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" there"}}` + "\n\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			call := asks(t, tt.caller, llm.Chat, tt.asked)
			reply, err := New(gateway.Target{}, Settings{Dialect: tt.speaks}, says(200, "text/event-stream", -1, &eventwise{tt.event, 10000})).Handle(t.Context(), call)
			if err != nil {
				t.Fatal(err)
			}
			defer reply.Close()
			buf := make([]byte, 32<<10)
			if n := testing.AllocsPerRun(1000, func() { _, err = reply.Body.Read(buf) }); n > 0 || err != nil {
				t.Errorf("%v allocations for each event, %v", n, err)
			}
		})
	}
}
