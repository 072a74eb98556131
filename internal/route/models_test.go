package route_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/gatewaytest"
	"github.com/spanway/spanway/internal/llm"
	"github.com/spanway/spanway/internal/route"
)

func TestAModelsNameIsLookedUpInThisOrder(t *testing.T) {
	var opened []string
	open := func(upstream string) route.Open {
		return func(model string) gateway.Handler {
			opened = append(opened, upstream+" "+model)
			return gatewaytest.Answers(http.StatusOK)
		}
	}
	named := gatewaytest.Answers(http.StatusOK)
	models := &route.Models{
		Names:     map[string]gateway.Handler{"smart": named, "openai/fast": named},
		Upstreams: map[string]route.Open{"openai": open("openai"), "other": open("other")},
		Default:   "openai",
	}
	for _, c := range []struct{ name, by, upstream, opened string }{
		{"smart", "", "", ""},       // its handler notes what it decides
		{"openai/fast", "", "", ""}, // a configured name wins over a prefix
		{"other/gpt-5", "prefix", "other", "other gpt-5"},
		{"openai/a/b", "prefix", "openai", "openai a/b"},
		{"Other/gpt-5", "default", "openai", "openai Other/gpt-5"},
		{"mistral/small", "default", "openai", "openai mistral/small"},
		{"other/", "default", "openai", "openai other/"},
		{"/other", "default", "openai", "openai /other"},
		{"gpt-5", "default", "openai", "openai gpt-5"},
		{"Smart", "default", "openai", "openai Smart"},
	} {
		opened = nil
		call := gateway.NewCall(http.MethodPost, "/", nil)
		call.LLM = &llm.Request{Model: c.name}
		if answer := gatewaytest.DoCall(t.Context(), models, call); answer != http.StatusOK {
			t.Errorf("%s: %v", c.name, answer)
		}
		want := []gateway.Fact{{Key: "upstream", Value: c.upstream}, {Key: "by", Value: c.by}}
		if notes := call.Notes(); c.by == "" && len(notes) > 0 || c.by != "" && (len(notes) != 1 || !slices.Equal(notes[0].Facts, want)) {
			t.Errorf("%s: noted %v, want %v", c.name, notes, want)
		}
		if c.opened != "" && !slices.Equal(opened, []string{c.opened}) || c.opened == "" && len(opened) > 0 {
			t.Errorf("%s: opened %q, want %q", c.name, opened, c.opened)
		}
	}
	if got := models.Listed(); !slices.Equal(got, []string{"openai/fast", "smart"}) {
		t.Errorf("listed are %v", got)
	}
}

func TestANameThatMeansNothingIsA404(t *testing.T) {
	for name, models := range map[string]*route.Models{
		"nothing is configured": {},
		"no default":            {Upstreams: map[string]route.Open{"openai": nil}},
		"a default that is not": {Default: "gone"},
	} {
		call := gateway.NewCall(http.MethodPost, "/", nil)
		call.LLM = &llm.Request{Model: "gpt-5"}
		answer, _ := gatewaytest.DoCall(t.Context(), models, call).(error)
		if e := gateway.AsError(answer); e.Code != gateway.NoModel || e.Param != "model" {
			t.Errorf("%s: %v", name, answer)
		}
		if _, err := models.Find("gpt-5"); gateway.AsError(err).Code != gateway.NoModel {
			t.Errorf("%s: Find says %v", name, err)
		}
	}
}
