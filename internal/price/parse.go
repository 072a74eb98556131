package price

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Parse reads a table, in our shape or in that of LiteLLM's list. A table with
// anything wrong in it is refused whole: a price that is left out would make
// calls look free of charge.
func Parse(text []byte) (*Table, error) {
	var shape struct {
		Models json.RawMessage `json:"models"`
	}
	if err := json.Unmarshal(text, &shape); err != nil {
		return nil, fmt.Errorf("must be JSON: %w", err)
	}
	if models := bytes.TrimSpace(shape.Models); len(models) > 0 && models[0] == '[' {
		return parseOwn(text)
	}
	return parseCommunity(text)
}

// put adds a model; the first of a name stays.
func (t *Table) put(provider, name string, m Model) {
	if t.models == nil {
		t.models = map[string]map[string]Model{}
	}
	if t.models[provider] == nil {
		t.models[provider] = map[string]Model{}
	}
	if _, ok := t.models[provider][name]; !ok {
		t.models[provider][name] = m
	}
}

// own is a line of our shape. Prices are USD for a million tokens.
type own struct {
	Provider   string      `json:"provider"` // "" is any
	Model      string      `json:"model"`
	Input      json.Number `json:"input"`
	CacheRead  json.Number `json:"cache_read"`
	CacheWrite json.Number `json:"cache_write"`
	Output     json.Number `json:"output"`
	Context    int64       `json:"context"`
}

func parseOwn(text []byte) (*Table, error) {
	var file struct {
		Date    string `json:"date"`
		Comment string `json:"comment"`
		Models  []own  `json:"models"`
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("must have date and models, as docs/pricing.md shows: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("must be one JSON document, is several")
	}
	table := &Table{Date: file.Date}
	for i, line := range file.Models {
		where := fmt.Sprintf("models[%d]", i)
		switch {
		case line.Model == "":
			return nil, fmt.Errorf("%s must have a model", where)
		case line.Input == "":
			return nil, fmt.Errorf("%s: %s must have input, the price of a million tokens in USD", where, line.Model)
		case line.Context < 0:
			return nil, fmt.Errorf("%s: %s: context must not be negative", where, line.Model)
		}
		if _, ok := table.models[line.Provider][line.Model]; ok {
			return nil, fmt.Errorf("%s: %s is there twice", where, line.Model)
		}
		m := Model{Context: line.Context}
		if err := m.rates(ofMillion, line.Input, line.Output, line.CacheRead, line.CacheWrite); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", where, line.Model, err)
		}
		table.put(line.Provider, line.Model, m)
	}
	for _, line := range file.Models { // for whose provider has no price of its own, that of the first that has one
		table.put("", line.Model, table.models[line.Provider][line.Model])
	}
	return table, nil
}

// rates reads the four prices of a model. One that is empty is not said.
func (m *Model) rates(shift int, input, output, read, write json.Number) error {
	for _, price := range []struct {
		name string
		text json.Number
		to   *Rate
	}{{"input", input, &m.Input}, {"output", output, &m.Output}, {"cache read", read, &m.CacheRead}, {"cache write", write, &m.CacheWrite}} {
		*price.to = none
		if price.text == "" {
			continue
		}
		rate, err := parseRate(price.text.String(), shift)
		if err != nil {
			return fmt.Errorf("the price of %s %w, is %s", price.name, err, price.text)
		}
		*price.to = rate
	}
	return nil
}

// community is an entry of LiteLLM's list, as far as it is read. Prices are USD
// for one token.
type community struct {
	Input      json.Number     `json:"input_cost_per_token"`
	Output     json.Number     `json:"output_cost_per_token"`
	CacheRead  json.Number     `json:"cache_read_input_token_cost"`
	CacheWrite json.Number     `json:"cache_creation_input_token_cost"`
	Context    json.RawMessage `json:"max_input_tokens"`
}

// sample is the entry in LiteLLM's list that explains the others.
const sample = "sample_spec"

// parseCommunity leaves out what has no price by the token: pictures, speech.
func parseCommunity(text []byte) (*Table, error) {
	var list map[string]json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("must be a table of models: %w", err)
	}
	table := &Table{}
	for _, name := range slices.Sorted(maps.Keys(list)) {
		if name == sample {
			continue
		}
		var entry community
		if err := json.Unmarshal(list[name], &entry); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if entry.Input == "" {
			continue
		}
		var m Model
		if err := m.rates(ofToken, entry.Input, entry.Output, entry.CacheRead, entry.CacheWrite); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		m.Context, _ = strconv.ParseInt(string(entry.Context), 10, 64) // what is no number is not said
		provider, model, ok := strings.Cut(name, "/")
		if !ok {
			provider, model = "", name
		}
		table.put(provider, model, m)
	}
	if len(table.models) == 0 {
		return nil, errors.New("holds no model with a price")
	}
	return table, nil
}
