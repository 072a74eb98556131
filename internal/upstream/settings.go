package upstream

import (
	"time"

	"github.com/spanway/spanway/internal/check"
)

// Settings is one named upstream: where it is, how it speaks, with which
// credentials.
type Settings struct {
	URL       string         `yaml:"url"`       // http, https or unix; or "mock:", the built-in provider. Its path is a prefix
	Endpoints []string       `yaml:"endpoints"` // several servers that are alike, instead of url
	Dialect   string         `yaml:"dialect"`   // "openai", "responses" or "anthropic"; "" is an ordinary HTTP service
	Provider  string         `yaml:"provider"`  // gen_ai.provider.name; by default from the host, else the upstream's name
	Keys      []check.Secret `yaml:"keys"`      // credentials: taken in turn, those that fail left out
	Auth      Auth           `yaml:"auth"`      // how a key is shown
	Proxy     Proxy          `yaml:"proxy"`     // on the way out; "" is the environment's
	TLS       TLS            `yaml:"tls"`
	Default   bool           `yaml:"default"` // takes model names that nothing else names
	Health    Health         `yaml:"health"`

	// Responses says whether a server that speaks OpenAI's dialect has /responses, too:
	// calls in that dialect then go there as they are. Otherwise they become chats.
	Responses *bool `yaml:"responses"` // nil: as the provider is known to

	DropUnsupported bool `yaml:"drop_unsupported"` // leave out what the dialect has no word for, instead of refusing the call
}

// Health says when an endpoint is left out because calls to it fail.
type Health struct {
	FailAfter int           `yaml:"fail_after"` // failures in a row; 0 is never
	ReviveIn  time.Duration `yaml:"revive_in"`  // how long it is left out
}

// DefaultHealth is what an upstream that says nothing gets.
func DefaultHealth() Health { return Health{FailAfter: 3, ReviveIn: 5 * time.Second} }
