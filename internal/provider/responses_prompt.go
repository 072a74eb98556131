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

// prompt implements [dialect].
func (responses) prompt(body []byte) (*llm.Prompt, error) {
	r := responsesReader{p: &llm.Prompt{IncludeUsage: true, Asked: body}}
	err := each(gjson.ParseBytes(body), func(key, value gjson.Result) error { return r.field(key.Str, value) })
	if err != nil {
		return nil, err
	}
	if r.instructions != "" {
		said := llm.Message{Role: llm.System, Parts: []llm.Part{{Kind: llm.Text, Text: r.instructions}}}
		r.p.Messages = append([]llm.Message{said}, r.p.Messages...)
	}
	if len(r.p.Messages) == 0 && len(r.p.Own) == 0 { // a stored prompt may stand in its place
		return nil, &llm.FieldError{Param: "input", Message: `"input" is missing`}
	}
	return r.p, nil
}

// responsesReader reads one request.
type responsesReader struct {
	p            *llm.Prompt
	instructions string
}

// own keeps a field that only a provider of this dialect has.
func (r *responsesReader) own(name string, value gjson.Result) {
	r.p.Own = append(r.p.Own, llm.Field{Name: name, Value: []byte(value.Raw)})
}

func (r *responsesReader) rest(name string, value gjson.Result) {
	r.p.Rest = append(r.p.Rest, llm.Field{Name: name, Value: []byte(value.Raw)})
}

// field reads one field of the request. What only asks for more of something
// that is never there (a hosted tool's results, or thoughts for OpenAI's eyes) is
// granted by silence.
func (r *responsesReader) field(name string, value gjson.Result) (err error) {
	if value.Type == gjson.Null {
		return nil
	}
	switch name {
	case "model":
		r.p.Model = value.Str
	case "stream":
		r.p.Stream = value.Bool()
	case "instructions":
		r.instructions, err = responsesText(name, value)
	case "input":
		return r.input(value)
	case "tools":
		return r.tools(value)
	case "tool_choice":
		r.toolChoice(value)
	case "parallel_tool_calls":
		r.p.OneCall = value.Type == gjson.False
	case "text":
		return r.format(value)
	case "reasoning":
		return r.reasoning(value)
	case "max_output_tokens":
		n := value.Int() // a whole number: the scan has seen to that
		r.p.MaxTokens = &n
	case "temperature":
		x := value.Num
		r.p.Temperature = &x
	case "top_p":
		x := value.Num
		r.p.TopP = &x
	case "user":
		r.p.User, err = responsesText(name, value)
	case "metadata", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention":
		r.rest(name, value)
	case "include":
		if strings.Contains(value.Raw, "logprobs") {
			r.own(name, value)
		}
	case "store", "background":
		if value.Type != gjson.False {
			r.own(name, value)
		}
	case "truncation":
		if value.Str != "disabled" {
			r.own(name, value)
		}
	case "top_logprobs":
		if value.Num != 0 {
			r.own(name, value)
		}
	case "max_tool_calls", "stream_options": // of hosted tools; of padding that is not ours
	default:
		r.own(name, value)
	}
	return err
}

func responsesText(name string, value gjson.Result) (string, error) {
	if value.Type != gjson.String {
		return "", mistyped(name, "a string")
	}
	return value.Str, nil
}

// input reads the conversation: a text, or a list of items.
func (r *responsesReader) input(value gjson.Result) error {
	if value.Type == gjson.String {
		r.add(llm.User, llm.Part{Kind: llm.Text, Text: value.Str})
		return nil
	}
	if !value.IsArray() {
		return mistyped("input", "a string or a list")
	}
	i := -1
	return each(value, func(_, item gjson.Result) error {
		i++
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
func (r *responsesReader) content(at string, value gjson.Result) (parts []llm.Part, err error) {
	switch {
	case value.Type == gjson.String:
		return []llm.Part{{Kind: llm.Text, Text: value.Str}}, nil
	case !value.IsArray():
		return nil, mistyped(at, "a string or a list")
	}
	i := -1
	err = each(value, func(_, piece gjson.Result) error {
		i++
		here := fmt.Sprintf("%s[%d]", at, i)
		part := llm.Part{Kind: llm.Text, Text: piece.Get("text").Str}
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
			return &llm.FieldError{Param: here + ".type", Message: fmt.Sprintf("%q is missing", here+".type")}
		default:
			r.own(here, piece)
			return nil
		}
		parts = append(parts, part)
		return nil
	})
	return parts, err
}

// tools reads the functions. Whether they are strict is passed on only where it is
// said: otherwise it is true here as far as a schema allows it, and false
// elsewhere. Tools that the provider itself would run, and the
// choice of one, are nobody else's.
func (r *responsesReader) tools(value gjson.Result) error {
	if !value.IsArray() {
		return mistyped("tools", "a list")
	}
	i := -1
	return each(value, func(_, tool gjson.Result) error {
		i++
		at := fmt.Sprintf("tools[%d]", i)
		if tool.Get("type").Str != "function" {
			r.own(at, tool)
			return nil
		}
		f := llm.Tool{Name: tool.Get("name").Str, Description: tool.Get("description").Str}
		if f.Name == "" {
			return mistyped(at+".name", "a string that is not empty")
		}
		if schema := tool.Get("parameters"); schema.IsObject() {
			f.Parameters = []byte(schema.Raw)
		}
		f.Strict = said(tool.Get("strict"))
		r.p.Tools = append(r.p.Tools, f)
		return nil
	})
}

func (r *responsesReader) toolChoice(value gjson.Result) {
	switch {
	case value.Type == gjson.String && (value.Str == "auto" || value.Str == "none" || value.Str == "required"):
		r.p.ToolChoice = llm.ToolChoice{Mode: llm.ToolMode(value.Str)}
	case value.Get("type").Str == "function":
		r.p.ToolChoice = llm.ToolChoice{Mode: llm.OneTool, Name: value.Get("name").Str}
	default:
		r.own("tool_choice", value)
	}
}

func (r *responsesReader) format(value gjson.Result) error {
	return each(value, func(key, value gjson.Result) error {
		switch name := "text." + key.Str; {
		case value.Type == gjson.Null:
		case name == "text.verbosity":
			r.rest("verbosity", value)
		case name != "text.format":
			r.own(name, value)
		case value.Get("type").Str == "text":
		case value.Get("type").Str == "json_object":
			r.p.Format = &llm.Format{}
		case value.Get("type").Str == "json_schema":
			schema := value.Get("schema")
			if !schema.IsObject() {
				return mistyped("text.format.schema", "an object")
			}
			r.p.Format = &llm.Format{
				Schema: []byte(schema.Raw), Name: value.Get("name").Str,
				Description: value.Get("description").Str, Strict: said(value.Get("strict")),
			}
		default:
			r.own("text.format", value)
		}
		return nil
	})
}

func (r *responsesReader) reasoning(value gjson.Result) error {
	r.p.Reasoning = new(llm.Reasoning)
	return each(value, func(key, value gjson.Result) error {
		switch name := "reasoning." + key.Str; {
		case value.Type == gjson.Null:
		case name == "reasoning.effort":
			r.p.Reasoning.Effort = value.Str
		case name == "reasoning.summary" || name == "reasoning.generate_summary":
			r.p.Reasoning.Shown = true
		default:
			r.own(name, value)
		}
		return nil
	})
}
