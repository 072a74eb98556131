package provider

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/spanway/spanway/internal/llm"
)

// How the encrypted_content of thoughts begins that a provider in another dialect
// has signed, or will not show: it comes back with the caller's next turn, and is
// that provider's again. What begins otherwise is for OpenAI only.
const (
	kept         = "spanway:signature:"
	keptRedacted = "spanway:redacted:"
)

// input reads the conversation: a text, or a list of items.
func (r *responsesReader) input(value gjson.Result) error {
	if value.Type == gjson.String {
		r.add(llm.User, llm.Part{Kind: llm.Text, Text: value.Str})
		return nil
	}
	if !value.IsArray() {
		return mistyped("input", "a string or a list")
	}
	return elements(value, func(i int, item gjson.Result) error {
		return r.item(fmt.Sprintf("input[%d]", i), item)
	})
}

// add appends parts to the conversation. What a model says in one turn, its
// thoughts and calls included, are several items here and one message there.
func (r *responsesReader) add(role llm.Role, parts ...llm.Part) {
	if n := len(r.p.Messages); n > 0 && role != llm.User && role != llm.System && r.p.Messages[n-1].Role == role {
		last := &r.p.Messages[n-1]
		last.Parts = append(last.Parts, parts...)
		return
	}
	r.p.Messages = append(r.p.Messages, llm.Message{Role: role, Parts: parts})
}

func (r *responsesReader) item(at string, item gjson.Result) error {
	if !item.IsObject() {
		return mistyped(at, "an object")
	}
	switch kind := item.Get("type").Str; kind {
	case "", "message":
		return r.message(at, item)
	case "function_call":
		r.add(llm.Assistant, llm.Part{
			Kind: llm.ToolCall, ID: item.Get("call_id").Str, Name: item.Get("name").Str, Arguments: item.Get("arguments").Str,
		})
	case "function_call_output":
		parts, err := r.content(at+".output", item.Get("output"))
		if err != nil {
			return err
		}
		r.add(llm.FromTool, llm.Part{Kind: llm.ToolResult, ID: item.Get("call_id").Str, Parts: parts})
	case "reasoning":
		if thought := responsesThought(item); thought.Signature != "" || thought.Redacted != "" {
			r.add(llm.Assistant, thought)
		}
	default:
		r.own(at, item)
	}
	return nil
}

// responsesThought reads a reasoning item, as a caller gives it back or as a
// provider has answered.
func responsesThought(item gjson.Result) llm.Part {
	part := llm.Part{Kind: llm.Thinking}
	pieces := item.Get("summary").Array()
	if len(pieces) == 0 { // models that run in the open show the thoughts themselves
		pieces = item.Get("content").Array()
	}
	for i, piece := range pieces {
		if i > 0 {
			part.Text += "\n\n"
		}
		part.Text += piece.Get("text").Str
	}
	encrypted := item.Get("encrypted_content").Str
	if signature, ok := strings.CutPrefix(encrypted, kept); ok {
		part.Signature = signature
	} else if redacted, ok := strings.CutPrefix(encrypted, keptRedacted); ok {
		part.Redacted = redacted
	}
	return part
}

var responsesRoles = map[string]llm.Role{
	"user": llm.User, "assistant": llm.Assistant, "system": llm.System, "developer": llm.System,
}

func (r *responsesReader) message(at string, item gjson.Result) error {
	role, ok := responsesRoles[item.Get("role").Str]
	if !ok {
		return mistyped(at+".role", "user, assistant, system or developer")
	}
	parts, err := r.content(at+".content", item.Get("content"))
	if err == nil {
		r.add(role, parts...)
	}
	return err
}

// content reads what was said or returned: a text, or a list of parts.
func (r *responsesReader) content(at string, value gjson.Result) ([]llm.Part, error) {
	return partsOf(at, value, func(i int, piece gjson.Result) (part llm.Part, known bool, err error) {
		here := fmt.Sprintf("%s[%d]", at, i)
		part = llm.Part{Kind: llm.Text, Text: piece.Get("text").Str}
		switch kind := piece.Get("type").Str; {
		case kind == "input_text" || kind == "output_text" || kind == "text":
		case kind == "refusal":
			part = llm.Part{Kind: llm.Refusal, Text: piece.Get("refusal").Str}
		case kind == "input_image" && piece.Get("image_url").Type == gjson.String:
			part = llm.Part{Kind: llm.Image, Detail: piece.Get("detail").Str}
			locate(&part, piece.Get("image_url").Str)
			if part.Detail == "auto" {
				part.Detail = ""
			}
		case kind == "input_file" && piece.Get("file_data").Type == gjson.String:
			part = llm.Part{Kind: llm.File, Name: piece.Get("filename").Str}
			locate(&part, piece.Get("file_data").Str)
		case kind == "input_file" && piece.Get("file_url").Type == gjson.String:
			part = llm.Part{Kind: llm.File, Name: piece.Get("filename").Str, URL: piece.Get("file_url").Str}
		case kind == "":
			return part, false, &llm.FieldError{Param: here + ".type", Message: fmt.Sprintf("%q is missing", here+".type")}
		default:
			r.own(here, piece)
			return part, false, nil
		}
		return part, true, nil
	})
}
