package provider

import (
	"time"

	"github.com/tidwall/gjson"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// model is one entry of a list of models, in any dialect.
type model struct {
	id, name string
	created  int64  // in seconds; 0 where it is not known
	raw      string // as its provider shows it; "" of configured names
	shown    llm.Dialect
}

// readModel reads an entry: Anthropic's say "type", OpenAI's "object".
func readModel(entry gjson.Result) model {
	m := model{id: entry.Get("id").Str, name: entry.Get("display_name").Str, raw: entry.Raw, shown: llm.OpenAI}
	if entry.Get("type").Str == "model" {
		m.shown = llm.Anthropic
		if at, err := time.Parse(time.RFC3339, entry.Get("created_at").Str); err == nil {
			m.created = at.Unix()
		}
		return m
	}
	m.created = entry.Get("created").Int()
	return m
}

// appendModels writes a list as the caller's dialect shows it: whole, whatever
// page was asked for.
func appendModels(caller gateway.Dialect, list []model) []byte {
	w := scribe(nil)
	w.begin('{')
	_, ofAnthropic := caller.(anthropic)
	if !ofAnthropic {
		w.str("object", "list")
	}
	w.name("data")
	w.begin('[')
	for _, m := range list {
		w = appendModel(caller, w, m)
	}
	w.end(']')
	if ofAnthropic {
		w.bool("has_more", false)
		for _, edge := range []struct {
			name string
			at   int
		}{{"first_id", 0}, {"last_id", len(list) - 1}} {
			if len(list) == 0 {
				w.raw(edge.name, "null")
			} else {
				w.str(edge.name, list[edge.at].id)
			}
		}
	}
	w.end('}')
	return w
}

// appendModel writes one entry: as its provider shows it, where the caller's
// dialect is the same.
func appendModel(caller gateway.Dialect, to []byte, m model) []byte {
	w := scribe(to)
	_, ofAnthropic := caller.(anthropic)
	if m.raw != "" && ofAnthropic == (m.shown == llm.Anthropic) {
		w.value(m.raw)
		return w
	}
	w.begin('{')
	if ofAnthropic {
		name := m.name
		if name == "" {
			name = m.id
		}
		w.str("type", "model")
		w.str("id", m.id)
		w.str("display_name", name)
		w.str("created_at", time.Unix(m.created, 0).UTC().Format(time.RFC3339))
	} else {
		w.str("id", m.id)
		w.str("object", "model")
		w.num("created", m.created)
		w.str("owned_by", "spanway")
	}
	w.end('}')
	return w
}
