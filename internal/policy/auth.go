package policy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/gateway"
)

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

	Explain bool `yaml:"explain"` // they may be told what was decided on their calls
}

var (
	sha256Form = regexp.MustCompile(`^[0-9a-f]{64}$`)
	callerForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	ofNothing  = sha256.Sum256(nil)
)

// Check reports what is wrong with the settings. It shows neither the hash nor
// what stands in its place: that may be the key itself.
func (k Key) Check(p check.Problems) {
	if k.Name == "" {
		p.Addf("", "must have a name")
	} else if !callerForm.MatchString(k.Name) {
		p.Addf("name", "must be letters, digits, dots, dashes and underscores, such as team-a, is %q", k.Name)
	}
	switch {
	case k.SHA256 == "":
		p.Addf("", "must have the sha256 of a key")
	case !sha256Form.MatchString(k.SHA256):
		p.Addf("sha256", "must be the SHA-256 of the key, 64 hexadecimal digits in lower case")
	case k.SHA256 == hex.EncodeToString(ofNothing[:]):
		p.Addf("sha256", "is the SHA-256 of nothing")
	}
}

// Callers knows keys by their SHA-256. A hash alone opens nothing: what a caller
// shows is hashed first, so the lookup takes the same time whatever they show.
type Callers struct {
	byHash map[[sha256.Size]byte]*Key
	byName map[string]*Key
}

// NewCallers returns a table of keys. Their hashes are valid: Check has seen them.
func NewCallers(keys []Key) *Callers {
	c := &Callers{byHash: make(map[[sha256.Size]byte]*Key, len(keys)), byName: make(map[string]*Key, len(keys))}
	for i := range keys {
		var hash [sha256.Size]byte
		if _, err := hex.Decode(hash[:], []byte(keys[i].SHA256)); err != nil {
			continue
		}
		c.byHash[hash] = &keys[i]
		c.byName[keys[i].Name] = &keys[i]
	}
	return c
}

// Policy lets in callers whose key is known.
func (a *Auth) Policy(tools Tools) gateway.Policy {
	return func(next gateway.Handler) gateway.Handler {
		return gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
			shown := call.Credential
			call.Credential = "" // nobody after us has a use for it
			if shown == "" {
				call.Note("auth", "refused", gateway.Fact{Key: "reason", Value: "no_key"})
				return nil, gateway.Errorf(gateway.Unauthenticated, "an API key is needed: send it as Authorization: Bearer KEY")
			}
			hash := sha256.Sum256([]byte(shown))
			key, ok := tools.Callers.byHash[hash]
			if !ok {
				call.Note("auth", "refused", gateway.Fact{Key: "reason", Value: "unknown_key"})
				return nil, gateway.Errorf(gateway.Unauthenticated, "this API key is not known here")
			}
			call.Caller, call.KeyID, call.Insight = key.Name, key.SHA256[:8], key.Explain
			return next.Handle(ctx, call)
		})
	}
}

// May reports whether a caller may ask for a model. Where there is no auth,
// everybody may.
func (c *Callers) May(caller, model string) bool {
	key := c.byName[caller]
	return key == nil || len(key.Models) == 0 || slices.Contains(key.Models, model)
}
