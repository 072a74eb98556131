package config

import (
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/policy"
	"github.com/spanway/spanway/internal/upstream"
)

// decoder puts a tree into settings. What is not written keeps the value it has,
// so defaults stand there first. It stops at nothing: each thing that does not
// fit is a problem, and the rest is read.
type decoder struct {
	getenv func(string) string
	folder string                           // of the file, where relative paths begin
	files  []string                         // what has been read beside it
	places map[string]Position              // where each path stands
	start  func(reflect.Type) reflect.Value // what a new value begins with
	within int                              // so many aliases
	nodes  int                              // read within aliases
}

// mostAliased bounds what aliases can make of a small file.
const mostAliased = 10_000

func (d *decoder) exhausted() bool { return d.nodes > mostAliased }

// start gives what a value of an entry begins with: a block of a route begins
// with the file's own, unless that one is wrong and reported once already.
func (f *File) start(t reflect.Type) reflect.Value {
	value := reflect.New(t).Elem()
	switch settings := value.Addr().Interface().(type) {
	case *upstream.Settings:
		settings.Health = upstream.DefaultHealth()
	case *policy.Hedge:
		*settings = *policy.DefaultHedge()
	case *policy.Retry:
		*settings = *policy.DefaultRetry()
	case *policy.Breaker:
		*settings = *policy.DefaultBreaker()
	case *policy.Concurrency:
		*settings = *policy.DefaultConcurrency()
	case *policy.Injection:
		*settings = policy.DefaultInjection()
	case *policy.Admission:
		*settings = sound(f.Admission)
	case *policy.Attempt:
		*settings = sound(f.Attempt)
	}
	return value
}

func sound[T any](settings T) (result T) {
	trial := check.New()
	visit(trial, reflect.ValueOf(&settings).Elem())
	if len(trial.All()) == 0 {
		result = settings
	}
	return result
}

// decode puts node into v, which holds its default.
func (d *decoder) decode(p check.Problems, node *yaml.Node, v reflect.Value) {
	if d.exhausted() {
		return
	}
	if d.within > 0 {
		if d.nodes++; d.exhausted() {
			p.Addf("", "must not hold so much: aliases repeat over 10000 values")
			return
		}
	}
	if _, ok := d.places[check.Place(p.Path())]; !ok { // a key that is there twice stands at the second
		d.places[check.Place(p.Path())] = Position{node.Line, node.Column}
	}
	if node.Kind == yaml.AliasNode {
		node = node.Alias
		d.within++
		defer func() { d.within-- }()
	}
	if kind, ok := scalars[v.Type()]; ok {
		d.scalar(p, node, v, kind)
		return
	}
	if word, ok := reflect.TypeAssert[*LLM](v.Addr()); ok && node.Kind == yaml.ScalarNode && node.Value == "off" {
		word.Off = true
		return
	}
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return // nothing was written: the default stands
	}
	switch v.Kind() {
	case reflect.Pointer:
		fresh := d.start(v.Type().Elem())
		if !v.IsNil() {
			fresh.Set(v.Elem())
		}
		d.decode(p, node, fresh)
		v.Set(fresh.Addr())
	case reflect.Struct:
		d.mapping(p, node, v)
	case reflect.Map:
		d.entries(p, node, v)
	case reflect.Slice:
		d.list(p, node, v)
	default:
		panic("config: no way to write a " + v.Type().String())
	}
}

func (d *decoder) list(p check.Problems, node *yaml.Node, v reflect.Value) {
	if node.Kind != yaml.SequenceNode {
		p.Addf("", "must be a list, is %s", describe(node))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for i, item := range node.Content {
		value := d.start(v.Type().Elem())
		if item.Tag == "!!null" {
			d.places[check.Place(p.At(i).Path())] = Position{item.Line, item.Column}
			p.At(i).Addf("", "must not be empty")
		} else {
			d.decode(p.At(i), item, value)
		}
		v.Set(reflect.Append(v, value))
		if d.exhausted() {
			return
		}
	}
}

func (d *decoder) entries(p check.Problems, node *yaml.Node, v reflect.Value) {
	pairs, ok := d.pairs(p, node)
	if !ok {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, pair := range pairs {
		value := d.start(v.Type().Elem().Elem()) // maps hold pointers to settings
		d.decode(p.At(pair.key), pair.value, value)
		v.SetMapIndex(reflect.ValueOf(pair.key), value.Addr())
	}
}

func (d *decoder) mapping(p check.Problems, node *yaml.Node, v reflect.Value) {
	pairs, ok := d.pairs(p, node)
	if !ok {
		return
	}
	fields := fieldsOf(v.Type())
	for _, pair := range pairs {
		if slices.ContainsFunc(fields, func(f field) bool { return f.name == pair.key }) {
			continue
		}
		d.places[check.Place(p.At(pair.key).Path())] = pair.at
		if slices.Contains(later[v.Type()], pair.key) {
			p.Addf(pair.key, "is not in this version yet")
			continue
		}
		var names []string
		for _, f := range fields {
			names = append(names, f.name)
		}
		if near := nearest(pair.key, names); near != "" {
			p.Addf(pair.key, "there is no such setting (did you mean %q?)", near)
		} else {
			p.Addf(pair.key, "there is no such setting; there are %s", strings.Join(names, ", "))
		}
	}
	for _, f := range fields {
		for _, pair := range pairs {
			if pair.key == f.name {
				d.decode(p.At(pair.key), pair.value, v.FieldByIndex(f.index))
			}
		}
	}
}

type pair struct {
	key   string
	at    Position // of the key
	value *yaml.Node
}

// pairs gives the entries of a mapping, each key once.
func (d *decoder) pairs(p check.Problems, node *yaml.Node) (pairs []pair, ok bool) {
	if node.Kind != yaml.MappingNode {
		p.Addf("", "must be a mapping, is %s", describe(node))
		return nil, false
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!null" {
			d.places[check.Place(p.Path())] = Position{key.Line, key.Column}
			p.Addf("", "must have names for keys, has %s", describe(key))
			continue
		}
		if line, ok := lines[key.Value]; ok {
			d.places[check.Place(p.At(key.Value).Path())] = Position{key.Line, key.Column}
			p.Addf(key.Value, "is there twice; first in line %d", line)
			continue
		}
		lines[key.Value] = key.Line
		pairs = append(pairs, pair{key.Value, Position{key.Line, key.Column}, node.Content[i+1]})
	}
	return pairs, true
}

// field is a setting of a struct; those of inline structs are its own.
type field struct {
	name  string
	index []int
}

func fieldsOf(t reflect.Type) (fields []field) {
	for i := range t.NumField() {
		name, option, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		switch {
		case option == "inline":
			for _, inner := range fieldsOf(t.Field(i).Type) {
				fields = append(fields, field{inner.name, append([]int{i}, inner.index...)})
			}
		case name != "-" && name != "":
			fields = append(fields, field{name, []int{i}})
		}
	}
	return fields
}

// describe says what a node is, and never what it says: it may be a secret.
func describe(node *yaml.Node) string {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch node.Tag {
	case "!!null":
		return "empty"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	case "!!timestamp":
		return "a date"
	}
	return "a text"
}
