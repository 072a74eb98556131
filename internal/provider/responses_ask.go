package provider

import (
	"strconv"

	"github.com/spanway/spanway/internal/llm"
)

// responsesLeast is the smallest bound of an answer that OpenAI takes. Callers who
// only want to know whether a model is there ask for a token or two.
const responsesLeast = 16

// appendPrompt implements [dialect].
func (responses) appendPrompt(to []byte, p *llm.Prompt) (body []byte, cannot []string) {
	w := responsesWriter{scribe: to}
	w.begin('{')
	w.str("model", p.Model)
	w.name("input")
	w.input(p.Messages)
	if p.Stream {
		w.raw("stream", "true")
	}
	w.tools(p)
	w.format(p)
	if r := p.Reasoning; r != nil {
		w.reasoning(r)
	}
	if p.MaxTokens != nil {
		w.num("max_output_tokens", max(*p.MaxTokens, responsesLeast))
	}
	if p.Temperature != nil {
		w.float("temperature", *p.Temperature)
	}
	if p.TopP != nil {
		w.float("top_p", *p.TopP)
	}
	if p.User != "" {
		w.str("user", p.User)
	}
	if p.Choices > 1 {
		w.cannot("n")
	}
	if p.TopK != nil {
		w.cannot("top_k")
	}
	if len(p.Stop) > 0 {
		w.cannot("stop")
	}
	w.rest(p.Rest)
	for _, field := range p.Own {
		w.cannot(field.Name)
	}
	w.end('}')
	return w.scribe, w.left
}

// responsesWriter writes one request.
type responsesWriter struct {
	scribe
	left []string // what could not be written
}

func (w *responsesWriter) cannot(field string) { w.left = append(w.left, field) }

// input writes the conversation, an item for each thing that was said, called or
// returned.
func (w *responsesWriter) input(messages []llm.Message) {
	w.begin('[')
	for i := range messages {
		m := &messages[i]
		if m.Name != "" {
			w.cannot("messages[" + strconv.Itoa(i) + "].name")
		}
		said := 0 // parts that belong into one message, and are not written yet
		for j := range m.Parts {
			switch part := &m.Parts[j]; part.Kind {
			case llm.Text, llm.Image, llm.File, llm.Refusal:
				said++
				continue
			case llm.ToolCall:
				w.said(m.Role, m.Parts[j-said:j])
				w.begin('{')
				w.str("type", "function_call")
				w.str("call_id", part.ID)
				w.str("name", part.Name)
				w.str("arguments", part.Arguments)
				w.end('}')
			case llm.ToolResult:
				w.said(m.Role, m.Parts[j-said:j])
				w.begin('{')
				w.str("type", "function_call_output")
				w.str("call_id", part.ID)
				w.name("output")
				w.content("input_text", resultOf(part))
				w.end('}')
			case llm.Thinking: // signed for another provider, and worth nothing without
				w.said(m.Role, m.Parts[j-said:j])
			}
			said = 0
		}
		w.said(m.Role, m.Parts[len(m.Parts)-said:])
	}
	w.end(']')
}

// said writes a message.
func (w *responsesWriter) said(role llm.Role, parts []llm.Part) {
	if len(parts) == 0 {
		return
	}
	w.begin('{')
	w.str("type", "message")
	w.str("role", string(role))
	text := "input_text"
	if role == llm.Assistant {
		text = "output_text"
	}
	w.name("content")
	w.content(text, parts)
	w.end('}')
}

// content writes what was said or returned: a text as it is, and a list of all
// else. text is the type of its texts.
func (w *responsesWriter) content(text string, parts []llm.Part) {
	if len(parts) == 1 && parts[0].Kind == llm.Text {
		w.text(parts[0].Text)
		return
	}
	w.begin('[')
	for i := range parts {
		part := &parts[i]
		w.begin('{')
		switch part.Kind {
		case llm.Refusal:
			w.str("type", "refusal")
			w.str("refusal", part.Text)
		case llm.Image:
			w.str("type", "input_image")
			w.str("image_url", located(part))
			if part.Detail != "" {
				w.str("detail", part.Detail)
			}
		case llm.File:
			w.str("type", "input_file")
			if part.Name != "" {
				w.str("filename", part.Name)
			}
			if part.URL != "" {
				w.str("file_url", part.URL)
			} else {
				w.str("file_data", located(part))
			}
		default:
			w.str("type", text)
			w.str("text", part.Text)
		}
		w.end('}')
	}
	w.end(']')
}

// tools writes the functions. A function is strict here unless it says that it is
// not, and nowhere else.
func (w *responsesWriter) tools(p *llm.Prompt) {
	if len(p.Tools) > 0 {
		w.name("tools")
		w.begin('[')
		for i := range p.Tools {
			tool := &p.Tools[i]
			w.begin('{')
			w.str("type", "function")
			w.str("name", tool.Name)
			if tool.Description != "" {
				w.str("description", tool.Description)
			}
			parameters := "null"
			if tool.Parameters != nil {
				parameters = string(tool.Parameters)
			}
			w.raw("parameters", parameters)
			w.raw("strict", strconv.FormatBool(tool.Strict != nil && *tool.Strict))
			w.end('}')
		}
		w.end(']')
	}
	switch choice := p.ToolChoice; choice.Mode {
	case "":
	case llm.OneTool:
		w.name("tool_choice")
		w.begin('{')
		w.str("type", "function")
		w.str("name", choice.Name)
		w.end('}')
	default:
		w.str("tool_choice", string(choice.Mode))
	}
	if p.OneCall {
		w.raw("parallel_tool_calls", "false")
	}
}

// format writes what stands under "text" here.
func (w *responsesWriter) format(p *llm.Prompt) {
	verbosity := ""
	for _, field := range p.Rest {
		if field.Name == "verbosity" {
			verbosity = string(field.Value)
		}
	}
	if p.Format == nil && verbosity == "" {
		return
	}
	w.name("text")
	w.begin('{')
	if f := p.Format; f != nil {
		w.name("format")
		w.begin('{')
		if f.Schema == nil {
			w.str("type", "json_object")
		} else {
			w.str("type", "json_schema")
			w.str("name", responsesName(f.Name))
			if f.Description != "" {
				w.str("description", f.Description)
			}
			w.raw("schema", string(f.Schema))
			w.raw("strict", strconv.FormatBool(f.Strict != nil && *f.Strict))
		}
		w.end('}')
	}
	if verbosity != "" {
		w.raw("verbosity", verbosity)
	}
	w.end('}')
}

// responsesName gives a schema the name that it must have here.
func responsesName(name string) string {
	if name == "" {
		return "answer"
	}
	return name
}

func (w *responsesWriter) reasoning(r *llm.Reasoning) {
	effort := openAIEffort(r)
	if effort == "" && !r.Shown {
		return
	}
	w.name("reasoning")
	w.begin('{')
	if effort != "" {
		w.str("effort", effort)
	}
	if r.Shown {
		w.str("summary", "auto")
	}
	w.end('}')
}

// rest writes the fields that have the same word here as in a chat. An answer is
// kept by the provider here unless it is told not to, and only then in a chat.
func (w *responsesWriter) rest(fields []llm.Field) {
	store := "false"
	for _, field := range fields {
		switch value := string(field.Value); field.Name {
		case "metadata", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention":
			w.raw(field.Name, value)
		case "store":
			store = value
		case "verbosity": // under "text"
		default:
			if !idle(field) {
				w.cannot(field.Name)
			}
		}
	}
	w.raw("store", store)
}
