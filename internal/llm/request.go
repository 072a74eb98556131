package llm

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// The bounds of a request's body.
const (
	maxDepth = 512 // of nested objects and arrays
	maxModel = 256 // bytes of a model's name
)

// FieldError says which field of a request is wrong, and how. Its text is for
// the caller.
type FieldError struct {
	Param   string // "" where the body as a whole is wrong
	Message string
}

// Error implements error.
func (e *FieldError) Error() string { return e.Message }

func wrong(param, format string, args ...any) error {
	return &FieldError{param, fmt.Sprintf(format, args...)}
}

// The names that the gateway acts upon, by dialect. Another reader of the same
// body may take the last of two, or take "Model" for "model": so each may stand
// once, in exactly this spelling, and what was authorised is what is forwarded.
var (
	openAINames = []string{
		"model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n",
		"temperature", "top_p", "seed", "frequency_penalty", "presence_penalty",
	}
	anthropicNames = []string{"model", "stream", "max_tokens", "temperature", "top_p"}
	responsesNames = []string{"model", "stream", "max_output_tokens", "temperature", "top_p"}
)

// Scan reads of a body what the gateway needs to know, and refuses one that two
// readers could understand differently. The error is a [*FieldError].
func Scan(dialect Dialect, op Operation, body []byte) (*Request, error) {
	switch dialect {
	case Anthropic:
		return scan(body, anthropicNames, op)
	case Responses:
		return scan(body, responsesNames, op)
	default:
		return scan(body, openAINames, op)
	}
}

// ScanRequest is [Scan] for OpenAI's dialect.
func ScanRequest(body []byte, op Operation) (*Request, error) { return scan(body, openAINames, op) }

func scan(body []byte, names []string, op Operation) (*Request, error) {
	if deeper(body, maxDepth) {
		return nil, wrong("", "the body nests deeper than %d levels", maxDepth)
	}
	if !gjson.ValidBytes(body) {
		return nil, wrong("", "the body is not valid JSON")
	}
	start := space(body, 0)
	if !is(body[start:], '{') {
		return nil, wrong("", "the body must be a JSON object")
	}
	r := &Request{usage: usageAsked{at: start + 1, end: start + 1}}
	seen := 0
	for fields := walk(body); ; {
		key, value, at, ok := fields.member()
		if !ok {
			break
		}
		i, err := meant(key, names)
		if err != nil {
			return nil, err
		}
		if i < 0 {
			continue
		}
		if seen&(1<<i) != 0 {
			return nil, wrong(names[i], "%q stands in the body twice", names[i])
		}
		seen |= 1 << i
		if err := r.field(names[i], value, at); err != nil {
			return nil, err
		}
	}
	if r.Model == "" {
		return nil, wrong("model", `"model" is missing`)
	}
	if op == Embeddings || op == CountTokens {
		r.Stream = false // there is no such stream, whatever the body says
	}
	return r, nil
}

// meant returns which of the names a key is, -1 for none of them, and an error
// for one that is another spelling of one of them.
func meant(key []byte, names []string) (int, error) {
	for i, name := range names {
		if same(key, name) {
			return i, nil
		}
	}
	plain := string(key[1 : len(key)-1])
	if strings.IndexByte(plain, '\\') >= 0 {
		plain, _ = str(key)
	}
	for i, name := range names {
		if plain == name {
			return i, nil
		}
		if strings.EqualFold(plain, name) {
			return 0, wrong(name, "a field must be spelled %q exactly", name)
		}
	}
	return -1, nil
}

func (r *Request) field(name string, value []byte, at int) (err error) {
	if name == "model" {
		r.modelAt, r.modelEnd = at, at+len(value)
		r.Model, err = modelName(value)
		return err
	}
	if name == "stream_options" {
		return r.streamOptions(value, at)
	}
	if string(value) == "null" {
		return nil // as if it had not been written
	}
	switch name {
	case "stream":
		r.Stream, err = boolean(name, value)
	case "max_tokens", "max_completion_tokens", "max_output_tokens":
		var most int64
		most, err = whole(name, value, 0)
		r.MaxTokens = max(r.MaxTokens, most)
	case "n":
		r.Choices, err = whole(name, value, 1)
	case "seed":
		var seed int64
		seed, err = whole(name, value, math.MinInt64)
		r.Seed = &seed
	case "temperature":
		r.Temperature, err = number(name, value)
	case "top_p":
		r.TopP, err = number(name, value)
	case "frequency_penalty":
		r.FrequencyPenalty, err = number(name, value)
	case "presence_penalty":
		r.PresencePenalty, err = number(name, value)
	}
	return err
}

// modelName reads the model's name. It goes into logs, spans and paths, so
// nothing in it may end a line or be read in two ways.
func modelName(value []byte) (string, error) {
	model, ok := str(value)
	switch {
	case !ok || model == "":
		return "", wrong("model", `"model" must be a string that is not empty`)
	case len(model) > maxModel:
		return "", wrong("model", `"model" must be at most %d bytes long, is %d`, maxModel, len(model))
	case !utf8.ValidString(model) || strings.ContainsFunc(model, unprintable):
		return "", wrong("model", `"model" must be printable text`)
	}
	return model, nil
}

func unprintable(r rune) bool {
	return unicode.IsControl(r) || r == utf8.RuneError || r == '\u2028' || r == '\u2029'
}

func boolean(name string, value []byte) (bool, error) {
	if is(value, 't') || is(value, 'f') {
		return value[0] == 't', nil
	}
	return false, wrong(name, "%q must be true or false", name)
}

// whole reads a whole number, written without a fraction or an exponent: what
// "1e3" or "2.0" means differs between readers.
func whole(name string, value []byte, least int64) (int64, error) {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n < least {
		if least == math.MinInt64 {
			return 0, wrong(name, "%q must be a whole number", name)
		}
		return 0, wrong(name, "%q must be a whole number of at least %d", name, least)
	}
	return n, nil
}

func number(name string, value []byte) (*float64, error) {
	x, err := strconv.ParseFloat(string(value), 64)
	if err != nil {
		return nil, wrong(name, "%q must be a number", name)
	}
	return &x, nil
}
