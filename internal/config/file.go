// Package config reads the file. It knows the packages that have settings; none
// of them knows config. A package reports what is wrong with its settings by
// path (its Check method); config finds the lines, and adds the rules that need
// more than one package to see.
//
// [Parse] reads a text, [Embedded] is the text where there is none, [Watcher]
// tells when to read again, [Schema] and [Effective] show the grammar and what a
// file means.
package config

import (
	"net/netip"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/policy"
	"github.com/spanway/spanway/internal/price"
	"github.com/spanway/spanway/internal/route"
	"github.com/spanway/spanway/internal/server"
	"github.com/spanway/spanway/internal/upstream"
)

// File is a file that has been read and found right. Fields are decoded in this
// order: admission and attempt stand before those that begin with them.
type File struct {
	Hash  string   `yaml:"-"` // first 12 hex digits of the text's SHA-256
	Files []string `yaml:"-"` // the files that were read with it: of secrets, prices, certificates

	Listen         server.Listen                 `yaml:"listen"`
	Limits         server.Limits                 `yaml:"limits"`
	Drain          server.Drain                  `yaml:"drain"`
	TrustedProxies []netip.Prefix                `yaml:"trusted_proxies"`
	Telemetry      Telemetry                     `yaml:"telemetry"`
	Keys           []policy.Key                  `yaml:"keys"`
	Admission      policy.Admission              `yaml:"admission"` // for every route; Auth is never nil
	Attempt        policy.Attempt                `yaml:"attempt"`   // for every target
	Upstreams      map[string]*upstream.Settings `yaml:"upstreams"`
	LLM            LLM                           `yaml:"llm"`
	Models         map[string]*Model             `yaml:"models"`
	Routes         []Route                       `yaml:"routes"`
}

// LLM says what the LLM routes do. It is a mapping, or the word off.
type LLM struct {
	Off         bool       `yaml:"-"`
	Passthrough bool       `yaml:"passthrough"` // names that models does not hold go to an upstream as they are
	Prices      check.File `yaml:"prices"`      // in place of those that are built in

	Table *price.Table `yaml:"-"` // what tokens cost; never nil
}

// Model is a name that callers may ask for.
type Model struct {
	Targets []route.Target  `yaml:"targets"`
	Attempt *policy.Attempt `yaml:"attempt"` // never nil: the file's, with what is written here on top
}

// Route is a way to an ordinary service.
type Route struct {
	route.Settings `yaml:",inline"`
	Admission      *policy.Admission `yaml:"admission"` // never nil: the file's, with what is written here on top
	Attempt        *policy.Attempt   `yaml:"attempt"`   // never nil, likewise
}

// Telemetry is what the file says of telemetry. OTEL_* variables say the rest.
type Telemetry struct {
	Incoming         Incoming `yaml:"incoming"`
	GenAIConventions string   `yaml:"genai_conventions"` // v1.41 or latest
	CaptureContent   bool     `yaml:"capture_content"`
}

// Incoming says what becomes of a trace that a caller brings.
type Incoming string

// What may become of it.
const (
	Automatic Incoming = ""         // Continue from loopback and trusted proxies, Link from others
	Continue  Incoming = "continue" // our span is its child
	Link      Incoming = "link"     // our span begins a trace and links to it
	Ignore    Incoming = "ignore"   // as if there were none
)

// defaults is what an empty file means.
func defaults() *File {
	return &File{
		Listen:    server.DefaultListen(),
		Limits:    server.DefaultLimits(),
		Drain:     server.DefaultDrain(),
		Telemetry: Telemetry{GenAIConventions: "v1.41"},
		Attempt:   policy.Attempt{Timeout: policy.DefaultTimeout()},
		LLM:       LLM{Passthrough: true},
	}
}

// settle fills in what follows from the rest of a file that is right.
func (f *File) settle() {
	if f.Admission.Auth == nil {
		f.Admission.Auth = &policy.Auth{On: len(f.Keys) > 0}
	}
	for _, model := range f.Models {
		if model.Attempt == nil {
			model.Attempt = new(f.Attempt)
		}
	}
	for i := range f.Routes {
		if f.Routes[i].Attempt == nil {
			f.Routes[i].Attempt = new(f.Attempt)
		}
		if f.Routes[i].Admission == nil {
			f.Routes[i].Admission = new(f.Admission)
		} else if f.Routes[i].Admission.Auth == nil {
			f.Routes[i].Admission.Auth = f.Admission.Auth
		}
	}
}

// Check reports what is wrong with the settings.
func (t Telemetry) Check(p check.Problems) {
	switch t.Incoming {
	case Automatic, Continue, Link, Ignore:
	default:
		p.Addf("incoming", "must be continue, link or ignore, is %q", t.Incoming)
	}
	if t.GenAIConventions != "v1.41" && t.GenAIConventions != "latest" {
		p.Addf("genai_conventions", "must be v1.41 or latest, is %q", t.GenAIConventions)
	}
	if t.CaptureContent {
		p.Addf("capture_content", "is not in this version yet: true")
	}
}
