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
