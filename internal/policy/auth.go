package policy

import "fmt"

// Auth says whether callers must show a key. It is written "on" or "off"; where
// it is not written, it is on if the file names any keys.
type Auth struct{ On bool }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Auth) UnmarshalText(text []byte) error {
	switch string(text) {
	case "on":
		a.On = true
	case "off":
		a.On = false
	default:
		return fmt.Errorf("must be on or off, is %q", text)
	}
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (a Auth) MarshalText() ([]byte, error) {
	if a.On {
		return []byte("on"), nil
	}
	return []byte("off"), nil
}

// Key is one caller: a name, and the SHA-256 of the key they show. The key
// itself stands nowhere.
type Key struct {
	Name   string   `yaml:"name"`
	SHA256 string   `yaml:"sha256"` // 64 hex digits
	Models []string `yaml:"models"` // what they may ask for; empty is all
}
