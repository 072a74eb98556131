// Package check holds the words in which a configuration is written and
// refused: [Problems], collected with their places, and the scalars [Secret]
// and [Size]. It knows nothing of YAML; package config finds the lines.
package check

import (
	"fmt"
	"slices"
)

// Problem is one thing that is wrong, and where.
type Problem struct {
	Path []any // keys and indexes, from the top of the file: "routes", 0, "path"
	Text string
}

// Problems collects what is wrong, seen from one place of the file.
type Problems struct {
	path []any
	list *[]Problem
}

// New returns an empty list, seen from the top of the file.
func New() Problems { return Problems{list: new([]Problem)} }

// At returns the same list, seen from a place further in.
func (p Problems) At(path ...any) Problems {
	return Problems{path: slices.Concat(p.path, path), list: p.list}
}

// Addf adds a problem with the field of that name; "" is the place itself. Say
// what is wanted, then what was found: "must be at least 1, is 0".
func (p Problems) Addf(field, format string, args ...any) {
	path := slices.Clone(p.path)
	if field != "" {
		path = append(path, field)
	}
	*p.list = append(*p.list, Problem{path, fmt.Sprintf(format, args...)})
}

// All returns the problems in the order of their finding.
func (p Problems) All() []Problem { return *p.list }
