package assemble_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite what the scenarios expect")

// environment is what a scenario's configuration may ask for.
var environment = map[string]string{"OPENAI_API_KEY": "sk-upstream", "OPENAI_SECOND_KEY": "sk-second"}

// TestScenarios plays every file in testdata: one file is one story.
//
//	spanway.yaml       the configuration
//	request            what a client sends; see parseRequest for its options.
//	                   "request 2" comes after it, and so on
//	upstream           what the upstream does, as gatewaytest plays it
//	answer             what the client gets; "answer 2", and so on
//	trace              the spans
//	log                the log, if the section is there
//	metrics            of the metrics that the section names, all series
//	upstream requests  what the upstream got, byte for byte but sorted, if there
//
// Times, ids and ports are masked. -update rewrites all that is expected.
func TestScenarios(t *testing.T) {
	for name, archive := range scenarios(t) {
		t.Run(name, func(t *testing.T) {
			var got map[string]string
			if *update {
				defer func() { rewrite(t, name, archive, got) }() // also when it has failed
			}
			synctest.Test(t, func(t *testing.T) {
				got = play(t, archive, environment, zerolog.InfoLevel).expectations()
			})
			if *update {
				return
			}
			for _, section := range slices.Sorted(maps.Keys(got)) {
				want, ok := find(archive, section)
				if !ok && section != "answer" && section != "trace" {
					continue
				}
				if want != got[section] {
					t.Errorf("-- %s --\n%s", section, difference(want, got[section]))
				}
			}
		})
	}
}

// scenarios reads the files of testdata.
func scenarios(t testing.TB) map[string]*txtar.Archive {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no scenarios: %v", err)
	}
	all := make(map[string]*txtar.Archive, len(files))
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".txtar")] = archive
	}
	return all
}

// played is a scenario that has been played.
type played struct {
	world   *world
	archive *txtar.Archive
	answers map[string]string // by the section's name
}

// play plays a scenario, to the end of its last span.
func play(t *testing.T, archive *txtar.Archive, env map[string]string, level zerolog.Level) *played {
	t.Helper()
	yaml, _ := find(archive, "spanway.yaml")
	script, _ := find(archive, "upstream")
	w := newWorld(t, yaml, script, func(name string) string { return env[name] }, level)
	p := &played{world: w, archive: archive, answers: map[string]string{}}
	c := client{world: w}
	var beside sync.WaitGroup
	var mu sync.Mutex
	for _, section := range archive.Files {
		if name, _, _ := strings.Cut(section.Name, ","); !strings.HasPrefix(name, "request") {
			continue
		}
		r := parseRequest(t, section.Name, string(section.Data))
		send := func(c *client) {
			answer := c.send(r)
			mu.Lock()
			p.answers["answer"+r.number] = answer
			mu.Unlock()
		}
		if r.beside {
			beside.Go(func() {
				other := client{world: w}
				send(&other)
				other.leave()
			})
		} else {
			send(&c)
		}
		synctest.Wait()
	}
	beside.Wait()
	c.leave()
	time.Sleep(time.Hour) // an upstream notices late that its client has gone
	synctest.Wait()
	if used := w.memory.Used(); used != 0 {
		t.Errorf("%d bytes of buffer memory were not given back", used)
	}
	return p
}

// expectations are the sections that a file may expect, as they came out.
func (p *played) expectations() map[string]string {
	given := new(strings.Builder)
	for _, section := range p.archive.Files {
		if name, _, _ := strings.Cut(section.Name, ","); strings.HasPrefix(name, "request") || name == "upstream" {
			given.Write(section.Data)
		}
	}
	got := map[string]string{
		"trace": p.world.recorder.Tree(),
		"log":   p.world.log.String(),
	}
	maps.Copy(got, p.answers)
	if chosen, ok := find(p.archive, "metrics"); ok {
		got["metrics"] = choose(p.world.recorder.Metrics(), chosen)
	}
	if _, ok := find(p.archive, "upstream requests"); ok {
		got["upstream requests"] = p.sent()
	}
	for section, text := range got {
		got[section] = mask(text, given.String())
	}
	return got
}

// sent prints the requests that the upstream got. The order of their headers
// means nothing and differs from run to run, so they are sorted.
func (p *played) sent() string {
	var b strings.Builder
	for i, r := range p.world.upstream.Requests() {
		if i > 0 {
			b.WriteString("\n")
		}
		head, body, _ := strings.Cut(r.Raw, "\r\n\r\n")
		lines := strings.Split(head, "\r\n")
		slices.Sort(lines[1:])
		b.WriteString(strings.Join(lines, "\n") + "\n")
		if body = strings.ReplaceAll(body, "\r\n", "\n"); body != "" {
			b.WriteString("\n" + strings.TrimSuffix(body, "\n") + "\n")
		}
	}
	if gone := p.world.upstream.Gone(); gone > 0 {
		fmt.Fprintf(&b, "(connections that were closed before the answer's end: %d)\n", gone)
	}
	return b.String()
}

// choose keeps the lines of the metrics that a section names.
func choose(all, section string) string {
	names := map[string]bool{}
	for line := range strings.Lines(section) {
		names[metricName(line)] = true
	}
	var b strings.Builder
	for line := range strings.Lines(all) {
		if names[metricName(line)] {
			b.WriteString(line)
		}
	}
	return b.String()
}

func metricName(line string) string {
	name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	return name
}

var (
	hexID   = regexp.MustCompile(`\b(?:[0-9a-f]{32}|[0-9a-f]{16})\b`)
	logTime = regexp.MustCompile(`"time":"[^"]*"`)
)

// mask hides ids and times that differ from run to run. An id that the scenario
// itself gives is left to be seen.
func mask(text, given string) string {
	text = logTime.ReplaceAllString(text, `"time":"<time>"`)
	return hexID.ReplaceAllStringFunc(text, func(id string) string {
		if strings.Contains(given, id) {
			return id
		}
		return "<id>"
	})
}

func find(archive *txtar.Archive, name string) (string, bool) {
	for _, section := range archive.Files {
		if section.Name == name {
			return string(section.Data), true
		}
	}
	return "", false
}

// rewrite puts what came out into the file.
func rewrite(t *testing.T, name string, archive *txtar.Archive, got map[string]string) {
	t.Helper()
	for i, section := range archive.Files {
		if text, ok := got[section.Name]; ok {
			archive.Files[i].Data = []byte(text)
			delete(got, section.Name)
		}
	}
	for _, section := range slices.Sorted(maps.Keys(got)) {
		if section == "trace" || strings.HasPrefix(section, "answer") {
			archive.Files = append(archive.Files, txtar.File{Name: section, Data: []byte(got[section])})
		}
	}
	if err := os.WriteFile(filepath.Join("testdata", name+".txtar"), txtar.Format(archive), 0o600); err != nil {
		t.Fatal(err)
	}
}

// difference shows the lines that only one of two texts has.
func difference(want, got string) string {
	wanted, came := strings.SplitAfter(want, "\n"), strings.SplitAfter(got, "\n")
	var b strings.Builder
	for _, line := range wanted {
		if !slices.Contains(came, line) {
			b.WriteString("- " + line)
		}
	}
	for _, line := range came {
		if !slices.Contains(wanted, line) {
			b.WriteString("+ " + line)
		}
	}
	if b.Len() == 0 {
		return "the same lines in another order; got\n" + got
	}
	return b.String()
}
