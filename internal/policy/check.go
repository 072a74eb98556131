package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"time"

	"github.com/spanway/spanway/internal/check"
)

// Check reports what is wrong with the settings.
func (t Timeout) Check(p check.Problems) {
	for _, wait := range []struct {
		field string
		value time.Duration
	}{{"connect", t.Connect}, {"first_token", t.FirstToken}, {"idle", t.Idle}, {"total", t.Total}} {
		if wait.value < 0 {
			p.Addf(wait.field, "must not be negative; 0s is no bound; is %s", wait.value)
		}
	}
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
