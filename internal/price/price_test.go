package price

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/spanway/spanway/internal/llm"
)

func TestPricesBecomeNanoUSDWithoutBinaryRounding(t *testing.T) {
	for _, test := range []struct {
		text  string
		shift int
		want  Rate
	}{
		{"1.25", ofMillion, 1_250_000_000},
		{"0.01875", ofMillion, 18_750_000},
		{"0.1", ofMillion, 100_000_000},
		{"0", ofMillion, 0},
		{"1.25e-06", ofToken, 1_250_000_000},
		{"1.25E-6", ofToken, 1_250_000_000},
		{"7.5e-08", ofToken, 75_000_000},
		{"7.500000000000001e-08", ofToken, 75_000_000}, // as binary numbers left it
		{"1.4999999999999998e-07", ofToken, 150_000_000},
		{"0.0000006", ofToken, 600_000_000},
		{"0.0", ofToken, 0},
		{"0e9999", ofToken, 0},
		{"3e-15", ofToken, 3},
		{"4e-16", ofToken, 0},
		{"5e-16", ofToken, 1},
		{"5e-17", ofToken, 0},
		{"1e-999999999999", ofToken, 0},
		{"1", ofToken, maxRate},
	} {
		if got, err := parseRate(test.text, test.shift); got != test.want || err != nil {
			t.Errorf("%s: got %d, %v; want %d", test.text, got, err, test.want)
		}
	}
	for text, want := range map[string]error{
		"-1e-06": errNegative, "-0": errNegative, "": errNumber, "free": errNumber, "1,5": errNumber, "0x1": errNumber,
		"1e": errNumber, "1e5.5": errNumber, "Infinity": errNumber, "NaN": errNumber, ".5": errNumber,
		"1.1": errTooLarge, "1e999": errTooLarge, "99999999999999999999": errTooLarge,
	} {
		if got, err := parseRate(text, ofToken); err != want {
			t.Errorf("%q: got %d, %v; want %v", text, got, err, want)
		}
	}
}

func TestEachTokenIsPricedOnce(t *testing.T) {
	full := Model{Input: 3_000_000_000, Output: 15_000_000_000, CacheRead: 300_000_000, CacheWrite: 3_750_000_000}
	plain := Model{Input: 3_000_000_000, Output: 15_000_000_000, CacheRead: none, CacheWrite: none}
	for _, test := range []struct {
		name  string
		model Model
		usage llm.Usage
		want  int64
	}{
		{"input and output", full, llm.Usage{Input: 11, Output: 7}, 11*3000 + 7*15000},
		{"cached tokens are a part of the input", full, llm.Usage{Input: 1000, CacheRead: 800, CacheWrite: 100}, 100*3000 + 800*300 + 100*3750},
		{"thoughts are a part of the output", full, llm.Usage{Output: 100, Reasoning: 90}, 100 * 15000},
		{"a cache without prices costs as input", plain, llm.Usage{Input: 1000, CacheRead: 800, CacheWrite: 100}, 1000 * 3000},
		{"more cached than there was", full, llm.Usage{Input: 10, CacheRead: 100, CacheWrite: 100}, 10 * 300},
		{"negative counts give nothing back", full, llm.Usage{Input: -5, Output: -5, CacheRead: -5, CacheWrite: -5}, 0},
		{"less than a nano-USD is rounded, once", Model{Input: 400_000, Output: 400_000, CacheRead: none, CacheWrite: none}, llm.Usage{Input: 1, Output: 1}, 1},
		{"too much for a number is the most", Model{Input: maxRate, Output: maxRate, CacheRead: none, CacheWrite: none}, llm.Usage{Input: math.MaxInt64, Output: math.MaxInt64}, math.MaxInt64},
		{"just below the most", Model{Input: 1_000_000, Output: 0, CacheRead: none, CacheWrite: none}, llm.Usage{Input: math.MaxInt64}, math.MaxInt64},
		{"no tokens cost nothing", full, llm.Usage{}, 0},
	} {
		if got, ok := test.model.cost(test.usage); got != test.want || !ok {
			t.Errorf("%s: got %d, %t; want %d", test.name, got, ok, test.want)
		}
	}
	if _, ok := (Model{Input: 1, Output: none}).cost(llm.Usage{Input: 1, Output: 1}); ok {
		t.Error("output without a price has a cost")
	}
	if got, ok := (Model{Input: 20_000_000, Output: none, CacheRead: none}).cost(llm.Usage{Input: 5}); got != 100 || !ok {
		t.Errorf("an embedding costs %d, %t", got, ok)
	}
}

const list = `{
  "sample_spec": {"input_cost_per_token": 0.0, "max_input_tokens": "max input tokens, if the provider specifies it"},
  "1024-x-1024/dall-e-2": {"input_cost_per_pixel": 1.9e-08, "mode": "image_generation"},
  "gpt-5": {"input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-07, "max_input_tokens": 272000},
  "azure/gpt-5": {"input_cost_per_token": 1.375e-06, "output_cost_per_token": 1.1e-05},
  "gpt-4o-2024-05-13": {"input_cost_per_token": 5e-06, "output_cost_per_token": 1.5e-05},
  "gpt-4o": {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05},
  "openrouter/openai/gpt-5": {"input_cost_per_token": 1.3e-06, "output_cost_per_token": 1e-05},
  "gemini/gemini-2.5-pro": {"input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05, "max_input_tokens": 1048576},
  "claude-sonnet-4-5": {"input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05, "cache_read_input_token_cost": 3e-07, "cache_creation_input_token_cost": 3.75e-06},
  "ollama/llama3": {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0}
}`

func TestAModelIsFoundByProviderThenByNameThenWithoutItsDate(t *testing.T) {
	table, err := Parse([]byte(list))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		provider, model string
		input           Rate // -1: it is not there
	}{
		{"openai", "gpt-5", 1_250_000_000},
		{"somebody", "gpt-5", 1_250_000_000},
		{"azure.ai.openai", "gpt-5", 1_375_000_000},
		{"azure", "gpt-5", 1_375_000_000},
		{"openrouter", "openai/gpt-5", 1_300_000_000},
		{"gcp.gemini", "gemini-2.5-pro", 1_250_000_000},
		{"somebody", "gemini/gemini-2.5-pro", 1_250_000_000},
		{"openai", "gpt-5-2026-01", 1_250_000_000},
		{"openai", "gpt-5-2026-01-31", 1_250_000_000},
		{"azure.ai.openai", "gpt-5-2026-01-31", 1_375_000_000},
		{"openai", "gpt-4o-2024-05-13", 5_000_000_000},
		{"openai", "gpt-4o-2024-11-20", 2_500_000_000},
		{"openai", "gpt-4o-latest", 2_500_000_000},
		{"anthropic", "claude-sonnet-4-5-20250929", 3_000_000_000},
		{"gcp.vertex_ai", "claude-sonnet-4-5@20250929", 3_000_000_000},
		{"ollama", "llama3", 0},
		{"openai", "gpt-5-mini", none},
		{"openai", "gpt-5-2026-0x", none},
		{"openai", "-2026-01-31", none},
		{"openai", "sample_spec", none},
		{"openai", "dall-e-2", none},
		{"", "", none},
		{"openai", "gpt-5/", none},
	} {
		found, ok := table.Find(test.provider, test.model)
		if ok != (test.input != none) || ok && found.Input != test.input {
			t.Errorf("%s of %s: got %+v, %t; want %d", test.model, test.provider, found, ok, test.input)
		}
	}
	if found, _ := table.Find("openai", "gpt-5"); found != (Model{1_250_000_000, 10_000_000_000, 125_000_000, none, 272000}) {
		t.Errorf("got %+v", found)
	}
}

func TestCostTakesThePriceOfWhatWasAskedElseOfWhatAnswered(t *testing.T) {
	table, err := Parse([]byte(list))
	if err != nil {
		t.Fatal(err)
	}
	usage := llm.Usage{Known: true, Input: 11, Output: 7}
	for _, test := range []struct {
		asked, answered string
		usage           llm.Usage
		want            int64
		ok              bool
	}{
		{"gpt-5", "gpt-5-2026-01", usage, 83_750, true},
		{"gpt-5", "gpt-4o", usage, 83_750, true},
		{"our-deployment", "gpt-5-2026-01", usage, 83_750, true},
		{"our-deployment", "", usage, 0, false},
		{"a-model-of-tomorrow", "a-model-of-tomorrow", usage, 0, false},
		{"gpt-5", "gpt-5", llm.Usage{}, 0, false},
		{"gpt-5", "gpt-5", llm.Usage{Known: true}, 0, true},
	} {
		if got, ok := table.Cost("openai", test.asked, test.answered, test.usage); got != test.want || ok != test.ok {
			t.Errorf("%s, %s: got %d, %t; want %d, %t", test.asked, test.answered, got, ok, test.want, test.ok)
		}
	}
	if n := testing.AllocsPerRun(100, func() { table.Cost("openrouter", "openai/gpt-5-2026-01-31", "", usage) }); n > 0 {
		t.Errorf("a lookup allocates %v times", n)
	}
}

func TestOurOwnShape(t *testing.T) {
	table, err := Parse([]byte(`{"date": "2026-11-24", "models": [
		{"provider": "azure.ai.openai", "model": "chat-prod", "input": 1.375, "cache_read": 0.1375, "output": 11, "context": 400000},
		{"provider": "a", "model": "shared", "input": 1, "output": 1},
		{"provider": "b", "model": "shared", "input": 2, "output": 2},
		{"model": "shared", "input": 3, "output": 3}
	]}`))
	if err != nil {
		t.Fatal(err)
	}
	if table.Date != "2026-11-24" {
		t.Errorf("its date is %q", table.Date)
	}
	for provider, want := range map[string]Rate{"a": 1_000_000_000, "b": 2_000_000_000, "c": 3_000_000_000} {
		if found, _ := table.Find(provider, "shared"); found.Input != want {
			t.Errorf("of %s: got %d, want %d", provider, found.Input, want)
		}
	}
	if found, _ := table.Find("elsewhere", "chat-prod"); found != (Model{1_375_000_000, 11_000_000_000, 137_500_000, none, 400000}) {
		t.Errorf("got %+v", found)
	}
}

func TestATableThatIsWrongIsRefusedWhole(t *testing.T) {
	for text, want := range map[string]string{
		``:                             "must be JSON",
		`[]`:                           "must be JSON",
		`{}`:                           "holds no model with a price",
		`{"models": [{}]}`:             "models[0] must have a model",
		`{"models": [], "x":1}`:        "must have date and models",
		`{"models": [{"model": "m"}]}`: "models[0]: m must have input",
		`{"models": [{"model": "m", "input": -1}]}`:                                     "the price of input must not be negative, is -1",
		`{"models": [{"model": "m", "input": 1, "output": 2000000}]}`:                   "the price of output is more than any price, is 2000000",
		`{"models": [{"model": "m", "inputs": 1}]}`:                                     `unknown field "inputs"`,
		`{"models": [{"model": "m", "input": 1}, {"model": "m", "input": 2}]}`:          "models[1]: m is there twice",
		`{"models": [{"model": "m", "input": 1, "context": -1}]}`:                       "context must not be negative",
		`{"gpt-5": {"input_cost_per_token": -1e-06}}`:                                   "gpt-5: the price of input must not be negative, is -1e-06",
		`{"gpt-5": {"input_cost_per_token": 1e-06, "output_cost_per_token": 2}}`:        "gpt-5: the price of output is more than any price, is 2",
		`{"gpt-5": {"input_cost_per_token": "free"}}`:                                   "gpt-5: ",
		`{"gpt-5": {"input_cost_per_token": 1e-06, "cache_read_input_token_cost": -1}}`: "the price of cache read must not be negative",
		`{"gpt-5": 5}`: "gpt-5: ",
	} {
		if table, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v; want %q", text, table, err, want)
		}
	}
}

func TestTheEmbeddedTable(t *testing.T) {
	table, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	if table.Date == "" {
		t.Error("it does not say of when it is")
	}
	for _, model := range []string{"gpt-5", "gpt-5-mini", "claude-sonnet-4-5", "gemini-2.5-pro", "text-embedding-3-small"} {
		found, ok := table.Find("somebody", model)
		if !ok || found.Input <= 0 || found.Context <= 0 {
			t.Errorf("%s: got %+v, %t", model, found, ok)
		}
	}
	if found, ok := table.Find("openrouter", "anthropic/claude-sonnet-4-5"); !ok || found.CacheWrite != 3_750_000_000 {
		t.Errorf("a name with a provider: %+v, %t", found, ok)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(list))
	f.Add(embedded)
	f.Fuzz(func(t *testing.T, text []byte) {
		table, err := Parse(text)
		if err != nil {
			return
		}
		if !json.Valid(text) {
			t.Error("what is no JSON was read")
		}
		for provider, models := range table.models {
			for name := range models {
				cost, ok := table.Cost(provider, name, "", llm.Usage{Known: true, Input: math.MaxInt64, CacheRead: 1 << 40, Output: math.MaxInt64})
				if ok && cost < 0 {
					t.Errorf("%s of %s costs %d", name, provider, cost)
				}
			}
		}
	})
}
