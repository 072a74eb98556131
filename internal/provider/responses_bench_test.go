package provider

import (
	"io"
	"testing"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// BenchmarkResponsesChunk is what one event costs on its way: passed on as it is,
// and told in another dialect.
func BenchmarkResponsesChunk(b *testing.B) {
	const responsesAsked, chatAsked = `{"model":"gpt-5","stream":true,"input":"Hi"}`, `{"model":"gpt-5","stream":true,"messages":[{"role":"user","content":"Hi"}]}`
	const messagesAsked = `{"model":"gpt-5","max_tokens":99,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`
	const delta = "event: response.output_text.delta\ndata: " + `{"type":"response.output_text.delta","sequence_number":17,"item_id":"msg_68af4030592c81938ec0a5fbab4a3e9f05438e46b5f69a3b","output_index":0,"content_index":0,"delta":" there","logprobs":[],"obfuscation":"x8Kq2LwPz1"}` + "\n\n"
	const chunk = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1767225600,"model":"gpt-5","choices":[{"index":0,"delta":{"content":" there"},"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n"
	for _, bench := range []struct {
		name   string
		caller gateway.Dialect
		speaks llm.Dialect
		asked  string
		event  string
	}{
		{"as it is", Responses, llm.Responses, responsesAsked, delta},
		{"to a chat", OpenAI, llm.Responses, chatAsked, delta},
		{"to Messages", Anthropic, llm.Responses, messagesAsked, delta},
		{"from a chat", Responses, llm.OpenAI, responsesAsked, chunk},
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
			if err != io.EOF || call.Attempt.Stream.Chunks != b.N {
				b.Fatalf("%v after %d chunks of %d", err, call.Attempt.Stream.Chunks, b.N)
			}
		})
	}
}
