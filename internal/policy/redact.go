package policy

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// Redact takes out of calls to models what must not leave, and out of their
// answers what must not come back. Each text is looked at by itself.
type Redact struct {
	Rules   []Redaction `yaml:"rules"`   // in order; each sees what the one before has left
	Answers bool        `yaml:"answers"` // answers, too; a stream cannot be, and is refused
}

// Redaction is one rule: what is found, and what stands in its place.
type Redaction struct {
	Name    string `yaml:"name"`    // in traces; by default that of the set
	Find    string `yaml:"find"`    // a set that is known by name, such as email
	Pattern string `yaml:"pattern"` // or a regular expression (RE2)
	Replace string `yaml:"replace"` // by default the name in brackets, as [EMAIL]
}

// Check reports what is wrong with the settings.
func (r Redact) Check(p check.Problems) {
	if len(r.Rules) == 0 {
		p.Addf("", "must have rules")
	}
}

// Check reports what is wrong with the settings.
func (r Redaction) Check(p check.Problems) {
	switch {
	case (r.Find == "") == (r.Pattern == ""):
		p.Addf("", "must have find or pattern, and not both")
	case r.Find != "":
		if _, ok := sets[r.Find]; !ok {
			p.Addf("find", "must be one of %s, is %q", strings.Join(slices.Sorted(maps.Keys(sets)), ", "), r.Find)
		}
	default:
		if pattern, err := regexp.Compile(r.Pattern); err != nil {
			p.Addf("pattern", "must be a regular expression: %s", err)
		} else if pattern.MatchString("") {
			p.Addf("pattern", "must not match the empty text, is %q", r.Pattern)
		}
	}
	if name := r.name(); name != "" && !callerForm.MatchString(name) || r.Pattern != "" && name == "" {
		p.Addf("name", "must be letters, digits, dots, dashes and underscores, such as ticket, is %q", name)
	}
}

func (r Redaction) name() string { return cmp.Or(r.Name, r.Find) }

// rule is a Redaction that is ready for use.
type rule struct {
	set

	name    string
	replace []byte
}

// Policy redacts the body of a call, before anything keeps or sends it, and then
// its answer.
func (r *Redact) Policy(operation llm.Operation) gateway.Policy {
	rules := make([]rule, len(r.Rules))
	for i, written := range r.Rules {
		rules[i] = rule{sets[written.Find], written.name(), []byte(cmp.Or(written.Replace, "["+strings.ToUpper(written.name())+"]"))}
		if written.Pattern != "" {
			rules[i].set = set{pattern: regexp.MustCompile(written.Pattern)}
		}
	}
	return func(next gateway.Handler) gateway.Handler {
		return gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
			if r.Answers {
				if err := readable(call); err != nil {
					call.Note("redact", "refused")
					return nil, err
				}
			}
			counts := make([]int, len(rules))
			if body := llm.EditContent(call.Body.Bytes, editing(rules, counts)); sum(counts) > 0 {
				call.Note("redact", "request", counted(rules, counts)...)
				request, err := llm.Scan(call.Route.Speaks, operation, body) // what it found stands elsewhere now
				if err != nil {
					return nil, invalid(err)
				}
				call.LLM = request
				call.Body.Bytes, call.Body.Length = body, int64(len(body))
			}
			reply, err := next.Handle(ctx, call)
			if err != nil || !r.Answers {
				return reply, err
			}
			if err := redactAnswer(call, reply, rules); err != nil {
				reply.Close()
				return nil, err
			}
			return reply, nil
		})
	}
}

// readable refuses what would come back in a form in which nothing is found.
func readable(call *gateway.Call) error {
	var param string
	switch {
	case call.LLM.Stream:
		param = "stream"
	case llm.AsksProbabilities(call.Body.Bytes):
		param = "logprobs"
	default:
		return nil
	}
	e := gateway.Errorf(gateway.Invalid, "answers are redacted here, and with %q they cannot be", param)
	e.Param = param
	return e
}

// mostRedacted bounds an answer that is read whole to be redacted.
const mostRedacted = 32 << 20

func redactAnswer(call *gateway.Call, reply *gateway.Reply, rules []rule) error {
	body, err := io.ReadAll(io.LimitReader(reply.Body, mostRedacted+1))
	if err != nil {
		return err
	}
	counts := make([]int, len(rules))
	edit := editing(rules, counts)
	switch {
	case len(body) > mostRedacted:
		return gateway.Errorf(gateway.UpstreamFailed, "the answer is larger than %d MiB, and cannot be redacted", mostRedacted>>20)
	case llm.Valid(body):
		body = llm.EditContent(body, edit)
	case reply.Status >= http.StatusBadRequest: // a page, as some proxies have it
		if changed, ok := edit(body); ok {
			body = changed
		}
	default:
		return gateway.Errorf(gateway.UpstreamFailed, "the answer is not JSON, and cannot be redacted")
	}
	if sum(counts) > 0 {
		call.Note("redact", "answer", counted(rules, counts)...)
	}
	reply.Body, reply.Length = bytes.NewReader(body), int64(len(body))
	return nil
}

// editing returns the function that edits one text, and counts what it takes out.
func editing(rules []rule, counts []int) llm.Edit {
	return func(text []byte) ([]byte, bool) {
		some := false
		for i := range rules {
			if changed, n := rules[i].apply(text); n > 0 {
				text, some = changed, true
				counts[i] += n
			}
		}
		return text, some
	}
}

// apply puts the replacement in the place of what the rule finds.
func (r *rule) apply(text []byte) (changed []byte, n int) {
	at := 0
	for _, found := range r.pattern.FindAllIndex(text, -1) {
		from, to, ok := r.within(text, found[0], found[1])
		if !ok {
			continue
		}
		changed = append(append(changed, text[at:from]...), r.replace...)
		at = to
		n++
	}
	if n == 0 {
		return text, 0
	}
	return append(changed, text[at:]...), n
}

// within finds the longest part of a match that is what the rule looks for: a
// card's number may stand beside other digits. Parts begin and end with a group.
func (r *rule) within(text []byte, from, to int) (start, end int, ok bool) {
	if r.holds == nil {
		return from, to, true
	}
	starts, ends := []int{from}, []int{to}
	for i := from; i < to; i++ {
		if text[i] == ' ' || text[i] == '-' {
			starts, ends = append(starts, i+1), append(ends, i)
		}
	}
	for _, start := range starts {
		for _, end := range append(ends[:1:1], reversed(ends[1:])...) {
			if end > start && r.holds(string(text[start:end])) {
				return start, end, true
			}
		}
	}
	return 0, 0, false
}

func reversed(list []int) []int {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

func sum(counts []int) (n int) {
	for _, count := range counts {
		n += count
	}
	return n
}

// counted says how often each rule has found something, and never what.
func counted(rules []rule, counts []int) (facts []gateway.Fact) {
	for i, n := range counts {
		if n > 0 {
			facts = append(facts, gateway.Fact{Key: rules[i].name, Value: strconv.Itoa(n)})
		}
	}
	return facts
}
