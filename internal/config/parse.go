package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/spanway/spanway/internal/check"
)

// Parse reads a file's text. The name is used in messages only; getenv gives the
// variables. Overrides change what was read before it is checked: command line
// flags. The error, if any, is an [*Error].
func Parse(name string, text []byte, getenv func(string) string, overrides ...func(*File)) (*File, error) {
	root, at, message := tree(text)
	if message != "" {
		return nil, &Error{Name: name, Problems: []Located{{Position: at, Text: message}}}
	}
	file := defaults()
	problems := check.New()
	d := decoder{getenv: getenv, folder: filepath.Dir(name), places: map[string]Position{"": {1, 1}}, start: file.start}
	if root != nil {
		d.decode(problems, root, reflect.ValueOf(file).Elem())
	}
	misfits := problems.All()
	if d.exhausted() {
		return nil, &Error{Name: name, Problems: d.locate(misfits)}
	}
	for _, override := range overrides {
		override(file)
	}
	visit(problems, reflect.ValueOf(file).Elem())
	file.check(problems)
	file.readPrices(problems)
	if found := problems.All(); len(found) > 0 {
		found = append(misfits, independent(misfits, found[len(misfits):])...)
		return nil, &Error{Name: name, Problems: d.locate(found)}
	}
	file.settle()
	file.Files = d.files
	sum := sha256.Sum256(text)
	file.Hash = hex.EncodeToString(sum[:])[:12]
	return file, nil
}

// independent drops what was found wrong with a value only because it, or a part
// of it, could not be read.
func independent(misfits, found []check.Problem) []check.Problem {
	unread := map[string]bool{}
	for _, misfit := range misfits {
		unread[check.Place(misfit.Path)] = true
		unread[check.Place(misfit.Path[:max(0, len(misfit.Path)-1)])] = true
	}
	return slices.DeleteFunc(found, func(p check.Problem) bool { return unread[check.Place(p.Path)] })
}

// tree parses the one document of a text; the node is nil where it is empty.
func tree(text []byte) (root *yaml.Node, at Position, message string) {
	documents := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	switch err := documents.Decode(&first); {
	case errors.Is(err, io.EOF):
		return nil, Position{}, ""
	case err != nil:
		at, message = syntax(err)
		return nil, at, message
	}
	switch err := documents.Decode(&second); {
	case errors.Is(err, io.EOF):
		return first.Content[0], Position{}, ""
	case err != nil:
		at, message = syntax(err)
		return nil, at, message
	}
	return nil, Position{second.Line, second.Column}, "must be one document, is several"
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntax reads the library's message; it knows lines, not columns.
func syntax(err error) (Position, string) {
	text := err.Error()
	match := yamlLine.FindStringSubmatch(text)
	at := Position{1, 1}
	if match != nil {
		if line, err := strconv.Atoi(match[1]); err == nil {
			at.Line = max(line, 1)
		}
		text = text[len(match[0]):]
	}
	return at, "is not YAML: " + text
}

// Position is a place in a text, counted from 1.
type Position struct{ Line, Column int }

// Located is a problem and where it is.
type Located struct {
	Position
	Path string // routes[3].targets[0].upstream; "" is the whole file
	Text string
}

// Error is everything that is wrong with a file, in the order of its lines.
type Error struct {
	Name     string
	Problems []Located
}

// shownProblems is how many problems one message holds.
const shownProblems = 20

// Error gives each problem a line: "spanway.yaml:42:17: routes[3].path: …".
func (e *Error) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		if i == shownProblems {
			fmt.Fprintf(&b, "and %d more", len(e.Problems)-i)
			break
		}
		fmt.Fprintf(&b, "%s:%d:%d: ", e.Name, p.Line, p.Column)
		if p.Path != "" {
			b.WriteString(p.Path + ": ")
		}
		b.WriteString(p.Text)
	}
	return b.String()
}

// locate gives each problem its place. What the file does not spell out is at
// the nearest thing around it.
func (d *decoder) locate(problems []check.Problem) []Located {
	var located []Located
	for _, p := range problems {
		path := p.Path
		at, ok := d.places[check.Place(path)]
		for !ok {
			path = path[:len(path)-1]
			at, ok = d.places[check.Place(path)]
		}
		located = append(located, Located{Position: at, Path: check.Place(p.Path), Text: p.Text})
	}
	slices.SortStableFunc(located, func(a, b Located) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return located
}
