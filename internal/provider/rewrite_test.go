package provider

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

const (
	plainAsked = `{"model":"gpt-5","stream":true,"messages":[]}`
	token      = `data: {"choices":[{"index":0,"delta":{"content":"a"}}]}`
	stopped    = `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
	counted    = `data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5}}`
	last       = `data: [DONE]`
)

func TestTheUsageIsTakenOutOfAStreamThatWasNotAskedForIt(t *testing.T) {
	for _, tt := range []struct {
		name        string
		in, without []string // events
		end         error
	}{
		{"the usage before the end mark", []string{token, stopped, counted, last}, []string{token, stopped, last}, io.EOF},
		{"comments stay", []string{token, ": wait", stopped, ": wait", counted, last}, []string{token, ": wait", stopped, ": wait", last}, io.EOF},
		{"the usage last of all", []string{token, stopped, counted}, []string{token, stopped}, io.EOF},
		{"usage beside a choice", []string{token, `data: {"choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":5}}`, last},
			[]string{token, `data: {"choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":5}}`, last}, io.EOF},
		{"Azure's first chunk has no choice and no usage", []string{`data: {"choices":[],"prompt_filter_results":[]}`, token, stopped, counted, last},
			[]string{`data: {"choices":[],"prompt_filter_results":[]}`, token, stopped, last}, io.EOF},
		{"an error after it", []string{token, counted, `data: {"error":{"message":"x"}}`}, []string{token, `data: {"error":{"message":"x"}}`}, io.EOF},
		{"what comes after an error passes, too", []string{token, counted, `data: {"error":{"message":"x"}}`, last}, []string{token, `data: {"error":{"message":"x"}}`, last}, io.EOF},
	} {
		for _, lineEnd := range []string{"\n", "\r\n", "\r"} {
			write := func(events []string) string {
				return strings.Join(events, lineEnd+lineEnd) + lineEnd + lineEnd
			}
			in, want := write(tt.in), write(tt.without)
			got, learned := told(t, OpenAI, llm.OpenAI, plainAsked, in, tt.end)
			if got != want {
				t.Errorf("%s, lines that end in %q: got\n%q\nwant\n%q", tt.name, lineEnd, got, want)
			}
			if !strings.Contains(learned, "3 in") {
				t.Errorf("%s: learned\n%s", tt.name, learned)
			}
		}
	}
}

func TestOnlyWhoAsksGetsTheUsage(t *testing.T) {
	in := strings.Join([]string{token, stopped, counted, last, ""}, "\n\n")
	got, _ := told(t, OpenAI, llm.OpenAI, chatAsked, in, io.EOF)
	if got != in {
		t.Errorf("got\n%s\nwant\n%s", got, in)
	}
}

// A comment keeps connections awake: it must not wait for the next event.
func TestCommentsPassAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := &pieces{t.Context(), []piece{
			{0, []byte(token + "\n\n"), nil}, {time.Second, []byte(": wait\n\n"), nil}, {time.Minute, []byte(stopped + "\n\n" + last + "\n\n"), nil},
		}}
		reply, err := newOpenAI(gateway.Target{}, says(200, "text/event-stream", -1, body)).Handle(t.Context(), asks(t, OpenAI, llm.Chat, plainAsked))
		if err != nil {
			t.Fatal(err)
		}
		start, buf := time.Now(), make([]byte, 1<<10)
		got := ""
		for !strings.Contains(got, "wait") {
			n, err := reply.Body.Read(buf)
			if got += string(buf[:n]); err != nil {
				t.Fatal(err)
			}
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("the comment came after %v, want 1s", waited)
		}
		reply.Close()
	})
}

// One event may be as large as 16 MiB, in whichever dialect it is told.
func TestAVeryLongEventSurvives(t *testing.T) {
	long := strings.Repeat("long text, ", 16<<20/11)
	for _, speaks := range []llm.Dialect{llm.OpenAI, llm.Anthropic} {
		for name, caller := range byWord {
			body := `data: {"choices":[{"index":0,"delta":{"content":"` + long + `"},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"
			if speaks == llm.Anthropic {
				body = `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"` + long + `"}}` + "\n\n" + `data: {"type":"message_stop"}` + "\n\n"
			}
			asked := strings.Replace(asking[name], "{", `{"stream":true,`, 1)
			reply, err := New(gateway.Target{}, Settings{Dialect: speaks}, says(200, "text/event-stream", -1, iotest.HalfReader(strings.NewReader(body)))).
				Handle(t.Context(), asks(t, caller, llm.Chat, asked))
			if err != nil {
				t.Fatalf("%s to %s: %v", speaks, name, err)
			}
			got, err := io.ReadAll(reply.Body)
			if err != nil || !strings.Contains(string(got), long) {
				t.Errorf("%s to %s: got %d bytes, %v", speaks, name, len(got), err)
			}
			reply.Close()
		}
	}
}
