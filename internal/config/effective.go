package config

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// Effective writes what a file means: every setting with its value, defaults
// too, and *** for secrets.
func Effective(f *File) []byte {
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(f); err != nil {
		panic(err) // it is made of settings, all of which can be written
	}
	return text.Bytes()
}

// MarshalYAML implements yaml.Marshaler.
func (l LLM) MarshalYAML() (any, error) {
	if l.Off {
		return "off", nil
	}
	type mapping LLM
	return mapping(l), nil
}
