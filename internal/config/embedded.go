package config

import (
	"fmt"
	"strings"
)

// Embedded returns the file that is used where none is given: an upstream for
// each provider whose key is in the environment, the first of them taking every
// model's name; with no key at all, the built-in mock provider. The text names
// the variables and does not hold what is in them.
func Embedded(getenv func(string) string) (name string, text []byte) {
	openAI := "https://api.openai.com/v1"
	if getenv("OPENAI_BASE_URL") != "" {
		openAI = "${OPENAI_BASE_URL}"
	}
	var b strings.Builder
	b.WriteString("upstreams:\n")
	first := true
	for _, provider := range []struct{ name, variable, url, dialect string }{
		{"openrouter", "OPENROUTER_API_KEY", "https://openrouter.ai/api/v1", "openai"},
		{"openai", "OPENAI_API_KEY", openAI, "openai"},
		{"anthropic", "ANTHROPIC_API_KEY", "https://api.anthropic.com/v1", "anthropic"},
	} {
		if getenv(provider.variable) == "" {
			continue
		}
		fmt.Fprintf(&b, "  %s:\n    url: %q\n    dialect: %[5]s\n    provider: %[1]s\n    keys: [\"${%[3]s}\"]\n    default: %[4]t\n",
			provider.name, provider.url, provider.variable, first, provider.dialect)
		first = false
	}
	if first {
		b.WriteString("  mock:\n    url: \"mock:\"\n    dialect: openai\n    default: true\n")
	}
	return "embedded", []byte(b.String())
}
