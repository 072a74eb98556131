package llm

import (
	"bytes"
	"math/bits"
	"strconv"
)

// maxChoices is how many choices of one answer are told apart: OpenAI's bound.
const maxChoices = 128

type choices [maxChoices / 64]uint64

func (c *choices) add(i int)      { c[i/64] |= 1 << (i % 64) }
func (c *choices) has(i int) bool { return c[i/64]&(1<<(i%64)) != 0 }

func (c *choices) count() (n int) {
	for _, word := range c {
		n += bits.OnesCount64(word)
	}
	return n
}

// Chunk is what one event of a stream is to the gateway.
type Chunk struct {
	Semantic bool     // it carries a part of the answer: content, a tool call, the reason of its end
	Done     bool     // it is the end mark
	Extra    bool     // it is OpenAI's chunk that has the usage and no choice: only who asked for it may get it
	Failure  *Failure // it says that the provider failed
}

// ScanAnswer reads a whole answer. The failure is not nil where the body is a
// provider's error instead of an answer. Gemini has been seen to send that in a
// list.
func ScanAnswer(body []byte) (Answer, *Failure) {
	var a Answer
	if is(body[space(body, 0):], '[') {
		list := walk(body)
		body, _ = list.element()
	}
	chunk := a.read(body)
	return a, chunk.Failure
}

// Chunk reads the data of one event, as far as it is JSON.
func (a *Answer) Chunk(data []byte) (c Chunk) {
	if a.mould.fits(data) {
		return Chunk{Semantic: true}
	}
	c = a.read(data)
	if c.Semantic && c.Failure == nil {
		a.mould.take(data, openAIText)
	}
	return c
}

// read is Chunk for data that is like none before.
func (a *Answer) read(data []byte) (c Chunk) {
	if string(bytes.TrimSpace(data)) == "[DONE]" {
		return Chunk{Done: true}
	}
	if !is(data[space(data, 0):], '{') {
		return c
	}
	some := false // it has a choice
	for fields := walk(data); ; {
		key, value, _, ok := fields.member()
		switch {
		case !ok:
			c.Extra = c.Extra && !some && c.Failure == nil
			return c
		case same(key, "id") && a.ID == "":
			a.ID, _ = str(value)
		case same(key, "model") && a.Model == "":
			a.Model, _ = str(value)
		case same(key, "choices") && is(value, '['):
			for list := walk(value); ; {
				choice, ok := list.element()
				if !ok {
					break
				}
				some = true
				if is(choice, '{') && a.choice(choice) {
					c.Semantic = true
				}
			}
		case same(key, "usage") && is(value, '{'):
			a.usage(value)
			c.Extra = true
		case same(key, "error") && said(value):
			c.Failure = failure(value, data)
		}
	}
}

// Tail reads the usage, and the model where it is not known yet, out of the end
// of an answer that was too large to be read whole.
func (a *Answer) Tail(tail []byte) {
	if at := after(tail, `"usage"`); is(tail[at:], '{') {
		a.usage(tail[at:])
	}
	if at := after(tail, `"model"`); a.Model == "" && is(tail[at:], '"') {
		a.Model, _ = str(tail[at:skip(tail, at)])
	}
}

// after returns where the value of a key begins that stands in a piece of an
// object; the end of the piece where it does not. Within a string a quote is
// escaped, so no text can look like a key.
func after(piece []byte, key string) int {
	at := bytes.LastIndex(piece, []byte(key))
	if at < 0 {
		return len(piece)
	}
	at = space(piece, at+len(key))
	if at >= len(piece) || piece[at] != ':' {
		return len(piece)
	}
	return space(piece, at+1)
}

// Finished reports whether as many choices as were asked for, and all that were
// begun, have ended. 0 asks for one.
func (a *Answer) Finished(asked int64) bool {
	return int64(a.ended.count()) >= max(asked, 1) && a.ended == a.begun
}

// choice reads one element of "choices" and reports whether it carries a part
// of the answer.
func (a *Answer) choice(text []byte) (semantic bool) {
	index, reason := 0, []byte(nil)
	for fields := walk(text); ; {
		key, value, _, ok := fields.member()
		switch {
		case !ok:
			a.end(index, reason)
			return semantic || reason != nil
		case same(key, "index"):
			index, _ = strconv.Atoi(string(value))
		case same(key, "finish_reason") && said(value):
			reason = value
		case same(key, "text") && said(value):
			semantic = true
		case (same(key, "delta") || same(key, "message")) && is(value, '{'):
			for parts := walk(value); ; {
				key, value, _, ok := parts.member()
				if !ok {
					break
				}
				if !same(key, "role") && said(value) {
					semantic = true
				}
			}
		}
	}
}

func (a *Answer) end(index int, reason []byte) {
	if index < 0 || index >= maxChoices {
		return
	}
	a.begun.add(index)
	if reason == nil || a.ended.has(index) {
		return
	}
	a.ended.add(index)
	a.FinishReasons = append(a.FinishReasons, finishReason(reason))
}

// said reports whether a value says anything: null, "", [] and {} do not.
func said(value []byte) bool {
	switch string(value) {
	case "", "null", `""`, "[]", "{}":
		return false
	}
	return true
}

// finishReason spares the common words their allocation.
func finishReason(value []byte) string {
	switch string(value) {
	case `"stop"`:
		return "stop"
	case `"length"`:
		return "length"
	case `"tool_calls"`:
		return "tool_calls"
	case `"content_filter"`:
		return "content_filter"
	}
	reason, _ := str(value)
	return reason
}

// usage reads the counts. The last one of a stream holds: some providers send
// it with every chunk, so it is never summed up. OpenAI's newer APIs say input and
// output.
func (a *Answer) usage(text []byte) {
	u := Usage{}
	for fields := walk(text); ; {
		key, value, _, ok := fields.member()
		switch {
		case !ok:
			if u.Known {
				a.Usage = u
			}
			return
		case same(key, "prompt_tokens"), same(key, "input_tokens"):
			u.Known = count(value, &u.Input) || u.Known
		case same(key, "completion_tokens"), same(key, "output_tokens"):
			u.Known = count(value, &u.Output) || u.Known
		case (same(key, "prompt_tokens_details") || same(key, "input_tokens_details")) && is(value, '{'):
			detail(value, "cached_tokens", &u.CacheRead)
			detail(value, "cache_write_tokens", &u.CacheWrite)
		case (same(key, "completion_tokens_details") || same(key, "output_tokens_details")) && is(value, '{'):
			detail(value, "reasoning_tokens", &u.Reasoning)
		}
	}
}

func detail(text []byte, name string, to *int64) {
	for fields := walk(text); ; {
		key, value, _, ok := fields.member()
		if !ok {
			return
		}
		if same(key, name) {
			count(value, to)
		}
	}
}

// count reads a number of tokens. What is none counts nothing: a provider must
// not be able to give tokens back.
func count(value []byte, to *int64) bool {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n < 0 {
		return false
	}
	*to = n
	return true
}
