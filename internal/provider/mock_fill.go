package provider

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/spanway/spanway/internal/gateway"
)

// schema is what the mock understands of a JSON schema.
type schema struct {
	Type       any // a name, or a list of them
	Const      json.RawMessage
	Enum       []json.RawMessage
	AnyOf      []schema
	OneOf      []schema
	Properties properties
	Items      *schema
	Minimum    *float64
	MinItems   int
	MinLength  int
	Ref        string            `json:"$ref"`
	Defs       map[string]schema `json:"$defs"`
	Old        map[string]schema `json:"definitions"`
}

// property is one member of an object, in the order of the schema.
type property struct {
	name   string
	schema schema
}

type properties []property

// UnmarshalJSON keeps the order, which a map would lose.
func (p *properties) UnmarshalJSON(text []byte) error {
	in := json.NewDecoder(bytes.NewReader(text))
	if _, err := in.Token(); err != nil {
		return err
	}
	for in.More() {
		key, err := in.Token()
		if err != nil {
			return err
		}
		next := property{}
		next.name, _ = key.(string)
		if err := in.Decode(&next.schema); err != nil {
			return err
		}
		*p = append(*p, next)
	}
	return nil
}

// fill returns a value that fits a schema, as JSON; "{}" for one that it cannot
// read.
func fill(raw json.RawMessage) string {
	var s schema
	if len(raw) == 0 || json.Unmarshal(raw, &s) != nil {
		return "{}"
	}
	var out bytes.Buffer
	s.write(&out, &s, 0)
	return out.String()
}

// The bounds of what is made of a schema that refers to itself.
const (
	maxFill   = 16 // levels
	maxFilled = 64 << 10
)

func (s *schema) write(out *bytes.Buffer, root *schema, depth int) {
	choices := slices.Concat(s.AnyOf, s.OneOf)
	switch kind := s.kind(); {
	case depth > maxFill || out.Len() > maxFilled:
		out.WriteString("null")
	case s.Ref != "":
		to := root.find(s.Ref)
		to.write(out, root, depth+1)
	case len(s.Const) > 0:
		out.Write(s.Const)
	case len(s.Enum) > 0:
		out.Write(s.Enum[0])
	case len(choices) > 0:
		choices[0].write(out, root, depth+1)
	case kind == "object":
		out.WriteByte('{')
		for i, p := range s.Properties {
			if i > 0 {
				out.WriteByte(',')
			}
			name, _ := json.Marshal(p.name) // a string cannot fail
			out.Write(name)
			out.WriteByte(':')
			p.schema.write(out, root, depth+1)
		}
		out.WriteByte('}')
	case kind == "array":
		item := s.Items
		if item == nil {
			item = &schema{Type: "string"}
		}
		out.WriteByte('[')
		for i := range min(max(s.MinItems, 1), 16) {
			if i > 0 {
				out.WriteByte(',')
			}
			item.write(out, root, depth+1)
		}
		out.WriteByte(']')
	case kind == "integer" || kind == "number":
		least := 7.0
		if s.Minimum != nil && *s.Minimum > least {
			least = math.Ceil(*s.Minimum)
		}
		number, _ := json.Marshal(least)
		out.Write(number)
	case kind == "boolean":
		out.WriteString("true")
	case kind == "null":
		out.WriteString("null")
	default:
		text, _ := json.Marshal("mock" + strings.Repeat("k", min(max(s.MinLength-4, 0), 1<<10)))
		out.Write(text)
	}
}

func (s *schema) kind() string {
	kind := s.Type
	if list, ok := kind.([]any); ok && len(list) > 0 {
		kind = list[0]
	}
	if name, ok := kind.(string); ok {
		return strings.ToLower(name)
	}
	if len(s.Properties) > 0 {
		return "object"
	}
	return "string"
}

// find follows a reference within the document, one level of definitions deep.
func (s *schema) find(ref string) *schema {
	if ref == "#" {
		return s
	}
	for prefix, defs := range map[string]map[string]schema{"#/$defs/": s.Defs, "#/definitions/": s.Old} {
		if name, ok := strings.CutPrefix(ref, prefix); ok {
			if found, ok := defs[name]; ok {
				return &found
			}
		}
	}
	return &schema{}
}

// embeddings answers with a vector for each input, made of its bytes.
func (r *mockRequest) embeddings() *gateway.Reply {
	inputs := []json.RawMessage{r.Input}
	var list []json.RawMessage
	if json.Unmarshal(r.Input, &list) == nil && len(list) > 0 && (list[0][0] == '"' || list[0][0] == '[') {
		inputs = list // a list of numbers is one input, in tokens
	}
	dimensions := 16
	if r.Dimensions > 0 {
		dimensions = min(r.Dimensions, 4096)
	}
	data := make([]any, len(inputs))
	for i, input := range inputs {
		vector := vectorOf(input, dimensions)
		var embedding any = vector
		if r.EncodingFormat == "base64" {
			packed, _ := binary.Append(nil, binary.LittleEndian, vector) // numbers of a fixed size: it cannot fail
			embedding = base64.StdEncoding.EncodeToString(packed)
		}
		data[i] = object{"object": "embedding", "index": i, "embedding": embedding}
	}
	tokens := len(strings.Fields(words(r.Input)))
	return mockJSON(http.StatusOK, object{
		"object": "list", "data": data, "model": r.Model,
		"usage": object{"prompt_tokens": tokens, "total_tokens": tokens},
	})
}

// vectorOf returns a vector of length 1.
func vectorOf(input []byte, dimensions int) []float32 {
	vector, square := make([]float32, dimensions), 0.0
	whole := fnv.New64a()
	_, _ = whole.Write(input)
	seed := whole.Sum(nil)
	for i := range vector {
		sum := fnv.New32a()
		_, _ = sum.Write(binary.LittleEndian.AppendUint32(seed, uint32(i)))
		x := float64(sum.Sum32())/math.MaxUint32 - 0.5
		vector[i], square = float32(x), square+x*x
	}
	for i := range vector {
		vector[i] /= float32(math.Sqrt(square))
	}
	return vector
}
