package provider

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/spanway/spanway/internal/llm"
)

// What Anthropic wants to be told, and others do not say.
const (
	defaultMaxTokens = 8192 // max_tokens, which is required

	minBudget    = 1024 // of thinking
	lowBudget    = 2048 // up to here it is little
	mediumBudget = 8192 // up to here it is some
	highBudget   = 16384
)

// appendPrompt implements [dialect].
func (anthropic) appendPrompt(to []byte, p *llm.Prompt) (body []byte, cannot []string) {
	w := scribe(to)
	w.begin('{')
	w.str("model", p.Model)
	budget, most, effort := anthropicThinking(p)
	w.num("max_tokens", most)
	if p.Stream {
		w.raw("stream", "true")
	}
	system, all := anthropicSystem(p)
	if system != "" {
		w.str("system", system)
	}
	if !all {
		cannot = append(cannot, "messages.content")
	}
	w.name("messages")
	if !anthropicMessages(&w, p.Messages) {
		cannot = append(cannot, "messages.name")
	}
	thinks := budget > 0 || effort != ""
	anthropicTools(&w, p, thinks)
	switch {
	case budget > 0:
		w.raw("thinking", `{"type":"enabled","budget_tokens":`+strconv.FormatInt(budget, 10)+"}")
	case effort != "":
		w.raw("thinking", `{"type":"adaptive"}`)
	}
	if schema := p.Format != nil && p.Format.Schema != nil; schema || effort != "" {
		w.name("output_config")
		w.begin('{')
		if effort != "" {
			w.str("effort", effort)
		}
		if schema {
			w.name("format")
			w.begin('{')
			w.str("type", "json_schema")
			w.raw("schema", string(p.Format.Schema))
			w.end('}')
		}
		w.end('}')
	}
	if p.Temperature != nil && !thinks { // with thinking there is only one
		if *p.Temperature > 1 {
			cannot = append(cannot, "temperature")
		} else {
			w.float("temperature", *p.Temperature)
		}
	}
	if p.TopP != nil && (!thinks || *p.TopP >= leastTopP) {
		w.float("top_p", *p.TopP)
	}
	if p.TopK != nil && !thinks {
		w.num("top_k", *p.TopK)
	}
	if len(p.Stop) > 0 {
		w.name("stop_sequences")
		w.begin('[')
		for _, stop := range p.Stop {
			w.text(stop)
		}
		w.end(']')
	}
	if p.User != "" {
		w.name("metadata")
		w.begin('{')
		w.str("user_id", p.User)
		w.end('}')
	}
	w.end('}')
	return w, append(cannot, anthropicCannot(p)...)
}

// anthropicCannot lists what else was asked for, and is not the same without it.
func anthropicCannot(p *llm.Prompt) (cannot []string) {
	if p.Choices > 1 {
		cannot = append(cannot, "n")
	}
	for _, f := range p.Rest {
		if !idle(f) && !harmless[f.Name] {
			cannot = append(cannot, f.Name)
		}
	}
	for _, f := range p.Own {
		cannot = append(cannot, f.Name)
	}
	return cannot
}

// asksNothing has the values of fields that ask for nothing. harmless fields are about
// OpenAI's own bookkeeping, and change no answer.
var (
	asksNothing = map[string]string{
		"logprobs": "false", "frequency_penalty": "0", "presence_penalty": "0", "logit_bias": "{}",
		"modalities": `["text"]`, "service_tier": `"auto"`, "store": "false",
	}
	harmless = map[string]bool{"safety_identifier": true, "prompt_cache_key": true, "prompt_cache_retention": true}
)

// idle reports whether a field asks for what is done anyway.
func idle(f llm.Field) bool {
	nothing, ok := asksNothing[f.Name]
	if ok && nothing == "0" {
		n := gjson.ParseBytes(f.Value)
		return n.Type == gjson.Number && n.Num == 0
	}
	return ok && nothing == string(f.Value)
}

// leastTopP is what a model that thinks takes; it takes no top_k and no other
// temperature than its own (Anthropic, "Extended thinking").
const leastTopP = 0.95

// olderModel matches models that are told in tokens how long to think. Later ones
// are told in words, and refuse tokens.
var olderModel = regexp.MustCompile(`claude-(3|(opus|sonnet|haiku)-4(-[0-5])?(-20\d{6}|@|$|-latest))`)

// anthropicThinking says for how many tokens the model is to think, or in a word,
// and with how many tokens in all: they hold the thoughts, too. 0 and "" is not at
// all.
func anthropicThinking(p *llm.Prompt) (budget, most int64, effort string) {
	most = defaultMaxTokens
	if p.MaxTokens != nil {
		most = *p.MaxTokens
	}
	r, choice := p.Reasoning, p.ToolChoice.Mode
	if len(p.Tools) > 0 && (choice == llm.AnyTool || choice == llm.OneTool) {
		return 0, most, "" // a model that thinks cannot be made to call a tool
	}
	if r == nil || r.Effort == "none" || r.Effort == "minimal" || r.Effort == "" && r.Budget == 0 || unthought(p.Messages) {
		return 0, most, ""
	}
	if !olderModel.MatchString(p.Model) {
		return 0, most, anthropicEffort(r)
	}
	switch budget = r.Budget; {
	case budget > 0:
	case r.Effort == "low":
		budget = lowBudget
	case r.Effort == "medium":
		budget = mediumBudget
	default:
		budget = highBudget
	}
	if p.MaxTokens == nil {
		return budget, most + budget, ""
	}
	if budget = min(budget, most-most/4); budget < minBudget { // the rest is for the answer
		budget = 0 // there is no room for thoughts
	}
	return budget, most, ""
}

// anthropicEffort is how hard to think, in Anthropic's words.
func anthropicEffort(r *llm.Reasoning) string {
	switch {
	case r.Effort == "xhigh":
		return "max"
	case r.Effort != "":
		return r.Effort
	case r.Budget <= lowBudget:
		return "low"
	case r.Budget <= mediumBudget:
		return "medium"
	}
	return "high"
}

// unthought reports whether the model has called a tool, and is to go on from its
// result, without the thoughts that it had: callers of other dialects cannot keep
// them. Anthropic refuses to let it think then.
func unthought(messages []llm.Message) bool {
	for i := len(messages) - 1; i >= 0; i-- {
		m := &messages[i]
		switch m.Role {
		case llm.User:
			return false
		case llm.Assistant:
			calls, thoughts := false, false
			for j := range m.Parts {
				calls = calls || m.Parts[j].Kind == llm.ToolCall
				thoughts = thoughts || m.Parts[j].Signature != "" || m.Parts[j].Redacted != ""
			}
			if calls && !thoughts {
				return true
			}
		}
	}
	return false
}

// anthropicSystem is what the system says, wherever it stands. It can say no more
// than text.
func anthropicSystem(p *llm.Prompt) (text string, all bool) {
	var texts []string
	all = true
	for i := range p.Messages {
		m := &p.Messages[i]
		if m.Role != llm.System {
			continue
		}
		if text := joined(m.Parts, llm.Text); text != "" {
			texts = append(texts, text)
		}
		all = all && !slices.ContainsFunc(m.Parts, func(part llm.Part) bool { return part.Kind != llm.Text })
	}
	return strings.Join(texts, "\n\n"), all
}

func anthropicTools(w *scribe, p *llm.Prompt, thinks bool) {
	asJSON := p.Format != nil && p.Format.Schema == nil
	if len(p.Tools) == 0 && !asJSON {
		return
	}
	w.name("tools")
	w.begin('[')
	for _, tool := range p.Tools {
		w.begin('{')
		w.str("name", tool.Name)
		if tool.Description != "" {
			w.str("description", tool.Description)
		}
		if tool.Parameters != nil {
			w.raw("input_schema", string(tool.Parameters))
		} else {
			w.raw("input_schema", `{"type":"object","properties":{}}`)
		}
		if tool.Strict != nil && *tool.Strict {
			w.raw("strict", "true")
		}
		w.end('}')
	}
	choice := p.ToolChoice
	if asJSON {
		w.begin('{')
		w.str("name", jsonTool)
		w.str("description", "Give the answer, as a JSON object of whatever form was asked for.")
		w.raw("input_schema", `{"type":"object"}`)
		w.end('}')
		switch {
		case thinks: // a model that thinks cannot be made to call a tool
		case len(p.Tools) == 0 || choice.Mode == llm.NoTool:
			choice = llm.ToolChoice{Mode: llm.OneTool, Name: jsonTool}
		case choice.Mode != llm.OneTool:
			choice.Mode = llm.AnyTool
		}
	}
	w.end(']')
	anthropicToolChoice(w, choice, p.OneCall)
}

func anthropicToolChoice(w *scribe, choice llm.ToolChoice, oneCall bool) {
	word := map[llm.ToolMode]string{llm.AutoTool: "auto", llm.NoTool: "none", llm.AnyTool: "any", llm.OneTool: "tool"}[choice.Mode]
	if word == "" {
		if !oneCall {
			return
		}
		word = "auto"
	}
	w.name("tool_choice")
	w.begin('{')
	w.str("type", word)
	if choice.Mode == llm.OneTool {
		w.str("name", choice.Name)
	}
	if oneCall && choice.Mode != llm.NoTool {
		w.raw("disable_parallel_tool_use", "true")
	}
	w.end('}')
}
