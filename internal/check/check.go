// Package check holds the words in which a configuration is written and
// refused: [Problems], collected with their places, and the scalars [Secret]
// and [Size]. It knows nothing of YAML; package config finds the lines.
package check

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Problem is one thing that is wrong, and where.
type Problem struct {
	Path []any // keys and indexes, from the top of the file: "routes", 0, "path"
	Text string
}

// Problems collects what is wrong, seen from one place of the file.
type Problems struct {
	path []any
	book *book
}

// book is what all views of one list share.
type book struct {
	problems []Problem
	values   []string        // never shown
	places   map[string]bool // whose values are never shown
}

// New returns an empty list, seen from the top of the file.
func New() Problems { return Problems{book: &book{places: map[string]bool{}}} }

// At returns the same list, seen from a place further in.
func (p Problems) At(path ...any) Problems {
	return Problems{path: slices.Concat(p.path, path), book: p.book}
}

// Path returns the place that p looks from.
func (p Problems) Path() []any { return slices.Clone(p.path) }

// Addf adds a problem with the field of that name; "" is the place itself. Say
// what is wanted, then what was found: "must be at least 1, is 0". What was
// found goes into args, never into the format: see [Problems.Hide].
func (p Problems) Addf(field, format string, args ...any) {
	path := slices.Clone(p.path)
	if field != "" {
		path = append(path, field)
	}
	shown := slices.Clone(args)
	for i, arg := range args {
		if p.book.hides(path, fmt.Sprint(arg)) {
			shown[i] = Secret{}
		}
	}
	p.book.problems = append(p.book.problems, Problem{path, fmt.Sprintf(format, shown...)})
}

// Hide says that the value of this place came from outside of the file. No
// message shows an argument that holds it, nor any argument at this place.
func (p Problems) Hide(value string) {
	p.book.places[Place(p.path)] = true
	if value != "" && !slices.Contains(p.book.values, value) {
		p.book.values = append(p.book.values, value)
	}
}

func (b *book) hides(path []any, shown string) bool {
	return b.places[Place(path)] ||
		slices.ContainsFunc(b.values, func(value string) bool { return strings.Contains(shown, value) })
}

// All returns the problems in the order of their finding.
func (p Problems) All() []Problem { return slices.Clone(p.book.problems) }

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_/-]+$`)

// Place writes a path as messages show it: routes[3].targets[0].upstream. No two
// paths are written alike.
func Place(path []any) string {
	var b strings.Builder
	for _, step := range path {
		key, isKey := step.(string)
		switch {
		case !isKey:
			fmt.Fprintf(&b, "[%d]", step)
		case !plainKey.MatchString(key):
			b.WriteString("[" + strconv.Quote(key) + "]")
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(key)
		}
	}
	return b.String()
}
