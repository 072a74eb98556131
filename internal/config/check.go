package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/policy"
	"github.com/spanway/spanway/internal/route"
	"github.com/spanway/spanway/internal/server"
)

// check holds the rules that need more than one package's settings to see.
func (f *File) check(p check.Problems) {
	f.checkAuth(p)
	f.checkKeys(p.At("keys"))
	f.checkUpstreams(p.At("upstreams"))
	if f.LLM.Off && len(f.Models) > 0 {
		p.Addf("models", "cannot be asked for, because llm is off")
	}
	for _, name := range slices.Sorted(maps.Keys(f.Models)) {
		f.checkModel(p.At("models", name), name, f.Models[name])
	}
	f.checkRoutes(p.At("routes"))
}

// checkAuth keeps an open gateway from being an accident.
func (f *File) checkAuth(p check.Problems) {
	auth := f.Admission.Auth
	if auth == nil && len(f.Keys) == 0 && !server.Local(f.Listen.Data) {
		p.At("listen").Addf("data", "must have keys, or `admission: {auth: off}` said aloud, beyond loopback; is %q", f.Listen.Data)
	}
	if len(f.Keys) > 0 {
		return
	}
	if auth != nil && auth.On {
		p.At("admission").Addf("auth", "needs keys, there are none")
		return // routes begin with it
	}
	for i, r := range f.Routes {
		if r.Admission != nil && r.Admission.Auth != nil && r.Admission.Auth.On {
			p.At("routes", i, "admission").Addf("auth", "needs keys, there are none")
		}
	}
}

func (f *File) checkKeys(p check.Problems) {
	names, hashes := map[string]int{}, map[string]int{}
	for i, key := range f.Keys {
		if first, ok := names[key.Name]; ok && key.Name != "" {
			p.At(i).Addf("name", "must be unique, is that of keys[%d]", first)
		} else {
			names[key.Name] = i
		}
		if first, ok := hashes[key.SHA256]; ok && key.SHA256 != "" {
			p.At(i).Addf("sha256", "must be unique, is that of keys[%d]", first)
		} else {
			hashes[key.SHA256] = i
		}
		for j, model := range key.Models {
			if f.answers(model) {
				continue
			}
			if near := nearest(model, slices.Sorted(maps.Keys(f.Models))); near != "" {
				p.At(i, "models", j).Addf("", "there is no model %q (did you mean %q?)", model, near)
			} else {
				p.At(i, "models", j).Addf("", "there is no model %q", model)
			}
		}
	}
}

// answers reports whether a model's name can mean anything here.
func (f *File) answers(name string) bool {
	if _, ok := f.Models[name]; ok {
		return true
	}
	if f.LLM.Off || !f.LLM.Passthrough || name == "" {
		return false
	}
	for _, settings := range f.Upstreams {
		if settings.Default {
			return true
		}
	}
	first, rest, _ := strings.Cut(name, "/")
	settings, ok := f.Upstreams[first]
	return ok && rest != "" && settings.Dialect != ""
}

var upstreamName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

func (f *File) checkUpstreams(p check.Problems) {
	taken := ""
	for _, name := range slices.Sorted(maps.Keys(f.Upstreams)) {
		if !upstreamName.MatchString(name) {
			p.Addf(name, "must be named in letters, digits, dots, dashes and underscores, is %q", name)
		}
		if !f.Upstreams[name].Default {
			continue
		}
		if taken != "" {
			p.At(name).Addf("default", "must be true of one upstream only, is true of %q", taken)
		}
		taken = name
	}
}

func (f *File) checkModel(p check.Problems, name string, model *Model) {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		p.Addf("", "must have a name without spaces, is %q", name)
	}
	for i, target := range f.targets(p, model.Targets) {
		at := p.At("targets", i)
		if target.Model == "" {
			at.Addf("", "must have a model, the provider's name of it")
		}
		if settings, ok := f.Upstreams[target.Upstream]; ok && settings.Dialect == "" {
			at.Addf("upstream", "must have a dialect to serve a model, %q has none", target.Upstream)
		}
		if target.For != "" && !slices.Contains(policy.Fallbacks(), target.For) {
			at.Addf("for", "must be %s, is %q", strings.Join(policy.Fallbacks(), " or "), target.For)
		}
	}
}

// targets checks what the targets of models and routes have in common.
func (f *File) targets(p check.Problems, targets []route.Target) []route.Target {
	if len(targets) == 0 {
		p.Addf("", "must have a target")
		return nil
	}
	first := map[route.Target]int{}
	for i, target := range targets {
		at := p.At("targets", i)
		if before, ok := first[target]; ok {
			at.Addf("", "must differ from the others, is targets[%d] again", before)
		} else {
			first[target] = i
		}
		if _, ok := f.Upstreams[target.Upstream]; ok {
			continue
		}
		switch near := nearest(target.Upstream, slices.Sorted(maps.Keys(f.Upstreams))); {
		case target.Upstream == "":
			at.Addf("", "must name an upstream")
		case near != "":
			at.Addf("upstream", "there is no upstream %q (did you mean %q?)", target.Upstream, near)
		default:
			at.Addf("upstream", "there is no upstream %q", target.Upstream)
		}
	}
	if !slices.ContainsFunc(targets, func(t route.Target) bool { return t.For == "" }) {
		p.Addf("targets", "must have one that is for all calls, all have \"for\"")
	}
	return targets
}

var variable = regexp.MustCompile(`\{[^{}]*\}`)

func (f *File) checkRoutes(p check.Problems) {
	names, ways := map[string]int{}, map[string]int{}
	for i, r := range f.Routes {
		if first, ok := names[r.Name]; ok && r.Name != "" {
			p.At(i).Addf("name", "must be unique, is that of routes[%d]", first)
		} else {
			names[r.Name] = i
		}
		if r.Admission != nil && r.Admission.Redact != f.Admission.Redact {
			p.At(i, "admission").Addf("redact", "must be absent: only calls to models are redacted, by what stands in admission.redact")
		}
		for j, target := range f.targets(p.At(i), r.Targets) {
			at := p.At(i, "targets", j)
			if target.Model != "" {
				at.Addf("model", "must be absent: a route leads to a service, models are asked for by name")
			}
			if target.For != "" {
				at.Addf("for", "must be absent: only models refuse for what is asked")
			}
		}
		methods := r.Methods
		if len(methods) == 0 {
			methods = route.Methods()
		}
		clash := -1
		for _, method := range methods {
			way := fmt.Sprintf("%s %s%s %s", method, r.Host, variable.ReplaceAllString(r.Path, "{}"), r.Prefix)
			if first, ok := ways[way]; ok && first != i {
				clash = first
			} else {
				ways[way] = i
			}
		}
		if clash >= 0 && (r.Path != "" || r.Prefix != "") {
			p.At(i).Addf("", "must differ in host, path or methods from routes[%d]", clash)
		}
	}
}
