package internal_test

import (
	"encoding/json"
	"go/ast"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spanway/spanway/internal/config"
)

// firstColumns are the code words in the first column of the tables that stand
// between two headings of a document, or until its end.
func firstColumns(t *testing.T, name, from, to string) []string {
	t.Helper()
	_, section, ok := strings.Cut(document(t, name), "\n"+from+"\n")
	if !ok {
		t.Fatalf("%s has no section %q", name, from)
	}
	if to != "" {
		section, _, _ = strings.Cut(section, "\n"+to+"\n")
	}
	var words []string
	for _, line := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(section, -1) {
		for _, word := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(line[1], -1) {
			words = append(words, word[1])
		}
	}
	return words
}

// same compares two lists without regard to their order.
func same(t *testing.T, what string, documented, there []string) {
	t.Helper()
	for _, word := range documented {
		if !slices.Contains(there, word) {
			t.Errorf("%s: %s is documented and not there", what, word)
		}
	}
	for _, word := range there {
		if !slices.Contains(documented, word) {
			t.Errorf("%s: %s is there and not documented", what, word)
		}
	}
}

func TestEverySettingIsDocumented(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal(config.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	settings := map[string]bool{}
	var walk func(node any, path string)
	walk = func(node any, path string) {
		object, ok := node.(map[string]any)
		if !ok {
			return
		}
		if choices, ok := object["anyOf"].([]any); ok {
			for _, choice := range choices {
				walk(choice, path)
			}
		}
		if properties, ok := object["properties"].(map[string]any); ok {
			for name, inner := range properties {
				inside := strings.TrimPrefix(path+"."+name, ".")
				settings[inside] = true
				walk(inner, inside)
			}
		}
		walk(object["items"], path+"[]")
		walk(object["additionalProperties"], path+".NAME")
	}
	walk(schema, "")
	for path := range settings { // these blocks are documented once, where they stand for all
		for _, block := range []string{"models.NAME.attempt.", "routes[].attempt.", "routes[].admission."} {
			if strings.HasPrefix(path, block) {
				delete(settings, path)
			}
		}
	}
	same(t, "docs/configuration.md", firstColumns(t, "docs/configuration.md", "## Settings", "## What a model's name means"), slices.Collect(maps.Keys(settings)))
}

func TestEveryNoteIsDocumented(t *testing.T) {
	var documented, noted []string
	_, section, _ := strings.Cut(document(t, "docs/telemetry.md"), "\n## Notes\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (?:`(\\w+)`)? ?\\|").FindAllStringSubmatch(section, -1)
	for _, row := range rows {
		documented = append(documented, row[1]+"."+row[2])
	}
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		s.calls(func(callee string, call *ast.CallExpr) {
			if !strings.HasSuffix(callee, ".Note") || len(call.Args) < 2 {
				return
			}
			policy, spelt := literal(call.Args[0])
			decision, also := literal(call.Args[1])
			if !spelt || !also {
				t.Errorf("%s: a note's policy and decision are written out, so that they can be found", s.at(call))
			}
			noted = append(noted, policy+"."+decision)
		})
	}
	same(t, "the notes in docs/telemetry.md", documented, noted)
}

func TestEveryMetricThatIsMadeIsDocumented(t *testing.T) {
	all := sources(t)
	names := map[string]string{} // of constants
	made := map[string]bool{}    // constants that are handed to something
	var genAI []string
	for _, s := range all {
		inNames := s.dir() == "telemetry" && strings.HasPrefix(filepath.Base(s.name), "names")
		ast.Inspect(s.File, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if text, ok := value(n); inNames && ok && strings.HasPrefix(n.Names[0].Name, "Metric") {
					names[n.Names[0].Name] = text
				}
			case *ast.CallExpr:
				for _, arg := range n.Args {
					if name := written(arg); !s.test() {
						made[name[strings.LastIndex(name, ".")+1:]] = true
					}
				}
			case ast.Expr:
				if text, ok := literal(n); inNames && ok && strings.HasPrefix(text, "gen_ai.client.") {
					genAI = append(genAI, text)
				}
			}
			return true
		})
	}
	documented := firstColumns(t, "docs/telemetry.md", "## Metrics", "## Notes")
	for constant, name := range names {
		if made[constant] != slices.Contains(documented, name) {
			t.Errorf("docs/telemetry.md, %s: made is %t, documented is %t", name, made[constant], !made[constant])
		}
	}
	for _, name := range documented {
		if strings.HasPrefix(name, "gen_ai.") && !slices.Contains(genAI, name) {
			t.Errorf("docs/telemetry.md: there is no metric %s", name)
		}
	}
	if len(names) == 0 || len(documented) < 10 {
		t.Errorf("found %d names and %d documented ones", len(names), len(documented))
	}
}

// value is the text of a constant.
func value(spec *ast.ValueSpec) (string, bool) {
	if len(spec.Values) != 1 {
		return "", false
	}
	return literal(spec.Values[0])
}

func TestEveryVariableThatIsReadIsDocumented(t *testing.T) {
	documented := firstColumns(t, "docs/telemetry.md", "## Variables", "## Metrics")
	whole := regexp.MustCompile(`^(OTEL|POD|NODE|CONTAINER)_[A-Z_]*[A-Z]$`)
	for _, s := range sources(t) {
		if s.test() || s.dir() != "telemetry" {
			continue
		}
		ast.Inspect(s.File, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			if text, spelt := literal(e); spelt && whole.MatchString(text) && !slices.Contains(documented, text) {
				t.Errorf("%s: %s is not in docs/telemetry.md", s.at(n), text)
			}
			return true
		})
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	err := filepath.WalkDir("..", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && len(entry.Name()) > 2 && strings.HasPrefix(entry.Name(), ".") {
			return fs.SkipDir
		}
		if filepath.Ext(file) != ".md" {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, to := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), to[1])); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", file, to[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
