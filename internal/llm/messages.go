package llm

import "math"

// ScanMessage is [ScanAnswer] for a message of Anthropic's.
func ScanMessage(body []byte) (Answer, *Failure) {
	var a Answer
	if !is(body[space(body, 0):], '{') {
		return a, nil
	}
	failure := a.message(body, body)
	return a, failure
}

// MessageEvent is [Answer.Chunk] for an event of Anthropic's.
func (a *Answer) MessageEvent(data []byte) (c Chunk) {
	if a.mould.fits(data) {
		return Chunk{Semantic: true}
	}
	if !is(data[space(data, 0):], '{') {
		return c
	}
	var kind, delta, usage, message, broken []byte
	for fields := walk(data); ; {
		key, value, _, ok := fields.member()
		if !ok {
			break
		}
		switch {
		case same(key, "type"):
			kind = value
		case same(key, "delta"):
			delta = value
		case same(key, "usage"):
			usage = value
		case same(key, "message"):
			message = value
		case same(key, "error") && said(value):
			broken = value
		}
	}
	switch string(kind) {
	case `"content_block_delta"`:
		if c.Semantic = spoken(delta); c.Semantic {
			a.mould.take(data, anthropicText)
		}
	case `"message_start"`:
		if is(message, '{') {
			c.Failure = a.message(message, data)
		}
	case `"message_delta"`:
		if is(delta, '{') {
			c.Semantic = a.stopped(delta)
		}
		if is(usage, '{') {
			a.messageUsage(usage)
		}
	case `"message_stop"`:
		c.Done = true
	case `"error"`, "":
		if broken != nil {
			c.Failure = failure(broken, data)
		}
	}
	return c
}

// message reads a message, and the error that stands in its place.
func (a *Answer) message(text, whole []byte) *Failure {
	for fields := walk(text); ; {
		key, value, _, ok := fields.member()
		switch {
		case !ok:
			return nil
		case same(key, "id"):
			a.ID, _ = str(value)
		case same(key, "model"):
			a.Model, _ = str(value)
		case same(key, "stop_reason") && said(value):
			a.FinishReasons = append(a.FinishReasons[:0], stopReason(value))
		case same(key, "usage") && is(value, '{'):
			a.messageUsage(value)
		case same(key, "error") && said(value):
			return failure(value, whole)
		}
	}
}

// spoken reports whether a delta carries a part of the answer.
func spoken(delta []byte) bool {
	if !is(delta, '{') {
		return false
	}
	for fields := walk(delta); ; {
		key, value, _, ok := fields.member()
		if !ok {
			return false
		}
		if !same(key, "type") && said(value) {
			return true
		}
	}
}

// stopped reads the delta of a whole message, and reports whether it ends it.
func (a *Answer) stopped(delta []byte) bool {
	for fields := walk(delta); ; {
		key, value, _, ok := fields.member()
		if !ok {
			return false
		}
		if same(key, "stop_reason") && said(value) {
			a.FinishReasons = append(a.FinishReasons[:0], stopReason(value))
			return true
		}
	}
}

// stopReason spares the common words their allocation.
func stopReason(value []byte) string {
	switch string(value) {
	case `"end_turn"`:
		return "end_turn"
	case `"tool_use"`:
		return "tool_use"
	case `"max_tokens"`:
		return "max_tokens"
	}
	reason, _ := str(value)
	return reason
}

// messageUsage reads the counts that are there; the others stay as they were. What
// was read from a cache or written to one stands beside the input there, and is a
// part of it here.
func (a *Answer) messageUsage(text []byte) {
	u := a.Usage
	input := max(u.Input-u.CacheRead-u.CacheWrite, 0)
	for fields := walk(text); ; {
		key, value, _, ok := fields.member()
		switch {
		case !ok:
			u.Input = Sum(input, Sum(u.CacheRead, u.CacheWrite))
			if u.Known {
				a.Usage = u
			}
			return
		case same(key, "input_tokens"):
			u.Known = count(value, &input) || u.Known
		case same(key, "output_tokens"):
			u.Known = count(value, &u.Output) || u.Known
		case same(key, "cache_read_input_tokens"):
			count(value, &u.CacheRead)
		case same(key, "cache_creation_input_tokens"):
			count(value, &u.CacheWrite)
		}
	}
}

// Sum adds what cannot be negative.
func Sum(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
