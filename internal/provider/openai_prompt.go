package provider

import (
	"fmt"

	"github.com/tidwall/gjson"

	"github.com/spanway/spanway/internal/llm"
)

// prompt implements [dialect].
func (openAI) prompt(body []byte) (*llm.Prompt, error) {
	r := openAIReader{reader: reader{&llm.Prompt{Asked: body}}}
	err := each(gjson.ParseBytes(body), func(key, value gjson.Result) error { return r.field(key.Str, value) })
	switch {
	case err != nil:
		return nil, err
	case len(r.p.Messages) == 0:
		return nil, &llm.FieldError{Param: "messages", Message: `"messages" is missing`}
	}
	return r.p, nil
}

// openAIReader reads one request.
type openAIReader struct{ reader }

// field reads one field of the request. The scan has looked at the numbers that
// the gateway acts upon.
func (r *openAIReader) field(name string, value gjson.Result) error {
	if value.Type == gjson.Null {
		return nil
	}
	p := r.p
	switch name {
	case "model":
		p.Model = value.Str
	case "stream":
		p.Stream = value.Bool()
	case "stream_options":
		p.IncludeUsage = value.Get("include_usage").Bool()
	case "messages":
		return r.messages(value)
	case "tools":
		return r.tools(value)
	case "tool_choice":
		r.toolChoice(value)
	case "parallel_tool_calls":
		p.OneCall = value.Type == gjson.False
	case "response_format":
		return r.format(value)
	case "n":
		p.Choices = value.Int()
	case "max_tokens", "max_completion_tokens":
		if n := value.Int(); p.MaxTokens == nil || n > *p.MaxTokens {
			p.MaxTokens = &n
		}
	case "temperature":
		x := value.Num
		p.Temperature = &x
	case "top_p":
		x := value.Num
		p.TopP = &x
	case "top_k": // no word of OpenAI's, but of many who speak its dialect
		n := value.Int()
		p.TopK = &n
	case "stop":
		return r.stop(value)
	case "reasoning_effort":
		p.Reasoning = &llm.Reasoning{Effort: value.Str}
	case "user":
		p.User = value.Str
	default:
		p.Rest = append(p.Rest, llm.Field{Name: name, Value: []byte(value.Raw)})
	}
	return nil
}

func (r *openAIReader) stop(value gjson.Result) error {
	if value.Type == gjson.String {
		r.p.Stop = []string{value.Str}
		return nil
	}
	if !value.IsArray() {
		return mistyped("stop", "a string or a list")
	}
	return each(value, func(_, stop gjson.Result) error {
		r.p.Stop = append(r.p.Stop, stop.Str)
		return nil
	})
}

func (r *openAIReader) tools(value gjson.Result) error {
	if !value.IsArray() {
		return mistyped("tools", "a list")
	}
	return elements(value, func(i int, tool gjson.Result) error {
		function := tool.Get("function")
		if tool.Get("type").Str != "function" || !function.IsObject() {
			r.own(fmt.Sprintf("tools[%d]", i), tool)
			return nil
		}
		made := llm.Tool{Name: function.Get("name").Str, Description: function.Get("description").Str}
		if schema := function.Get("parameters"); schema.IsObject() {
			made.Parameters = []byte(schema.Raw)
		}
		made.Strict = said(function.Get("strict"))
		r.p.Tools = append(r.p.Tools, made)
		return nil
	})
}

func (r *openAIReader) toolChoice(value gjson.Result) {
	switch mode := llm.ToolMode(value.Str); {
	case mode == llm.AutoTool || mode == llm.NoTool || mode == llm.AnyTool:
		r.p.ToolChoice.Mode = mode
	case value.Get("type").Str == "function":
		r.p.ToolChoice = llm.ToolChoice{Mode: llm.OneTool, Name: value.Get("function.name").Str}
	default:
		r.own("tool_choice", value)
	}
}

func (r *openAIReader) format(value gjson.Result) error {
	switch value.Get("type").Str {
	case "text":
	case "json_object":
		r.p.Format = new(llm.Format)
	case "json_schema":
		schema := value.Get("json_schema")
		if !schema.Get("schema").IsObject() {
			return mistyped("response_format.json_schema.schema", "an object")
		}
		r.p.Format = &llm.Format{
			Schema: []byte(schema.Get("schema").Raw), Name: schema.Get("name").Str, Description: schema.Get("description").Str,
			Strict: said(schema.Get("strict")),
		}
	default:
		r.own("response_format", value)
	}
	return nil
}

func (r *openAIReader) messages(value gjson.Result) error {
	if !value.IsArray() {
		return mistyped("messages", "a list")
	}
	return elements(value, func(i int, message gjson.Result) error {
		return r.message(fmt.Sprintf("messages[%d]", i), message)
	})
}

func (r *openAIReader) message(at string, value gjson.Result) error {
	m := llm.Message{Name: value.Get("name").Str}
	var err error
	switch role := value.Get("role").Str; role {
	case "system", "developer":
		m.Role = llm.System
	case "user":
		m.Role = llm.User
	case "assistant":
		m.Role = llm.Assistant
		if thoughts := value.Get("reasoning_content").Str; thoughts != "" {
			m.Parts = append(m.Parts, llm.Part{Kind: llm.Thinking, Text: thoughts})
		}
	case "tool":
		m.Role, m.Name = llm.FromTool, ""
	default:
		return &llm.FieldError{Param: at + ".role", Message: fmt.Sprintf("%q is no role of a message", role)}
	}
	parts, err := r.content(at+".content", value.Get("content"))
	if err != nil {
		return err
	}
	if m.Role == llm.FromTool {
		parts = []llm.Part{{Kind: llm.ToolResult, ID: value.Get("tool_call_id").Str, Parts: parts}}
	}
	m.Parts = append(m.Parts, parts...)
	if refusal := value.Get("refusal").Str; refusal != "" {
		m.Parts = append(m.Parts, llm.Part{Kind: llm.Refusal, Text: refusal})
	}
	for i, call := range value.Get("tool_calls").Array() {
		if call.Get("type").Str == "custom" {
			r.own(fmt.Sprintf("%s.tool_calls[%d]", at, i), call)
			continue
		}
		function := call.Get("function")
		m.Parts = append(m.Parts, llm.Part{Kind: llm.ToolCall, ID: call.Get("id").Str, Name: function.Get("name").Str, Arguments: function.Get("arguments").Str})
	}
	for _, name := range []string{"audio", "function_call"} {
		if other := value.Get(name); other.IsObject() {
			r.own(at+"."+name, other)
		}
	}
	r.p.Messages = append(r.p.Messages, m)
	return nil
}

// content reads a message's content: a text, or a list of parts.
func (r *openAIReader) content(at string, value gjson.Result) ([]llm.Part, error) {
	if !value.Exists() || value.Type == gjson.Null {
		return nil, nil
	}
	return partsOf(at, value, func(i int, part gjson.Result) (made llm.Part, known bool, err error) {
		data := part.Get("file.file_data").Str
		switch kind := part.Get("type").Str; {
		case kind == "text":
			made = llm.Part{Kind: llm.Text, Text: part.Get("text").Str}
		case kind == "refusal":
			made = llm.Part{Kind: llm.Refusal, Text: part.Get("refusal").Str}
		case kind == "image_url":
			made = llm.Part{Kind: llm.Image, Detail: part.Get("image_url.detail").Str}
			locate(&made, part.Get("image_url.url").Str)
		case kind == "file" && data != "":
			made = llm.Part{Kind: llm.File, Name: part.Get("file.filename").Str}
			locate(&made, data)
		default: // the id of a file that the provider keeps is its own, too
			r.own(fmt.Sprintf("%s[%d]", at, i), part)
			return made, false, nil
		}
		return made, true, nil
	})
}
