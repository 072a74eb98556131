package provider

import "github.com/spanway/spanway/internal/llm"

// anthropicMessages writes a conversation, in which the turns of the user and of
// the assistant alternate: what one of them says in several messages is one turn
// here, and what tools say belongs to the user's. It reports whether nobody had to
// lose a name.
func anthropicMessages(w *scribe, messages []llm.Message) (all bool) {
	all = true
	turn := ""
	w.begin('[')
	for i := range messages {
		m := &messages[i]
		all = all && m.Name == ""
		role := "user"
		switch m.Role {
		case llm.System:
			continue
		case llm.Assistant:
			role = "assistant"
		}
		for j := range m.Parts {
			if !worth(&m.Parts[j]) {
				continue
			}
			if role != turn {
				if turn != "" {
					w.end(']')
					w.end('}')
				}
				turn = role
				w.begin('{')
				w.str("role", role)
				w.name("content")
				w.begin('[')
			}
			anthropicBlock(w, &m.Parts[j])
		}
	}
	if turn != "" {
		w.end(']')
		w.end('}')
	}
	w.end(']')
	return all
}

// worth reports whether a part may become a block: Anthropic refuses texts that are
// empty, and thoughts that it has not signed.
func worth(part *llm.Part) bool {
	switch part.Kind {
	case llm.Text, llm.Refusal:
		return part.Text != ""
	case llm.Thinking:
		return part.Signature != "" || part.Redacted != ""
	}
	return true
}

// anthropicBlock writes one block of a message.
func anthropicBlock(w *scribe, part *llm.Part) {
	w.begin('{')
	switch part.Kind {
	case llm.Image:
		w.str("type", "image")
		anthropicSource(w, part)
	case llm.File:
		w.str("type", "document")
		anthropicSource(w, part)
		if part.Name != "" {
			w.str("title", part.Name)
		}
	case llm.Thinking:
		if part.Redacted != "" {
			w.str("type", "redacted_thinking")
			w.str("data", part.Redacted)
			break
		}
		w.str("type", "thinking")
		w.str("thinking", part.Text)
		w.str("signature", part.Signature)
	case llm.ToolCall:
		w.str("type", "tool_use")
		w.str("id", part.ID)
		w.str("name", part.Name)
		w.raw("input", asObject(part.Arguments))
	case llm.ToolResult:
		w.str("type", "tool_result")
		w.str("tool_use_id", part.ID)
		anthropicResult(w, part.Parts)
		if part.Failed {
			w.raw("is_error", "true")
		}
	default:
		w.str("type", "text")
		w.str("text", part.Text)
	}
	w.end('}')
}

// anthropicResult writes what a tool has said, as one text where it is one.
func anthropicResult(w *scribe, parts []llm.Part) {
	if len(parts) == 1 && parts[0].Kind == llm.Text {
		w.str("content", parts[0].Text)
		return
	}
	w.name("content")
	w.begin('[')
	for i := range parts {
		if worth(&parts[i]) {
			anthropicBlock(w, &parts[i])
		}
	}
	w.end(']')
}

func anthropicSource(w *scribe, part *llm.Part) {
	w.name("source")
	w.begin('{')
	if part.URL != "" {
		w.str("type", "url")
		w.str("url", part.URL)
	} else {
		w.str("type", "base64")
		w.str("media_type", part.MediaType)
		w.str("data", part.Data)
	}
	w.end('}')
}
