package llm

// usageAsked is where in a body of OpenAI's stream_options.include_usage stands,
// or would have to.
type usageAsked struct {
	at, end  int // what is replaced
	missing  missing
	followed bool // something stands behind it in the same object
}

// missing says what has to be written in that place.
type missing int

const (
	options missing = iota // the whole member "stream_options"
	object                 // its value
	member                 // "include_usage" in it
	yes                    // the value of that
)

// streamOptions reads "stream_options", whose value begins at `at` in the body.
func (r *Request) streamOptions(value []byte, at int) error {
	const name = "stream_options.include_usage"
	if string(value) == "null" {
		r.usage = usageAsked{at: at, end: at + len(value), missing: object}
		return nil
	}
	if !is(value, '{') {
		return wrong("stream_options", `"stream_options" must be an object`)
	}
	r.usage = usageAsked{at: at + 1, end: at + 1, missing: member}
	twice := false
	for fields := walk(value); ; {
		key, value, from, ok := fields.member()
		if !ok {
			return nil
		}
		if !twice {
			r.usage.followed = true
		}
		i, err := meant(key, []string{"include_usage"})
		switch {
		case err != nil:
			return wrong(name, "%s", err)
		case i < 0:
			continue
		case twice:
			return wrong(name, "%q stands in the body twice", name)
		}
		twice = true
		r.usage = usageAsked{at: at + from, end: at + from + len(value), missing: yes}
		if string(value) == "null" {
			continue
		}
		if r.IncludeUsage, err = boolean(name, value); err != nil {
			return err
		}
	}
}

// Patch returns the scanned body with another model's name in it and all other
// bytes as they were; the body itself where the name is the same.
func (r *Request) Patch(body []byte, model string) []byte {
	if model == r.Model {
		return body
	}
	patched := make([]byte, 0, len(body)+len(model)+2)
	patched = append(patched, body[:r.modelAt]...)
	patched = AppendString(patched, model)
	return append(patched, body[r.modelEnd:]...)
}

// PatchUsage is Patch for a body that must also ask for a stream's usage, in
// OpenAI's dialect, and does not yet.
func (r *Request) PatchUsage(body []byte, model string) []byte {
	u := r.usage
	patched := make([]byte, 0, len(body)+len(model)+64)
	if u.at < r.modelAt {
		patched = append(patched, body[:u.at]...)
		patched = u.append(patched)
		patched = append(patched, body[u.end:r.modelAt]...)
		patched = AppendString(patched, model)
		return append(patched, body[r.modelEnd:]...)
	}
	patched = append(patched, body[:r.modelAt]...)
	patched = AppendString(patched, model)
	patched = append(patched, body[r.modelEnd:u.at]...)
	patched = u.append(patched)
	return append(patched, body[u.end:]...)
}

// append writes what stands in the place. A body has a model, so something always
// follows within it.
func (u usageAsked) append(to []byte) []byte {
	switch u.missing {
	case options:
		return append(to, `"stream_options":{"include_usage":true},`...)
	case object:
		return append(to, `{"include_usage":true}`...)
	case yes:
		return append(to, "true"...)
	}
	to = append(to, `"include_usage":true`...)
	if u.followed {
		to = append(to, ',')
	}
	return to
}
