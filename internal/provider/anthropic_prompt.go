package provider

import (
	"fmt"

	"github.com/tidwall/gjson"

	"github.com/spanway/spanway/internal/llm"
)

// prompt implements [dialect].
func (anthropic) prompt(body []byte) (*llm.Prompt, error) {
	r := anthropicReader{reader: reader{&llm.Prompt{Asked: body, IncludeUsage: true}}}
	err := each(gjson.ParseBytes(body), func(key, value gjson.Result) error { return r.field(key.Str, value) })
	if err != nil {
		return nil, err
	}
	if len(r.p.Messages) == 0 {
		return nil, &llm.FieldError{Param: "messages", Message: `"messages" is missing`}
	}
	r.p.Messages = append(r.system, r.p.Messages...)
	return r.p, nil
}

// anthropicReader reads one request.
type anthropicReader struct {
	reader

	system []llm.Message
}

// field reads one field of the request. What only marks places for a cache says
// nothing to others, and is not kept.
func (r *anthropicReader) field(name string, value gjson.Result) (err error) {
	if value.Type == gjson.Null {
		return nil
	}
	p := r.p
	switch name {
	case "model":
		p.Model = value.Str
	case "stream":
		p.Stream = value.Bool()
	case "system":
		var parts []llm.Part
		if parts, err = r.content(name, value); len(parts) > 0 {
			r.system = []llm.Message{{Role: llm.System, Parts: parts}}
		}
	case "messages":
		return r.messages(value)
	case "max_tokens":
		n := value.Int()
		p.MaxTokens = &n
	case "temperature":
		x := value.Num
		p.Temperature = &x
	case "top_p":
		x := value.Num
		p.TopP = &x
	case "top_k":
		n := value.Int()
		p.TopK = &n
	case "stop_sequences":
		return each(value, func(_, stop gjson.Result) error {
			p.Stop = append(p.Stop, stop.Str)
			return nil
		})
	case "tools":
		return r.tools(value)
	case "tool_choice":
		r.toolChoice(value)
	case "thinking":
		r.thinking(value)
	case "output_config":
		r.outputConfig(value)
	case "output_format":
		r.format(name, value)
	case "metadata":
		p.User = value.Get("user_id").Str
	case "service_tier":
		if value.Str != "auto" {
			r.own(name, value)
		}
	case "cache_control":
	default:
		r.own(name, value)
	}
	return err
}

func (r *anthropicReader) thinking(value gjson.Result) {
	switch value.Get("type").Str {
	case "enabled":
		r.reasoning().Budget = value.Get("budget_tokens").Int()
		r.reasoning().Shown = true
	case "adaptive":
		r.reasoning().Shown = true
	}
}

func (r *anthropicReader) reasoning() *llm.Reasoning {
	if r.p.Reasoning == nil {
		r.p.Reasoning = new(llm.Reasoning)
	}
	return r.p.Reasoning
}

func (r *anthropicReader) outputConfig(value gjson.Result) {
	value.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "effort":
			r.reasoning().Effort = value.Str
		case "format":
			r.format("output_config.format", value)
		default:
			r.own("output_config."+key.Str, value)
		}
		return true
	})
}

func (r *anthropicReader) format(at string, value gjson.Result) {
	schema := value.Get("schema")
	switch {
	case value.Type == gjson.Null:
	case value.Get("type").Str == "json_schema" && schema.IsObject():
		r.p.Format = &llm.Format{Schema: []byte(schema.Raw)}
		if strictly(schema) {
			strict := true
			r.p.Format.Strict = &strict
		}
	default:
		r.own(at, value)
	}
}

// strictly reports whether OpenAI takes a schema as a strict one, which says of each
// object that it has these members, all of them, and no others. Anthropic keeps to
// every schema, and asks for no more than that others are ruled out.
func strictly(schema gjson.Result) bool {
	strict := true
	within := func(_, part gjson.Result) bool {
		strict = strict && strictly(part)
		return strict
	}
	if members := schema.Get("properties"); members.Exists() || schema.Get("type").Str == "object" {
		strict = schema.Get("additionalProperties").Type == gjson.False &&
			len(members.Map()) == len(schema.Get("required").Array())
		members.ForEach(within)
	}
	for _, place := range []string{"anyOf", "$defs", "definitions"} {
		schema.Get(place).ForEach(within)
	}
	if items := schema.Get("items"); items.IsObject() {
		within(gjson.Result{}, items)
	}
	return strict
}

func (r *anthropicReader) tools(value gjson.Result) error {
	if !value.IsArray() {
		return mistyped("tools", "a list")
	}
	return elements(value, func(i int, tool gjson.Result) error {
		schema := tool.Get("input_schema")
		if kind := tool.Get("type").Str; kind != "" && kind != "custom" || !schema.IsObject() {
			r.own(fmt.Sprintf("tools.%d", i), tool) // one that Anthropic runs, or knows without being told
			return nil
		}
		r.p.Tools = append(r.p.Tools, llm.Tool{
			Name: tool.Get("name").Str, Description: tool.Get("description").Str,
			Parameters: []byte(schema.Raw), Strict: said(tool.Get("strict")),
		})
		return nil
	})
}

func (r *anthropicReader) toolChoice(value gjson.Result) {
	choice := &r.p.ToolChoice
	switch value.Get("type").Str {
	case "auto":
		choice.Mode = llm.AutoTool
	case "any":
		choice.Mode = llm.AnyTool
	case "none":
		choice.Mode = llm.NoTool
	case "tool":
		*choice = llm.ToolChoice{Mode: llm.OneTool, Name: value.Get("name").Str}
	default:
		r.own("tool_choice", value)
	}
	r.p.OneCall = value.Get("disable_parallel_tool_use").Bool()
}

func (r *anthropicReader) messages(value gjson.Result) error {
	if !value.IsArray() {
		return mistyped("messages", "a list")
	}
	return elements(value, func(i int, message gjson.Result) error {
		at := fmt.Sprintf("messages.%d", i)
		m := llm.Message{}
		switch role := message.Get("role").Str; role {
		case "user":
			m.Role = llm.User
		case "assistant":
			m.Role = llm.Assistant
		case "system":
			m.Role = llm.System
		default:
			return &llm.FieldError{Param: at + ".role", Message: fmt.Sprintf("%q is no role of a message", role)}
		}
		parts, err := r.content(at+".content", message.Get("content"))
		if err != nil {
			return err
		}
		// The results of tools are a message of their own, in front of what the
		// user says beside.
		var results []llm.Part
		for _, part := range parts {
			if part.Kind == llm.ToolResult {
				results = append(results, part)
			} else {
				m.Parts = append(m.Parts, part)
			}
		}
		if len(results) > 0 {
			r.p.Messages = append(r.p.Messages, llm.Message{Role: llm.FromTool, Parts: results})
		}
		if len(m.Parts) > 0 || len(results) == 0 {
			r.p.Messages = append(r.p.Messages, m)
		}
		return nil
	})
}

// content reads a text, or a list of blocks.
func (r *anthropicReader) content(at string, value gjson.Result) ([]llm.Part, error) {
	return partsOf(at, value, func(i int, block gjson.Result) (llm.Part, bool, error) {
		return r.block(fmt.Sprintf("%s.%d", at, i), block)
	})
}

// block reads one block. What is not known is one that only Anthropic has.
func (r *anthropicReader) block(at string, block gjson.Result) (part llm.Part, known bool, err error) {
	switch block.Get("type").Str {
	case "text":
		part = llm.Part{Kind: llm.Text, Text: block.Get("text").Str}
	case "image":
		part, known = source(llm.Image, block)
		if !known {
			r.own(at, block)
		}
		return part, known, nil
	case "document":
		part, known = source(llm.File, block)
		if !known {
			r.own(at, block)
		}
		return part, known, nil
	case "thinking":
		part = llm.Part{Kind: llm.Thinking, Text: block.Get("thinking").Str, Signature: block.Get("signature").Str}
	case "redacted_thinking":
		part = llm.Part{Kind: llm.Thinking, Redacted: block.Get("data").Str}
	case "tool_use":
		part = llm.Part{Kind: llm.ToolCall, ID: block.Get("id").Str, Name: block.Get("name").Str, Arguments: block.Get("input").Raw}
	case "tool_result":
		part = llm.Part{Kind: llm.ToolResult, ID: block.Get("tool_use_id").Str, Failed: block.Get("is_error").Bool()}
		if content := block.Get("content"); content.Exists() && content.Type != gjson.Null {
			part.Parts, err = r.content(at+".content", content)
		}
	default:
		r.own(at, block)
		return part, false, nil
	}
	return part, true, err
}

// source reads where an image or a document is.
func source(kind llm.Kind, block gjson.Result) (part llm.Part, ok bool) {
	part = llm.Part{Kind: kind, Name: block.Get("title").Str}
	from := block.Get("source")
	switch from.Get("type").Str {
	case "base64":
		part.MediaType, part.Data = from.Get("media_type").Str, from.Get("data").Str
	case "url":
		part.URL = from.Get("url").Str
	case "text": // of a document
		part = llm.Part{Kind: llm.Text, Text: from.Get("data").Str}
	default:
		return part, false
	}
	return part, true
}
