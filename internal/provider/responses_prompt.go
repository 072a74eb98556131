package provider

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/spanway/spanway/internal/llm"
)

// prompt implements [dialect].
func (responses) prompt(body []byte) (*llm.Prompt, error) {
	r := responsesReader{reader: reader{&llm.Prompt{IncludeUsage: true, Asked: body}}}
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
	reader

	instructions string
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

// tools reads the functions. Whether they are strict is passed on only where it is
// said: otherwise it is true here as far as a schema allows it, and false
// elsewhere. Tools that the provider itself would run, and the
// choice of one, are nobody else's.
func (r *responsesReader) tools(value gjson.Result) error {
	if !value.IsArray() {
		return mistyped("tools", "a list")
	}
	return elements(value, func(i int, tool gjson.Result) error {
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
