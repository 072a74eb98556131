package price

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/spanway/spanway/internal/llm"
)

// Model is what the tokens of one model cost.
type Model struct {
	Input, Output         Rate
	CacheRead, CacheWrite Rate  // of input; where a table does not say them, Input
	Context               int64 // tokens of input at most; 0 where a table does not say it
}

// Table holds the prices of models. It does not change once it is made.
type Table struct {
	Date   string                      // when its prices were true, as its maker says; "" is not said
	models map[string]map[string]Model // by provider, which is "" for names that stand alone
}

//go:embed embedded.json
var embedded []byte

// Embedded returns the table that is built in: a few well-known models, true at
// its date, there to be replaced.
var Embedded = sync.OnceValues(func() (*Table, error) { return Parse(embedded) })

// aliases are names of providers in the OpenTelemetry conventions whose models
// have other prefixes in LiteLLM's list, or the prices of another provider.
var aliases = map[string]string{
	"azure.ai.openai": "azure", "azure.ai.inference": "azure_ai", "aws.bedrock": "bedrock", "gcp.gemini": "gemini",
	"gcp.vertex_ai": "vertex_ai", "mistral_ai": "mistral", "x_ai": "xai", "ibm.watsonx.ai": "watsonx",
}

// Find looks a model up: under the provider, then by its name alone, then where
// the name itself begins with a provider, as OpenRouter's do. A date at its end
// is left out where the name with it is not there.
func (t *Table) Find(provider, model string) (Model, bool) {
	if model == "" {
		return Model{}, false
	}
	if found, ok := t.find(provider, model); ok {
		return found, true
	}
	if short := undated(model); short != model {
		return t.find(provider, short)
	}
	return Model{}, false
}

func (t *Table) find(provider, model string) (Model, bool) {
	for _, name := range [...]string{provider, aliases[provider], ""} {
		if found, ok := t.models[name][model]; ok {
			return found, true
		}
	}
	first, rest, _ := strings.Cut(model, "/")
	found, ok := t.models[first][rest]
	return found, ok && rest != ""
}

// undated cuts a date off a model's name: -2026-01-31, -2026-01, -20260131 or
// @20260131; or -latest.
func undated(model string) string {
	for _, form := range []string{"-20##-##-##", "-20##-##", "-20######", "@20######", "-latest"} {
		if at := len(model) - len(form); at > 0 && has(model[at:], form) {
			return model[:at]
		}
	}
	return model
}

// has reports whether a text has a form, in which # is a digit.
func has(text, form string) bool {
	for i := range len(form) {
		if digit := '0' <= text[i] && text[i] <= '9'; form[i] == '#' && !digit || form[i] != '#' && form[i] != text[i] {
			return false
		}
	}
	return true
}

// Cost is what an attempt cost, in nano-USD; not ok where that is unknown. The
// price is that of the model which was asked for, else of the one that answered.
func (t *Table) Cost(provider, asked, answered string, usage llm.Usage) (nanoUSD int64, ok bool) {
	if !usage.Known {
		return 0, false
	}
	model, ok := t.Find(provider, asked)
	if !ok && answered != asked {
		model, ok = t.Find(provider, answered)
	}
	if !ok {
		return 0, false
	}
	return model.cost(usage)
}

// cost prices each token once: what was read from the provider's cache, or
// written to it, is a part of the input, and thoughts are a part of the output.
func (m Model) cost(u llm.Usage) (nanoUSD int64, ok bool) {
	input := max(u.Input, 0)
	read := min(max(u.CacheRead, 0), input)
	write := min(max(u.CacheWrite, 0), input-read)
	if m.Output == none && u.Output > 0 {
		return 0, false
	}
	var s sum
	s.add(input-read-write, m.Input)
	s.add(read, orElse(m.CacheRead, m.Input))
	s.add(write, orElse(m.CacheWrite, m.Input))
	s.add(u.Output, m.Output)
	return s.nanoUSD(), true
}

func orElse(rate, otherwise Rate) Rate {
	if rate == none {
		return otherwise
	}
	return rate
}
