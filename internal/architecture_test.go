// Package internal_test holds the rules that the whole tree keeps, so that a
// change that breaks one fails before a reviewer has to notice. What the rules
// say stands in ARCHITECTURE.md and docs/, and is read from there: a rule is
// changed where people read it.
package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/spanway/spanway/"

// source is one Go file of the daemon's module.
type source struct {
	name  string // from the root: internal/policy/auth.go
	text  string
	files *token.FileSet
	*ast.File
}

func (s *source) dir() string  { return path.Dir(s.name) }
func (s *source) test() bool   { return strings.HasSuffix(s.name, "_test.go") }
func (s *source) helper() bool { return strings.HasSuffix(s.dir(), "test") } // gatewaytest, telemetrytest

func (s *source) at(n ast.Node) string {
	return s.name + ":" + strconv.Itoa(s.files.Position(n.Pos()).Line)
}

// calls shows each call in the file, with the callee as it is written.
func (s *source) calls(see func(callee string, call *ast.CallExpr)) {
	ast.Inspect(s.File, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			see(written(call.Fun), call)
		}
		return true
	})
}

// written is a name as the file has it: "io.ReadAll", "panic", "t.Skip".
func written(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return written(e.X) + "." + e.Sel.Name
	case *ast.CallExpr:
		return written(e.Fun) + "()"
	}
	return ""
}

// literal is the value of a string literal.
func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return text, err == nil
}

// sources reads the module.
func sources(t *testing.T) []*source {
	t.Helper()
	var all []*source
	files := token.NewFileSet()
	for _, wing := range []string{"cmd", "internal", "telemetry"} {
		err := filepath.WalkDir(filepath.Join("..", wing), func(file string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(file, ".go") {
				return err
			}
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			parsed, err := parser.ParseFile(files, file, text, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			name := strings.TrimPrefix(filepath.ToSlash(file), "../")
			all = append(all, &source{name, string(text), files, parsed})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(all) < 100 {
		t.Fatalf("only %d files were found", len(all))
	}
	return all
}

// document reads a file from the root.
func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// room is a line of the table: a package, and what it may import.
type room struct {
	level         int
	ours, outside []string
}

var tableLine = regexp.MustCompile(`(?m)^    (\d)  (\S+) *([^|\n]*?) *(?:\| *(.*))?$`)

// plan reads the table under "Who may import whom".
func plan(t *testing.T) map[string]room {
	t.Helper()
	_, section, ok := strings.Cut(document(t, "ARCHITECTURE.md"), "### Who may import whom\n")
	if !ok {
		t.Fatal(`ARCHITECTURE.md has no section "Who may import whom"`)
	}
	section, _, _ = strings.Cut(section, "\n#")
	rooms := map[string]room{}
	for _, line := range tableLine.FindAllStringSubmatch(section, -1) {
		level, _ := strconv.Atoi(line[1])
		rooms[line[2]] = room{level, strings.Fields(line[3]), strings.Fields(line[4])}
	}
	return rooms
}

// short is a package as the table names it.
func short(dir string) string { return strings.TrimPrefix(dir, "internal/") }

func TestAPackageImportsWhatTheTableAllows(t *testing.T) {
	rooms := plan(t)
	used := map[string]bool{}
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		name := short(s.dir())
		allowed, planned := rooms[name]
		if !planned {
			t.Errorf("%s: the package has no line in the table of ARCHITECTURE.md", s.dir())
			continue
		}
		used[name] = true
		for _, spec := range s.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if ours, ok := strings.CutPrefix(imported, module); ok {
				ours = short(ours)
				used[name+" "+ours] = true
				if !slices.Contains(allowed.ours, ours) {
					t.Errorf("%s: the table has no arrow from %s to %s", s.at(spec), name, ours)
				}
				continue
			}
			if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
				continue // the standard library
			}
			i := slices.IndexFunc(allowed.outside, func(guest string) bool {
				return imported == guest || strings.HasPrefix(imported, guest+"/")
			})
			if i < 0 {
				t.Errorf("%s: %s has no business in %s, by the table", s.at(spec), imported, name)
				continue
			}
			used[name+" "+allowed.outside[i]] = true
		}
	}
	for name, allowed := range rooms {
		for _, arrow := range append(slices.Clone(allowed.ours), allowed.outside...) {
			if !used[name+" "+arrow] {
				t.Errorf("the table allows %s to import %s, which it does not", name, arrow)
			}
		}
		if !used[name] {
			t.Errorf("the table has a package %s, which is not there", name)
		}
		for _, ours := range allowed.ours {
			if rooms[ours].level >= allowed.level {
				t.Errorf("%s is on level %d and %s on %d: a package stands above all that it imports", name, allowed.level, ours, rooms[ours].level)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	said := map[string]int{}
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		if said[s.dir()] += 0; s.Doc != nil {
			said[s.dir()]++
		}
	}
	for dir, n := range said {
		if n != 1 {
			t.Errorf("%s has %d package comments, it must have one", dir, n)
		}
	}
}

func TestAFileIsOneThing(t *testing.T) {
	const most = 400
	for _, s := range sources(t) {
		if n := strings.Count(s.text, "\n"); !s.test() && n > most {
			t.Errorf("%s has %d lines; what is longer than %d is two things", s.name, n, most)
		}
	}
}

func TestOnlyTheServerPanics(t *testing.T) {
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		s.calls(func(callee string, call *ast.CallExpr) {
			switch {
			case callee != "panic":
			case s.dir() == "internal/server" && written(call.Args[0]) == "http.ErrAbortHandler": // ends a call
			case s.dir() == "internal/config": // what it writes out is of its own making
			default:
				t.Errorf("%s: return an error", s.at(call))
			}
		})
	}
}

func TestNothingIsReadWithoutALimit(t *testing.T) {
	for _, s := range sources(t) {
		if s.test() || s.helper() {
			continue
		}
		s.calls(func(callee string, call *ast.CallExpr) {
			if callee == "io.ReadAll" && written(call.Args[0]) != "io.LimitReader()" {
				t.Errorf("%s: io.ReadAll needs an io.LimitReader in it", s.at(call))
			}
		})
	}
}

func TestTestsDoNotSleepAndDoNotSkip(t *testing.T) {
	fake := map[string]bool{} // where time is testing/synctest's, and sleeping takes none
	all := sources(t)
	for _, s := range all {
		for _, spec := range s.Imports {
			fake[s.dir()] = fake[s.dir()] || spec.Path.Value == `"testing/synctest"`
		}
	}
	optIn := regexp.MustCompile(`^//go:build (e2e|prove)\n`) // they ask processes, which keep real time
	for _, s := range all {
		if !s.test() || optIn.MatchString(s.text) {
			continue
		}
		s.calls(func(callee string, call *ast.CallExpr) {
			_, method, _ := strings.Cut(callee, ".")
			switch {
			case callee == "time.Sleep" && !fake[s.dir()]:
				t.Errorf("%s: a test waits for what happens, or uses testing/synctest", s.at(call))
			case method == "Skip" || method == "Skipf" || method == "SkipNow":
				t.Errorf("%s: a test that is skipped tests nothing: let it run, or take it out", s.at(call))
			}
		})
	}
}

var instrument = regexp.MustCompile(`\.(Int64|Float64)?(Observable)?(Counter|UpDownCounter|Histogram|Gauge)$`)

func TestMetricsAndAttributesAreNamedInTelemetry(t *testing.T) {
	ours := regexp.MustCompile(`^(spanway|gen_ai|http|db|k8s|service|peer|server|client|network|url)\.[a-z0-9_.]+$`)
	for _, s := range sources(t) {
		if s.test() || s.helper() || s.dir() == "telemetry" && strings.HasPrefix(path.Base(s.name), "names") {
			continue
		}
		s.calls(func(callee string, call *ast.CallExpr) {
			if !instrument.MatchString(callee) {
				return
			}
			if _, spelt := literal(call.Args[0]); spelt {
				t.Errorf("%s: the metric's name belongs in telemetry/names.go", s.at(call))
			}
		})
		ast.Inspect(s.File, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok {
				if text, spelt := literal(e); spelt && ours.MatchString(text) {
					t.Errorf("%s: %q belongs in telemetry/names.go", s.at(n), text)
				}
			}
			return true
		})
	}
}
