package provider

import (
	"net/url"
	"strings"
)

// hosts are the providers that a host's name tells, in the words of
// gen_ai.provider.name (OpenTelemetry's GenAI conventions) where those have one.
var hosts = []struct{ suffix, name string }{
	{"api.openai.com", "openai"},
	{"openai.azure.com", "azure.ai.openai"},
	{"api.anthropic.com", "anthropic"},
	{"openrouter.ai", "openrouter"},
	{"generativelanguage.googleapis.com", "gcp.gemini"},
	{"api.groq.com", "groq"},
	{"api.mistral.ai", "mistral_ai"},
	{"api.deepseek.com", "deepseek"},
	{"api.x.ai", "x_ai"},
	{"api.perplexity.ai", "perplexity"},
}

// Name returns the provider at an address, or else the upstream's own name.
func Name(address, upstream string) string {
	u, err := url.Parse(address)
	if err != nil {
		return upstream
	}
	for _, h := range hosts {
		if host := u.Hostname(); host == h.suffix || strings.HasSuffix(host, "."+h.suffix) {
			return h.name
		}
	}
	return upstream
}
