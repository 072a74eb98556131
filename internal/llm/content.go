package llm

import "bytes"

// Edit changes a text, or reports that it stays as it is.
type Edit func(text []byte) (changed []byte, ok bool)

// EditContent returns a body with each of its texts edited: what is said to a
// model and by it, the arguments and results of tools with it. Names, ids, keys,
// numbers, media, and the definitions of tools and schemas are none. It knows the
// texts by the names that the dialects give them, in requests and in whole
// answers. A body in which nothing changes is returned itself; in any other, all
// bytes but those of the changed texts are as they were. It must be [Valid].
func EditContent(body []byte, edit Edit) []byte {
	e := editor{body: body, edit: edit}
	e.visit(body, 0, e.member)
	return e.done()
}

// editStrings edits every string of a JSON text but keys.
func editStrings(body []byte, edit Edit) []byte {
	e := editor{body: body, edit: edit}
	e.all(body, 0)
	return e.done()
}

// AsksProbabilities reports whether a body asks for the answer's tokens one by
// one, beside the text.
func AsksProbabilities(body []byte) bool {
	for fields := walk(body); ; {
		key, value, _, ok := fields.member()
		if !ok {
			return false
		}
		switch name, _ := str(key); name {
		case "logprobs", "top_logprobs":
			if said(value) && string(value) != "false" && string(value) != "0" {
				return true
			}
		case "include":
			if bytes.Contains(value, []byte("logprobs")) {
				return true
			}
		}
	}
}

// editor writes a body anew as far as texts in it change.
type editor struct {
	body   []byte
	edit   Edit
	edited []byte
	from   int // so much of body is in edited
}

func (e *editor) done() []byte {
	if e.edited == nil {
		return e.body
	}
	return append(e.edited, e.body[e.from:]...)
}

// replace puts a text in the place of a value.
func (e *editor) replace(at, end int, text []byte) {
	e.edited = AppendString(append(e.edited, e.body[e.from:at]...), string(text))
	e.from = end
}

// visit calls member for the members of a value's objects, through its arrays.
func (e *editor) visit(value []byte, base int, member func(object, key, value []byte, at int)) {
	switch {
	case is(value[space(value, 0):], '{'):
		for fields := walk(value); ; {
			key, inner, at, ok := fields.member()
			if !ok {
				return
			}
			member(value, key, inner, base+at)
		}
	case is(value[space(value, 0):], '['):
		for list := walk(value); ; {
			inner, ok := list.element()
			if !ok {
				return
			}
			e.visit(inner, base+list.at-len(inner), member)
		}
	}
}

// member edits what a member of an object says, if its key is that of a text.
func (e *editor) member(object, key, value []byte, at int) {
	name := string(key[1 : len(key)-1])
	if bytes.IndexByte(key, '\\') >= 0 {
		name, _ = str(key)
	}
	switch name {
	case "tools", "functions", "tool_choice", "response_format", "format", "metadata", "usage", "output_config":
	case "content", "text", "prompt", "suffix", "instructions", "system", "refusal", "reasoning", "reasoning_content", "thinking",
		"output", "output_text", "transcript", "message", "title", "context":
		e.texts(value, at)
	case "data": // Anthropic's plain documents; else it is a medium
		if valueOf(object, "type") == `"text"` {
			e.texts(value, at)
		}
	case "variables": // of a prompt that the provider keeps
		e.all(value, at)
	case "arguments":
		e.arguments(value, at)
	case "input": // of a model, or of a tool
		if is(value, '{') {
			e.all(value, at)
		} else {
			e.texts(value, at)
		}
	default:
		e.visit(value, at, e.member)
	}
}

// valueOf returns the value of a member of an object, as it is written.
func valueOf(object []byte, name string) string {
	for fields := walk(object); ; {
		key, value, _, ok := fields.member()
		if !ok || same(key, name) {
			return string(value)
		}
	}
}

// texts edits a string, or the strings of an array; in objects it goes by keys.
func (e *editor) texts(value []byte, at int) {
	switch {
	case is(value, '"'):
		e.text(value, at, e.edit)
	case is(value, '['):
		for list := walk(value); ; {
			inner, ok := list.element()
			if !ok {
				return
			}
			e.texts(inner, at+list.at-len(inner))
		}
	default:
		e.visit(value, at, e.member)
	}
}

// all edits every string within a value.
func (e *editor) all(value []byte, at int) {
	if is(value, '"') {
		e.text(value, at, e.edit)
		return
	}
	if is(value[space(value, 0):], '[') {
		for list := walk(value); ; {
			inner, ok := list.element()
			if !ok {
				return
			}
			e.all(inner, at+list.at-len(inner))
		}
	}
	e.visit(value, at, func(_, _, inner []byte, at int) { e.all(inner, at) })
}

// arguments edits those of a tool: JSON in a string, which stays JSON.
func (e *editor) arguments(value []byte, at int) {
	if !is(value, '"') {
		e.all(value, at)
		return
	}
	e.text(value, at, func(text []byte) ([]byte, bool) {
		if !Valid(text) {
			return e.edit(text)
		}
		edited := editStrings(text, e.edit)
		return edited, !bytes.Equal(edited, text)
	})
}

func (e *editor) text(value []byte, at int, edit Edit) {
	text := value[1 : len(value)-1]
	if bytes.IndexByte(text, '\\') >= 0 {
		said, _ := str(value)
		text = []byte(said)
	}
	if changed, ok := edit(text); ok {
		e.replace(at, at+len(value), changed)
	}
}
