package config

import (
	"encoding"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/policy"
	"github.com/spanway/spanway/internal/upstream"
)

// scalar is a kind of value that stands in one piece in the file.
type scalar struct {
	want string         // as messages say it
	tags []string       // what YAML may take it for, where it is not ${NAME}
	json map[string]any // as the schema says it
	read func(text string, v reflect.Value) error
}

// scalars are all that are read. Whatever is not here is a list or a mapping.
var scalars = map[reflect.Type]scalar{
	reflect.TypeFor[string](): {
		want: "a text", tags: []string{"!!str"}, json: map[string]any{"type": "string"}, read: readString,
	},
	reflect.TypeFor[Incoming](): {
		want: "a text", tags: []string{"!!str"}, json: map[string]any{"enum": []any{"", "continue", "link", "ignore"}}, read: readString,
	},
	reflect.TypeFor[policy.Leaving](): {
		want: "a text", tags: []string{"!!str"}, json: map[string]any{"enum": []any{"", "cancel", "drain", "finish"}}, read: readString,
	},
	reflect.TypeFor[bool](): {
		want: "true or false", tags: []string{"!!bool"}, json: map[string]any{"type": "boolean"}, read: readBool,
	},
	reflect.TypeFor[int](): {
		want: "a whole number such as 100", tags: []string{"!!int"}, json: map[string]any{"type": "integer"}, read: readInt,
	},
	reflect.TypeFor[float64](): {
		want: "a number such as 0.5", tags: []string{"!!float", "!!int"}, json: map[string]any{"type": "number"}, read: readFloat,
	},
	reflect.TypeFor[time.Time](): {
		want: "a time such as 2026-01-31T18:00:00Z", tags: []string{"!!timestamp", "!!str"},
		json: pattern(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2})$`, nil), read: readText,
	},
	reflect.TypeFor[time.Duration](): {
		want: "a duration such as 250ms or 1m30s", tags: []string{"!!str", "!!int"},
		json: pattern(`^-?([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$`, map[string]any{"const": 0}), read: readDuration,
	},
	reflect.TypeFor[check.Size](): {
		want: "a size such as 64KiB or 10MiB", tags: []string{"!!str", "!!int"},
		json: pattern(`^[0-9]+(B|KiB|MiB|GiB)?$`, map[string]any{"type": "integer", "minimum": 0}), read: readText,
	},
	reflect.TypeFor[netip.Prefix](): {
		want: "a network such as 10.0.0.0/8", tags: []string{"!!str"},
		json: pattern(`^[0-9a-fA-F.:]+/[0-9]+$`, nil), read: readText,
	},
	reflect.TypeFor[policy.Auth](): {
		want: "on or off", tags: []string{"!!str"}, json: map[string]any{"enum": []any{"on", "off"}}, read: readText,
	},
	reflect.TypeFor[upstream.Proxy](): {
		want: "a proxy such as http://proxy:3128, or off", tags: []string{"!!str"}, json: map[string]any{"type": "string"}, read: readText,
	},
	reflect.TypeFor[check.File](): {
		want: "file: and a path", tags: []string{"!!str"}, json: pattern(`^(file:.+)?$`, nil),
	},
	reflect.TypeFor[check.Secret](): {
		json: pattern(`^(file:/.+|\$\{[A-Za-z_][A-Za-z0-9_]*\})?$`, nil), read: readText,
	},
}

func readString(text string, v reflect.Value) error {
	v.SetString(text)
	return nil
}

func readBool(text string, v reflect.Value) error {
	b, err := strconv.ParseBool(text)
	v.SetBool(b)
	return err
}

func readInt(text string, v reflect.Value) error {
	n, err := strconv.ParseInt(text, 0, 64)
	if err == nil {
		v.SetInt(n)
	}
	return err
}

func readFloat(text string, v reflect.Value) error {
	x, err := strconv.ParseFloat(text, 64)
	if err == nil {
		v.SetFloat(x)
	}
	return err
}

func readDuration(text string, v reflect.Value) error {
	d, err := time.ParseDuration(text)
	if err == nil {
		v.SetInt(int64(d))
	}
	return err
}

func readText(text string, v reflect.Value) error {
	return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
}

// scalar reads one value: a reference is resolved first, and then only its
// result is read, once.
func (d *decoder) scalar(p check.Problems, node *yaml.Node, v reflect.Value, kind scalar) {
	if node.Tag == "!!null" {
		return // nothing was written: the default stands
	}
	secret := v.Type() == reflect.TypeFor[check.Secret]()
	if node.Kind != yaml.ScalarNode {
		if secret {
			p.Addf("", "must be ${NAME} or file:/path, is %s", describe(node))
		} else {
			p.Addf("", "must be %s, is %s", kind.want, describe(node))
		}
		return
	}
	if secret {
		if value, ok := d.secret(p, node.Value); ok {
			v.Set(reflect.ValueOf(check.NewSecret(value)))
		}
		return
	}
	text, ok := d.expand(p, node.Value)
	if !ok {
		return
	}
	if text == node.Value && !fits(node, kind) {
		p.Addf("", "must be %s, is %s", kind.want, describe(node))
		return
	}
	if v.Type() == reflect.TypeFor[check.File]() {
		if file, ok := d.file(p, text); ok {
			v.Set(reflect.ValueOf(file))
		}
		return
	}
	fresh := reflect.New(v.Type()).Elem()
	if err := kind.read(text, fresh); err != nil {
		p.Addf("", "must be "+kind.want+", is %q", text) // the wanted is no argument, and is shown of a hidden value too
		return
	}
	v.Set(fresh)
}

func fits(node *yaml.Node, kind scalar) bool {
	return slices.Contains(kind.tags, node.Tag)
}
