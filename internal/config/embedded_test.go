package config

import (
	"strings"
	"testing"
)

func TestEmbeddedFiles(t *testing.T) {
	for _, c := range []struct {
		about     string
		variables map[string]string
		upstreams string // name=url, the default first
	}{
		{"no key: the mock provider answers", nil, "mock=mock:"},
		{"one key", map[string]string{"ANTHROPIC_API_KEY": canary}, "anthropic=https://api.anthropic.com/v1"},
		{
			"the first of three takes every model's name",
			map[string]string{"ANTHROPIC_API_KEY": canary, "OPENAI_API_KEY": canary, "OPENROUTER_API_KEY": canary},
			"openrouter=https://openrouter.ai/api/v1 anthropic=https://api.anthropic.com/v1 openai=https://api.openai.com/v1",
		},
		{
			"OPENAI_BASE_URL moves OpenAI",
			map[string]string{"OPENAI_API_KEY": canary, "OPENAI_BASE_URL": "http://localhost:1/v1"},
			"openai=http://localhost:1/v1",
		},
		{"without its key, a base URL is nothing", map[string]string{"OPENAI_BASE_URL": "http://localhost:1/v1"}, "mock=mock:"},
	} {
		t.Run(c.about, func(t *testing.T) {
			getenv := func(name string) string { return c.variables[name] }
			name, text := Embedded(getenv)
			if strings.Contains(string(text), canary) {
				t.Error("the text holds a key")
			}
			file, err := Parse(name, text, getenv)
			if err != nil {
				t.Fatal(err)
			}
			var first, others string
			for _, name := range []string{"anthropic", "mock", "openai", "openrouter"} {
				upstream, ok := file.Upstreams[name]
				switch {
				case ok && upstream.Default:
					first += name + "=" + upstream.URL
				case ok:
					others += " " + name + "=" + upstream.URL
				}
				if ok && name != "mock" && (len(upstream.Keys) != 1 || upstream.Keys[0].Reveal() != canary || upstream.Provider != name) {
					t.Errorf("%s: %+v", name, upstream)
				}
			}
			if first+others != c.upstreams {
				t.Errorf("got %s", first+others)
			}
		})
	}
}
