package config

import (
	"reflect"

	"github.com/spanway/spanway/internal/policy"
)

// later holds what the documented grammar has and this version has not, so that
// who writes it is told so. A setting that is built leaves this table.
var later = map[reflect.Type][]string{
	reflect.TypeFor[File]():             {"flags", "store"},
	reflect.TypeFor[LLM]():              {"keepalive_after"},
	reflect.TypeFor[Model]():            {"split"},
	reflect.TypeFor[Route]():            {"split", "versions"},
	reflect.TypeFor[policy.Key]():       {"limits", "budget"},
	reflect.TypeFor[policy.Admission](): {"guard", "limit", "budget", "cache", "shadow"},
	reflect.TypeFor[Telemetry]():        {"keep"},
}
