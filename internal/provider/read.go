package provider

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/spanway/spanway/internal/llm"
)

// each calls f for the members of an object or the elements of an array, until
// one of them is wrong.
func each(value gjson.Result, f func(key, value gjson.Result) error) (err error) {
	value.ForEach(func(key, value gjson.Result) bool {
		err = f(key, value)
		return err == nil
	})
	return err
}

// elements calls f for the elements of an array, until one of them is wrong.
func elements(value gjson.Result, f func(i int, element gjson.Result) error) error {
	i := -1
	return each(value, func(_, element gjson.Result) error {
		i++
		return f(i, element)
	})
}

// reader reads one request, whatever the dialect.
type reader struct{ p *llm.Prompt }

// own keeps a field that only a provider of the caller's dialect has.
func (r reader) own(name string, value gjson.Result) {
	r.p.Own = append(r.p.Own, llm.Field{Name: name, Value: []byte(value.Raw)})
}

// partsOf reads what was said or returned: a text, or a list of parts, each of
// which read reads. A part that it does not know is none.
func partsOf(at string, value gjson.Result, read func(i int, part gjson.Result) (made llm.Part, known bool, err error)) (parts []llm.Part, err error) {
	switch {
	case value.Type == gjson.String:
		return []llm.Part{{Kind: llm.Text, Text: value.Str}}, nil
	case !value.IsArray():
		return nil, mistyped(at, "a string or a list")
	}
	err = elements(value, func(i int, part gjson.Result) error {
		made, known, err := read(i, part)
		if known {
			parts = append(parts, made)
		}
		return err
	})
	return parts, err
}

// mistyped is the error of a field that is not of the type it must have.
func mistyped(param, want string) error {
	return &llm.FieldError{Param: param, Message: fmt.Sprintf("%q must be %s", param, want)}
}

// said returns what a boolean says; nil where it is not there.
func said(value gjson.Result) *bool {
	if value.Type != gjson.True && value.Type != gjson.False {
		return nil
	}
	yes := value.Bool()
	return &yes
}

// locate says where an image or a file is: at a URL, or within it.
func locate(part *llm.Part, url string) {
	if rest, ok := strings.CutPrefix(url, "data:"); ok {
		if kind, data, ok := strings.Cut(rest, ","); ok && strings.HasSuffix(kind, ";base64") {
			part.MediaType, _, _ = strings.Cut(kind, ";")
			part.Data = data
			return
		}
	}
	part.URL = url
}

// located is the URL of an image or a file: where it is, or itself.
func located(part *llm.Part) string {
	if part.URL != "" {
		return part.URL
	}
	return "data:" + part.MediaType + ";base64," + part.Data
}
