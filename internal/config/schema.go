package config

import (
	"encoding/json"
	"reflect"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/policy"
	"github.com/spanway/spanway/internal/route"
	"github.com/spanway/spanway/internal/upstream"
)

// aReference is what may stand in the place of any scalar.
const aReference = `\$\{[A-Za-z_][A-Za-z0-9_]*\}`

// words are the fields that take a few words only, or lists of them.
var words = map[reflect.Type]map[string][]string{
	reflect.TypeFor[upstream.Settings](): {"dialect": {"openai"}},
	reflect.TypeFor[Route]():             {"methods": route.Methods()},
	reflect.TypeFor[route.Target]():      {"for": policy.Fallbacks()},
	reflect.TypeFor[Telemetry]():         {"genai_conventions": {"v1.41", "latest"}},
}

// Schema returns the grammar as a JSON Schema (draft 2020-12), made from the
// settings themselves. It refuses what has the wrong shape; rules between
// settings are Parse's.
func Schema() []byte {
	schema := schemaOf(reflect.TypeFor[File]())
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "Spanway's configuration"
	schema["type"] = []string{"object", "null"} // an empty file is valid
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		panic(err) // it is made of maps, lists and texts
	}
	return append(text, '\n')
}

func schemaOf(t reflect.Type) map[string]any {
	if kind, ok := scalars[t]; ok {
		return scalarSchema(t, kind.json)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem())
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem())}
	}
	properties := map[string]any{}
	for _, f := range fieldsOf(t) {
		inner := schemaOf(t.FieldByIndex(f.index).Type)
		if few, ok := words[t][f.name]; ok {
			choice := scalarSchema(nil, map[string]any{"enum": few})
			if inner["items"] == nil {
				inner = choice
			} else {
				inner["items"] = choice
			}
		}
		properties[f.name] = orNothing(inner)
	}
	object := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if t == reflect.TypeFor[LLM]() {
		return map[string]any{"anyOf": []any{map[string]any{"const": "off"}, object}}
	}
	return object
}

// scalarSchema allows a reference as well, but for secrets, which say so
// themselves, and texts, which are open.
func scalarSchema(t reflect.Type, json map[string]any) map[string]any {
	if t == reflect.TypeFor[string]() || t == reflect.TypeFor[check.Secret]() {
		return json
	}
	return map[string]any{"anyOf": []any{json, map[string]any{"type": "string", "pattern": aReference}}}
}

// orNothing allows a key with nothing behind it, which leaves the default.
func orNothing(schema map[string]any) map[string]any {
	return map[string]any{"anyOf": []any{schema, map[string]any{"type": "null"}}}
}

// pattern describes texts, and numbers where a schema of them is given.
func pattern(expr string, numbers map[string]any) map[string]any {
	text := map[string]any{"type": "string", "pattern": expr}
	if numbers == nil {
		return text
	}
	return map[string]any{"anyOf": []any{text, numbers}}
}
