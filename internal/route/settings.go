// Package route is the routing table: which route a request belongs to, by
// host, path and method, and which target a model's name means.
package route

// Settings is what a route to an ordinary service matches and where it leads.
type Settings struct {
	Name    string   `yaml:"name"`
	Host    string   `yaml:"host"`    // exact; "" is any
	Path    string   `yaml:"path"`    // gorilla/mux's template: /orders/{id}, /files/{rest:.*}
	Prefix  string   `yaml:"prefix"`  // instead of path: this path and everything under it
	Methods []string `yaml:"methods"` // empty: GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS
	Targets []Target `yaml:"targets"` // in order: the next one is the fallback

	// Idempotent says that a call does no harm when it is executed twice, also a
	// POST or PATCH; so one that may have been executed is sent again.
	Idempotent bool `yaml:"idempotent"`
}

// Target names an upstream and, for models, the provider's name of the model.
type Target struct {
	Upstream string `yaml:"upstream"`
	Model    string `yaml:"model"`
	For      string `yaml:"for"` // context_window or content_policy: only after such a failure; "" is always
}
