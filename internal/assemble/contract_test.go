package assemble_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rs/zerolog"
)

// contract is docs/trace-contract.md.
func contract(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/trace-contract.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// part is what stands under a heading of the contract.
func part(t *testing.T, heading string) string {
	t.Helper()
	_, after, ok := strings.Cut(contract(t), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("the contract has no part %q", heading)
	}
	before, _, _ := strings.Cut(after, "\n## ")
	return before
}

var treeTitle = regexp.MustCompile("^### .*: `([a-z_0-9]+)`\n")

func TestEachTreeOfTheContractStandsInItsScenariosTrace(t *testing.T) {
	all := scenarios(t)
	trees := 0
	for _, section := range strings.Split(part(t, "Trees"), "\n### ")[1:] {
		section = "### " + section
		match := treeTitle.FindStringSubmatch(section)
		if match == nil {
			t.Errorf("a tree whose title names no scenario: %.60s", section)
			continue
		}
		trees++
		name := match[1]
		archive, ok := all[name]
		if !ok {
			t.Errorf("there is no scenario %s", name)
			continue
		}
		golden, _ := find(archive, "trace")
		var promised []string
		for line := range strings.Lines(section) {
			if tree, ok := strings.CutPrefix(line, "    "); ok {
				promised = append(promised, strings.TrimRight(tree, "\n"))
			}
		}
		lines := strings.Split(strings.TrimSuffix(golden, "\n"), "\n")
		if len(lines) != len(promised) {
			t.Errorf("%s: the contract promises %d spans, the trace has %d", name, len(promised), len(lines))
			continue
		}
		for i := range promised {
			want, got := parseSpan(t, promised[i]), parseSpan(t, lines[i])
			if want.title != got.title {
				t.Errorf("%s: the contract promises %q, the trace has %q", name, want.title, got.title)
			}
			if got.attributes["status"] != want.attributes["status"] {
				t.Errorf("%s: %s: its status is %q, promised is %q", name, got.title, got.attributes["status"], want.attributes["status"])
			}
			for key, value := range want.attributes {
				if got.attributes[key] != value {
					t.Errorf("%s: %s: %s=%s is promised, is %q", name, got.title, key, value, got.attributes[key])
				}
			}
			if !slices.Equal(want.events, got.events) {
				t.Errorf("%s: %s: the events %v are promised, are %v", name, got.title, want.events, got.events)
			}
		}
	}
	if trees < 5 {
		t.Errorf("only %d trees were found in the contract", trees)
	}
}

// span is one line of a tree.
type span struct {
	title      string // with its indent and kind
	attributes map[string]string
	events     []string // names
}

var (
	spanLine      = regexp.MustCompile(`^((?:\(new trace\) )? *[A-Z]+ [^{\[]*?)(?: \{(.*?)\})?(?:  \[(.*)\])?(?:  link -> .*)?$`)
	attributePair = regexp.MustCompile(`(\S+?)=(\[[^\]]*\]|[^ ]*)`)
	inBraces      = regexp.MustCompile(` \{[^}]*\}`)
)

func parseSpan(t *testing.T, line string) span {
	t.Helper()
	// A name with braces, such as GET /orders/{id}, must not be taken for attributes.
	const open, shut = "\x01", "\x02"
	masked := strings.NewReplacer("/{id}", "/"+open+"id"+shut).Replace(line)
	match := spanLine.FindStringSubmatch(masked)
	if match == nil {
		t.Fatalf("not a span: %s", line)
	}
	unmask := strings.NewReplacer(open, "{", shut, "}")
	s := span{title: unmask.Replace(match[1]), attributes: map[string]string{}}
	for _, pair := range attributePair.FindAllStringSubmatch(match[2], -1) {
		s.attributes[pair[1]] = unmask.Replace(pair[2])
	}
	if match[3] != "" {
		s.events = strings.Split(inBraces.ReplaceAllString(match[3], ""), ", ")
	}
	return s
}

func TestTracesReadAsTheContractSays(t *testing.T) {
	promised := map[string]map[string]bool{"SERVER": {}, "CLIENT": {}, "INTERNAL": {}}
	server, rest, _ := strings.Cut(part(t, "Attributes"), "On CLIENT spans")
	client, internal, _ := strings.Cut(rest, "On INTERNAL spans")
	for kind, table := range map[string]string{"SERVER": server, "CLIENT": client, "INTERNAL": internal} {
		for _, name := range tableNames(table) {
			promised[kind][name] = false
		}
	}
	for name, archive := range scenarios(t) {
		golden, _ := find(archive, "trace")
		for line := range strings.Lines(golden) {
			s := parseSpan(t, strings.TrimSuffix(line, "\n"))
			words := strings.SplitN(strings.TrimSpace(strings.TrimPrefix(s.title, "(new trace) ")), " ", 2)
			kind, title := words[0], words[1]
			for key := range s.attributes {
				if key == "status" {
					continue
				}
				if _, ok := promised[kind][key]; !ok {
					t.Errorf("%s: %s stands on a %s span, and not in the contract", name, key, kind)
				}
				promised[kind][key] = true
			}
			switch kind {
			case "SERVER":
				method := s.attributes["http.request.method"]
				if method == "_OTHER" {
					method = "HTTP"
				}
				if want := strings.TrimSpace(method + " " + s.attributes["http.route"]); title != want {
					t.Errorf("%s: the span %q must be named %q", name, title, want)
				}
			case "INTERNAL":
				if !strings.HasPrefix(s.title, "  ") || strings.HasPrefix(s.title, "    ") {
					t.Errorf("%s: %q is not right under its SERVER span", name, title)
				}
			case "CLIENT":
				if strings.HasPrefix(s.title, "    ") {
					t.Errorf("%s: %q is not right under its SERVER span", name, title)
				}
				if s.attributes["peer.service"] == "" || s.attributes["peer.service"] != s.attributes["service.peer.name"] {
					t.Errorf("%s: %q does not name its peer", name, title)
				}
				model := strings.TrimSpace(s.attributes["gen_ai.operation.name"] + " " + s.attributes["gen_ai.request.model"])
				if title != model && title != s.attributes["http.request.method"] {
					t.Errorf("%s: the span %q is named by neither its model nor its method", name, title)
				}
			default:
				t.Errorf("%s: there is no %s span in the contract", name, kind)
			}
		}
	}
	for kind, names := range promised {
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if !names[name] {
				t.Errorf("the contract promises %s on %s spans; no scenario shows it", name, kind)
			}
			if kind == "SERVER" && strings.HasPrefix(name, "gen_ai.") {
				t.Errorf("the contract promises %s on SERVER spans, where Jaeger would hide all others", name)
			}
		}
	}
}

func TestMetricsAreThoseOfTheContract(t *testing.T) {
	promised := map[string]bool{}
	for _, name := range tableNames(part(t, "Beside the trace")) {
		promised[name] = false
	}
	for name, archive := range scenarios(t) {
		synctest.Test(t, func(t *testing.T) {
			for line := range strings.Lines(play(t, archive, environment, zerolog.Disabled).world.recorder.Metrics()) {
				metric := metricName(line)
				if strings.HasPrefix(metric, "go.") {
					continue
				}
				if _, ok := promised[metric]; !ok {
					t.Errorf("%s: the metric %s is not in the contract", name, metric)
				}
				promised[metric] = true
			}
		})
	}
	for _, name := range slices.Sorted(maps.Keys(promised)) {
		if !promised[name] {
			t.Errorf("the contract promises the metric %s; no scenario shows it", name)
		}
	}
}

var quoted = regexp.MustCompile("`([a-z0-9_.]+)`")

// tableNames are the names in the first column of a part's tables.
func tableNames(text string) (names []string) {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		first, _, _ := strings.Cut(line[2:], " |")
		for _, match := range quoted.FindAllStringSubmatch(first, -1) {
			names = append(names, match[1])
		}
	}
	return names
}
