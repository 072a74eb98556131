package provider

import (
	"slices"
	"strings"

	"github.com/spanway/spanway/internal/llm"
)

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

// resultOf is what a tool has given back. Where it failed, which only Anthropic has
// a word for, its text says so: a model would take an error for an answer.
func resultOf(result *llm.Part) []llm.Part {
	switch {
	case !result.Failed:
		return result.Parts
	case len(result.Parts) == 0:
		return []llm.Part{{Kind: llm.Text, Text: "the tool failed"}}
	case result.Parts[0].Kind == llm.Text:
		parts := slices.Clone(result.Parts)
		parts[0].Text = "the tool failed: " + parts[0].Text
		return parts
	default:
		return append([]llm.Part{{Kind: llm.Text, Text: "the tool failed:"}}, result.Parts...)
	}
}

// openAIResults writes the results of tools, then what was in them beside text.
func openAIResults(w *scribe, results []llm.Part) (all bool) {
	var beside []llm.Part
	for i := range results {
		result := &results[i]
		text := joined(resultOf(result), llm.Text)
		for _, part := range result.Parts {
			if part.Kind != llm.Text {
				beside = append(beside, llm.Part{Kind: llm.Text, Text: "From the result of " + result.ID + ":"}, part)
			}
		}
		w.begin('{')
		w.str("role", "tool")
		w.str("tool_call_id", result.ID)
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
