package provider

import (
	"strings"

	"github.com/spanway/spanway/internal/llm"
)

// appendPrompt implements [dialect].
func (o openAI) appendPrompt(to []byte, p *llm.Prompt) (body []byte, cannot []string) {
	w := scribe(to)
	w.begin('{')
	w.str("model", p.Model)
	if p.Stream {
		w.raw("stream", "true")
		w.raw("stream_options", `{"include_usage":true}`)
	}
	w.name("messages")
	w.begin('[')
	for i := range p.Messages {
		if !openAIMessage(&w, &p.Messages[i]) {
			cannot = append(cannot, "messages")
		}
	}
	w.end(']')
	openAITools(&w, p)
	if p.Format != nil {
		openAIFormat(&w, p.Format)
	}
	if p.Choices > 1 {
		w.num("n", p.Choices)
	}
	if p.MaxTokens != nil {
		if o.newest() {
			w.num("max_completion_tokens", *p.MaxTokens)
		} else {
			w.num("max_tokens", *p.MaxTokens)
		}
	}
	if p.Temperature != nil {
		w.float("temperature", *p.Temperature)
	}
	if p.TopP != nil {
		w.float("top_p", *p.TopP)
	}
	if p.TopK != nil {
		cannot = append(cannot, "top_k")
	}
	if len(p.Stop) > 0 {
		w.name("stop")
		w.begin('[')
		for _, stop := range p.Stop {
			w.text(stop)
		}
		w.end(']')
	}
	if effort := openAIEffort(p.Reasoning); effort != "" {
		w.str("reasoning_effort", effort)
	}
	if p.User != "" {
		w.str("user", p.User)
	}
	for _, f := range p.Rest {
		w.raw(f.Name, string(f.Value))
	}
	for _, f := range p.Own {
		cannot = append(cannot, f.Name)
	}
	w.end('}')
	return w, cannot
}

// openAIEffort says how long to think; "" where that is the model's own affair.
func openAIEffort(r *llm.Reasoning) string {
	switch {
	case r == nil:
		return ""
	case r.Effort == "max": // Anthropic's, and above all of OpenAI's
		return "xhigh"
	case r.Effort != "":
		return r.Effort
	case r.Budget == 0:
		return ""
	case r.Budget <= lowBudget:
		return "low"
	case r.Budget <= mediumBudget:
		return "medium"
	}
	return "high"
}

func openAITools(w *scribe, p *llm.Prompt) {
	if len(p.Tools) == 0 {
		return
	}
	w.name("tools")
	w.begin('[')
	for _, tool := range p.Tools {
		w.begin('{')
		w.str("type", "function")
		w.name("function")
		w.begin('{')
		w.str("name", tool.Name)
		if tool.Description != "" {
			w.str("description", tool.Description)
		}
		if tool.Parameters != nil {
			w.raw("parameters", string(tool.Parameters))
		}
		if tool.Strict != nil {
			w.bool("strict", *tool.Strict)
		}
		w.end('}')
		w.end('}')
	}
	w.end(']')
	switch choice := p.ToolChoice; choice.Mode {
	case "":
	case llm.OneTool:
		w.name("tool_choice")
		w.begin('{')
		w.str("type", "function")
		w.name("function")
		w.begin('{')
		w.str("name", choice.Name)
		w.end('}')
		w.end('}')
	default:
		w.str("tool_choice", string(choice.Mode))
	}
	if p.OneCall {
		w.raw("parallel_tool_calls", "false")
	}
}

func openAIFormat(w *scribe, f *llm.Format) {
	w.name("response_format")
	w.begin('{')
	if f.Schema == nil {
		w.str("type", "json_object")
		w.end('}')
		return
	}
	w.str("type", "json_schema")
	w.name("json_schema")
	w.begin('{')
	name := f.Name
	if name == "" {
		name = "answer" // it must have one
	}
	w.str("name", name)
	if f.Description != "" {
		w.str("description", f.Description)
	}
	w.raw("schema", string(f.Schema))
	if f.Strict != nil {
		w.bool("strict", *f.Strict)
	}
	w.end('}')
	w.end('}')
}

// openAIMessage writes a message, and reports whether all of it could be said. Each
// result of a tool becomes a message of its own; images among them, which such a
// message cannot have, follow as the user's.
func openAIMessage(w *scribe, m *llm.Message) (all bool) {
	if m.Role == llm.FromTool {
		return openAIResults(w, m.Parts)
	}
	w.begin('{')
	w.str("role", string(m.Role))
	if m.Name != "" {
		w.str("name", m.Name)
	}
	if m.Role == llm.Assistant {
		openAIAssistant(w, m.Parts)
		w.end('}')
		return true
	}
	w.name("content")
	all = openAIContent(w, m.Parts)
	w.end('}')
	return all
}

// openAIAssistant writes what the model said before. Its thoughts have no place in
// this dialect.
func openAIAssistant(w *scribe, parts []llm.Part) {
	text, refusal := joined(parts, llm.Text), joined(parts, llm.Refusal)
	calls := false
	for i := range parts {
		calls = calls || parts[i].Kind == llm.ToolCall
	}
	if text == "" && (calls || refusal != "") {
		w.raw("content", "null")
	} else {
		w.str("content", text)
	}
	if refusal != "" {
		w.str("refusal", refusal)
	}
	if !calls {
		return
	}
	w.name("tool_calls")
	w.begin('[')
	for i := range parts {
		if parts[i].Kind == llm.ToolCall {
			openAICall(w, &parts[i])
		}
	}
	w.end(']')
}

func openAICall(w *scribe, part *llm.Part) {
	w.begin('{')
	w.str("id", part.ID)
	w.str("type", "function")
	w.name("function")
	w.begin('{')
	w.str("name", part.Name)
	arguments := part.Arguments
	if arguments == "" {
		arguments = "{}"
	}
	w.str("arguments", arguments)
	w.end('}')
	w.end('}')
}

// joined is all text of one kind.
func joined(parts []llm.Part, kind llm.Kind) string {
	var b strings.Builder
	for i := range parts {
		if parts[i].Kind == kind {
			b.WriteString(parts[i].Text)
		}
	}
	return b.String()
}

// openAIContent writes the parts of a message: as one text, where they are one.
func openAIContent(w *scribe, parts []llm.Part) (all bool) {
	if len(parts) == 1 && parts[0].Kind == llm.Text {
		w.text(parts[0].Text)
		return true
	}
	all = true
	w.begin('[')
	for i := range parts {
		part := &parts[i]
		switch {
		case part.Kind == llm.Image:
			w.begin('{')
			w.str("type", "image_url")
			w.name("image_url")
			w.begin('{')
			w.str("url", located(part))
			if part.Detail != "" {
				w.str("detail", part.Detail)
			}
			w.end('}')
			w.end('}')
		case part.Kind == llm.File && part.URL == "":
			w.begin('{')
			w.str("type", "file")
			w.name("file")
			w.begin('{')
			name := part.Name
			if name == "" {
				name = "document"
			}
			w.str("filename", name)
			w.str("file_data", located(part))
			w.end('}')
			w.end('}')
		case part.Kind == llm.File: // it takes no addresses
			all = false
		default:
			w.begin('{')
			w.str("type", "text")
			w.str("text", part.Text)
			w.end('}')
		}
	}
	w.end(']')
	return all
}

// openAIResults writes the results of tools, then what was in them beside text.
func openAIResults(w *scribe, results []llm.Part) (all bool) {
	var beside []llm.Part
	for i := range results {
		result := &results[i]
		text := joined(result.Parts, llm.Text)
		for _, part := range result.Parts {
			if part.Kind != llm.Text {
				beside = append(beside, llm.Part{Kind: llm.Text, Text: "From the result of " + result.ID + ":"}, part)
			}
		}
		w.begin('{')
		w.str("role", "tool")
		w.str("tool_call_id", result.ID)
		if result.Failed && text == "" {
			text = "the tool failed"
		}
		w.str("content", text)
		w.end('}')
	}
	if len(beside) == 0 {
		return true
	}
	w.begin('{')
	w.str("role", "user")
	w.name("content")
	all = openAIContent(w, beside)
	w.end('}')
	return all
}
