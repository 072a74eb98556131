package llm

import (
	"strings"
	"testing"
)

// Whatever text stands in an event that is otherwise like the one before, what
// is learned of it is what is learned without looking back.
func FuzzChunkLikeTheOneBefore(f *testing.F) {
	const shape = `{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"TEXT"},"finish_reason":null}]}`
	for _, seed := range []string{"b", "", `\n`, `\`, `\\`, `\"`, `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1},"x":[{"y":{"z":"`, "\x00", "é"} {
		f.Add(shape, seed)
	}
	f.Add(`{"choices":[{"delta":{"reasoning_content":"TEXT"}}]}`, "thinking")
	f.Add(`{"error":{"message":"TEXT"}}`, "no")
	f.Add(`TEXT`, "[DONE]")
	f.Fuzz(func(t *testing.T, shape, text string) {
		first := []byte(strings.ReplaceAll(shape, "TEXT", "a"))
		second := []byte(strings.ReplaceAll(shape, "TEXT", text))
		var quick, slow Answer
		quick.Chunk(first)
		slow.read(first)
		got, want := quick.Chunk(second), slow.read(second)
		quick.mould, slow.mould = mould{}, mould{}
		if got.Semantic != want.Semantic || got.Done != want.Done || (got.Failure == nil) != (want.Failure == nil) {
			t.Errorf("%q after %q is %+v, want %+v", second, first, got, want)
		}
		if quick.ID != slow.ID || quick.Model != slow.Model || quick.Usage != slow.Usage ||
			strings.Join(quick.FinishReasons, " ") != strings.Join(slow.FinishReasons, " ") || quick.ended != slow.ended {
			t.Errorf("after %q: %+v, want %+v", second, quick, slow)
		}
	})
}
