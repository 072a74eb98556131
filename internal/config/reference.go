package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spanway/spanway/internal/check"
)

var (
	reference   = regexp.MustCompile(`\$(?:\$|\{([^}]*)\}?)`)
	wholeSecret = regexp.MustCompile(`^\$\{[A-Za-z_][A-Za-z0-9_]*\}$`)
)

// expand puts variables in the place of ${NAME}, and $ in the place of $$. What
// a variable holds is not looked at again, and messages do not show it.
func (d *decoder) expand(p check.Problems, text string) (expanded string, ok bool) {
	ok = true
	expanded = reference.ReplaceAllStringFunc(text, func(found string) string {
		if found == "$$" {
			return "$"
		}
		if !wholeSecret.MatchString(found) {
			p.Addf("", "must name a variable as ${NAME}; a dollar sign itself is $$")
			ok = false
			return ""
		}
		name := found[2 : len(found)-1]
		value := d.getenv(name)
		if value == "" {
			p.Addf("", "the variable "+name+" is not set, or empty") // the name is no argument: it may be shown
			ok = false
		}
		p.Hide(value)
		return value
	})
	return expanded, ok
}

// largestSecret bounds the file of a secret.
const largestSecret = 64 << 10

// secret resolves the reference to a secret. One that stands in the file itself
// is refused, unseen.
func (d *decoder) secret(p check.Problems, text string) (value string, ok bool) {
	path, isFile := strings.CutPrefix(text, "file:")
	switch {
	case isFile:
		if path, ok = d.expand(p, path); !ok {
			return "", false
		}
		value = d.readSecret(p, path)
	case text == "":
		return "", true // as if it were not there
	case wholeSecret.MatchString(text):
		value, _ = d.expand(p, text)
	default:
		p.Addf("", "must be ${NAME} or file:/path: a secret does not stand in the file itself")
	}
	p.Hide(value)
	return value, value != ""
}

// readSecret reads the file of a secret.
func (d *decoder) readSecret(p check.Problems, path string) string {
	if !filepath.IsAbs(path) {
		p.Addf("", "must name a file by its absolute path")
		return ""
	}
	text, ok := d.read(p, path, largestSecret)
	if !ok {
		return ""
	}
	value := strings.TrimRight(text, "\r\n")
	if value == "" {
		p.Addf("", "the file is empty: %s", path)
	}
	return value
}

// largestFile bounds a file of prices or certificates.
const largestFile = 16 << 20

// file reads what a setting names as "file:path". A relative path begins where
// the configuration stands.
func (d *decoder) file(p check.Problems, reference string) (file check.File, ok bool) {
	if reference == "" {
		return file, true // as if it were not there
	}
	path, ok := strings.CutPrefix(reference, "file:")
	if !ok || path == "" {
		p.Addf("", "must be file: and a path, is %q", reference)
		return file, false
	}
	from := path
	if !filepath.IsAbs(path) {
		from = filepath.Join(d.folder, path)
	}
	text, ok := d.read(p, from, largestFile)
	return check.NewFile(path, text), ok
}

// read reads an ordinary file; a pipe or a device could keep us waiting.
func (d *decoder) read(p check.Problems, path string, largest int64) (text string, ok bool) {
	d.files = append(d.files, path)
	info, err := os.Stat(path)
	if err == nil && info.Mode().IsRegular() && info.Size() <= largest {
		var content []byte
		if content, err = os.ReadFile(path); err == nil && int64(len(content)) <= largest {
			return string(content), true
		}
	}
	p.Addf("", "must name a readable file of at most %s, is file:%s", check.Size(largest), path)
	return "", false
}
