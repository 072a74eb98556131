package provider

import "github.com/spanway/spanway/internal/llm"

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
