package config

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/policy"
)

const canary = "canary-7f3a91"

// world is the environment of the files in testdata.
func world(t testing.TB) func(string) string {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{
		"CANARY": canary, "SPACES": "two words", "CONTROL": "a\x01b", "EMPTY": empty,
		"OPENAI_API_KEY": canary, "ANTHROPIC_API_KEY": canary, "OPENROUTER_API_KEY": canary, "CONTROL_TOKEN": canary, "FAULT_SECRET": canary,
	}
	return func(name string) string { return variables[name] }
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files %s (%v)", pattern, err)
	}
	return paths
}

var wantLine = regexp.MustCompile(`(?m)^# want: (.*)$`)

func wants(text []byte) (lines []string) {
	for _, match := range wantLine.FindAllSubmatch(text, -1) {
		lines = append(lines, string(match[1]))
	}
	return lines
}

func TestBadFilesAreRefusedWithEveryProblemAtItsPlace(t *testing.T) {
	for _, path := range glob(t, "testdata/bad/*.yaml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text := read(t, path)
			file, err := Parse("spanway.yaml", text, world(t))
			var bad *Error
			if file != nil || !errors.As(err, &bad) {
				t.Fatalf("accepted (%v)", err)
			}
			var got []string
			for _, p := range bad.Problems {
				got = append(got, (&Error{Name: "x", Problems: []Located{p}}).Error()[len("x:"):])
			}
			if want := strings.Join(wants(text), "\n"); strings.Join(got, "\n") != want {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
			}
			if strings.Contains(err.Error(), canary) {
				t.Error("shows what a variable holds")
			}
		})
	}
}

// A rule is a call of Addf. Each must have been seen to refuse something.
func TestEveryRuleHasABadFile(t *testing.T) {
	var seen []string
	for _, path := range glob(t, "testdata/bad/*.yaml") {
		seen = append(seen, wants(read(t, path))...)
	}
	all := strings.Join(seen, "\n") + "\n"
	rules := 0
	for _, folder := range []string{".", "../policy", "../route", "../server", "../upstream"} {
		for _, path := range glob(t, folder+"/*.go") {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			for place, format := range formats(t, path) {
				rules++
				if !regexp.MustCompile(`: ` + format + `\n`).MatchString(all) {
					t.Errorf("%s: no file in testdata/bad shows %s", place, format)
				}
			}
		}
	}
	if rules < 60 {
		t.Errorf("found only %d rules: does the search still work?", rules)
	}
}

var verb = regexp.MustCompile(`%(\[\d+\])?[a-z]`)

// formats gives, by place, the patterns of the messages that a source can add.
func formats(t *testing.T, path string) map[string]string {
	t.Helper()
	files := token.NewFileSet()
	source, err := parser.ParseFile(files, path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(source, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) < 2 {
			return true
		}
		if method, ok := call.Fun.(*ast.SelectorExpr); ok && method.Sel.Name == "Addf" {
			found[files.Position(call.Pos()).String()] = messages(call.Args[1])
		}
		return true
	})
	return found
}

func messages(format ast.Expr) string {
	switch format := format.(type) {
	case *ast.BinaryExpr:
		return messages(format.X) + messages(format.Y)
	case *ast.BasicLit:
		text, _ := strconv.Unquote(format.Value)
		return verb.ReplaceAllString(regexp.QuoteMeta(text), ".*")
	}
	return ".*"
}

func TestAnEmptyFileIsValidAndHasDefaults(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "{}", "~", "listen:\nlimits: {}\nroutes: ~\nkeys: []\n"} {
		file, err := Parse("spanway.yaml", []byte(text), world(t))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if file.Listen.Data != "127.0.0.1:8080" || file.Limits.Body != 10<<20 || file.Drain.Calls != time.Minute ||
			!file.LLM.Passthrough || file.Admission.Auth.On || file.Telemetry.GenAIConventions != "v1.41" {
			t.Errorf("%q: %+v", text, file)
		}
	}
}

func TestABlockThatIsThereBeginsWithItsDefaults(t *testing.T) {
	file, err := Parse("spanway.yaml", []byte(`
limits: {body: 1KiB}
attempt: {timeout: {connect: 1s, total: 9s}}
upstreams:
  orders: {url: "http://orders", health: {fail_after: 9}}
routes:
  - {name: a, path: /a, targets: [{upstream: orders}], attempt: {timeout: {total: 2s}}}
  - {name: b, path: /b, targets: [{upstream: orders}]}
`), world(t))
	if err != nil {
		t.Fatal(err)
	}
	if file.Limits.Body != 1<<10 || file.Limits.Headers != 100 {
		t.Errorf("limits %+v", file.Limits)
	}
	if health := file.Upstreams["orders"].Health; health.FailAfter != 9 || health.ReviveIn != 5*time.Second {
		t.Errorf("health %+v", health)
	}
	if a := file.Routes[0].Attempt.Timeout; a.Connect != time.Second || a.Total != 2*time.Second {
		t.Errorf("a route begins with the file's timeouts, has %+v", a)
	}
	if b := file.Routes[1].Attempt.Timeout; b.Total != 9*time.Second {
		t.Errorf("a route that says nothing has the file's timeouts, has %+v", b)
	}
	if file.Attempt.Timeout.Total != 9*time.Second {
		t.Error("a route changed the file's timeouts")
	}
}

func TestAPolicyThatIsTurnedOnBeginsWithItsDefaults(t *testing.T) {
	file, err := Parse("spanway.yaml", []byte(`
attempt:
  hedge: {}
  breaker: {rate: 0.25}
  concurrency: {queue: 5}
  fault: {inject: [{name: a, do: error 503}]}
upstreams:
  orders: {url: "http://orders"}
routes:
  - {name: a, path: /a, targets: [{upstream: orders}], attempt: {breaker: {probes: 1}}}
`), world(t))
	if err != nil {
		t.Fatal(err)
	}
	attempt := file.Attempt
	if *attempt.Hedge != *policy.DefaultHedge() || attempt.Fault.Inject[0].Share != 1 {
		t.Errorf("hedge %+v, fault %+v", attempt.Hedge, attempt.Fault)
	}
	breaker, concurrency := *policy.DefaultBreaker(), *policy.DefaultConcurrency()
	breaker.Rate, concurrency.Queue = 0.25, 5
	if *attempt.Breaker != breaker || *attempt.Concurrency != concurrency {
		t.Errorf("breaker %+v, concurrency %+v", attempt.Breaker, attempt.Concurrency)
	}
	breaker.Probes = 1
	if route := file.Routes[0].Attempt; *route.Breaker != breaker || *route.Concurrency != concurrency {
		t.Errorf("of the route: breaker %+v, concurrency %+v", route.Breaker, route.Concurrency)
	}
}

func TestReferencesAreResolvedOnce(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(secret, []byte("${HOME}\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	getenv := func(name string) string {
		return map[string]string{"A": "${B}", "B": "b", "PORT": "8081", "FILE": secret, "REF": "file:" + secret}[name]
	}
	file, err := Parse("spanway.yaml", []byte(`
listen: {data: "localhost:${PORT}"}
limits: {headers: "${PORT}"}
upstreams:
  a: {url: "http://h/${A}$${B}$", dialect: openai, keys: ["${A}", "file:`+secret+`", "file:${FILE}", "${REF}"]}
`), getenv)
	if err != nil {
		t.Fatal(err)
	}
	a := file.Upstreams["a"]
	if file.Listen.Data != "localhost:8081" || file.Limits.Headers != 8081 || a.URL != "http://h/${B}${B}$" {
		t.Errorf("got %s, %d, %s", file.Listen.Data, file.Limits.Headers, a.URL)
	}
	for i, want := range []string{"${B}", "${HOME}", "${HOME}", "file:" + secret} {
		if got := a.Keys[i].Reveal(); got != want {
			t.Errorf("key %d is %q, want %q", i, got, want)
		}
	}
}

func TestAuthIsOnWhereThereAreKeys(t *testing.T) {
	const keys = "keys: [{name: a, sha256: \"1111111111111111111111111111111111111111111111111111111111111111\"}]\n"
	for text, on := range map[string]bool{
		keys:                               true,
		keys + "admission: {auth: off}":    false,
		keys + "listen: {data: \":8080\"}": true,
		"admission: {auth: off}\nlisten: {data: \":8080\"}":   false,
		"listen: {data: \"unix:///run/spanway.sock\"}":        false,
		"listen: {data: \"[::1]:0\", probe: \"localhost:0\"}": false,
	} {
		file, err := Parse("spanway.yaml", []byte(text), world(t))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if file.Admission.Auth.On != on {
			t.Errorf("%s: auth is %t", text, file.Admission.Auth.On)
		}
	}
}

func TestOverridesAreCheckedWithTheRest(t *testing.T) {
	_, err := Parse("spanway.yaml", []byte("limits: {}\n"), world(t), func(f *File) { f.Listen.Data = ":8080" })
	const want = "spanway.yaml:1:1: listen.data: must have keys, or `admission: {auth: off}` said aloud, beyond loopback; is \":8080\""
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestAMessageShowsTwentyProblems(t *testing.T) {
	var text strings.Builder
	for i := range 25 {
		fmt.Fprintf(&text, "nonsense%d: 1\n", i)
	}
	_, err := Parse("f.yaml", []byte(text.String()), world(t))
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 21 || lines[20] != "and 5 more" || !strings.HasPrefix(lines[19], "f.yaml:20:1: nonsense19: ") {
		t.Errorf("got %d lines: %s", len(lines), err)
	}
}

func TestTheHashIsOfTheText(t *testing.T) {
	file, err := Parse("f", []byte("{}"), world(t))
	if err != nil || file.Hash != "44136fa355b3" {
		t.Errorf("got %v, %v", file, err)
	}
}

func TestHiddenValuesStayHiddenInEveryArgument(t *testing.T) {
	problems := check.New()
	problems.At("a").Hide("s3cret")
	problems.At("a").Addf("", "is %q, port %d", "anything", 1)
	problems.At("b").Addf("", "is %q, not %q", "x-s3cret-y", "open")
	all := problems.All()
	if all[0].Text != "is ***, port ***" || all[1].Text != `is ***, not "open"` {
		t.Errorf("got %+v", all)
	}
}

func TestNearestNames(t *testing.T) {
	known := []string{"openai", "orders", "url", "path"}
	for name, want := range map[string]string{
		"opnai": "openai", "oepnai": "openai", "order": "orders", "ulr": "url", "paht": "path",
		"u": "", "abc": "", "": "", "completely": "", "lru": "",
	} {
		if got := nearest(name, known); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
