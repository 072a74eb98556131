package policy_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/gatewaytest"
	"github.com/spanway/spanway/internal/llm"
	"github.com/spanway/spanway/internal/policy"
)

var smart = &gateway.Target{Upstream: "openai", Provider: "openai", Model: "gpt-5"}

// attempt is an attempt of a chat at a model.
func attempt(stream bool) *gateway.Call {
	call := gateway.NewCall(http.MethodPost, "/v1/chat/completions", nil)
	call.Route = &gateway.Route{Name: "/v1/chat/completions", Operation: llm.Chat}
	call.LLM = &llm.Request{Model: "smart", Stream: stream}
	return call.To(smart)
}

// wire answers as a provider does. It counts nothing and waits for nothing.
func wire(kind, body string) gateway.Handler {
	return gateway.HandlerFunc(func(context.Context, *gateway.Call) (*gateway.Reply, error) {
		header := http.Header{"Content-Type": {kind}, "Content-Length": {"7"}}
		return gateway.NewReply(http.StatusOK, header, iotest.OneByteReader(strings.NewReader(body)), int64(len(body)), nil), nil
	})
}

// faulty puts one fault in front of a wire, as it is put there in a pipeline.
func faulty(do string, wire gateway.Handler) gateway.Handler {
	f := &policy.Fault{Inject: []policy.Injection{{Name: "a", Do: do, Share: 1}}}
	return gateway.Chain(wire, f.Policy(policy.Tools{Faults: policy.NewFaults(1)}), f.Wire())
}

const (
	asStream = "text/event-stream"
	asJSON   = "application/json"

	twoEvents = "data: {\"a\":1}\n\ndata: {\"a\":2}\n\ndata: [DONE]\n\n"
)

func TestAFaultDoesWhatItSays(t *testing.T) {
	tool := `{"choices":[{"message":{"content":"\"arguments\":\"","tool_calls":[{"function":{"name":"f","arguments" : "{\"x\":1}"}}]}}]}`
	usage := `{"usage":{"prompt_tokens":11,"completion_tokens": 0},"content":"prompt_tokens: 11","max_tokens":5}`
	for _, c := range []struct {
		do, kind, body string
		stream         bool
		status         int
		want           string
		code           gateway.Code // of what comes within the body
	}{
		{"error 503", asJSON, "{}", false, 503, `made on purpose`, ""},
		{"rate_limit 1500ms", asJSON, "{}", false, 429, `"rate_limit_error"`, ""},
		{"error_in_200", asJSON, "{}", false, 200, `{"type":"error","error":{`, ""},
		{"error_in_200", asStream, twoEvents, true, 200, `data: {"type":"error","error":{`, ""},
		{"cut 1", asStream, twoEvents, true, 200, "data: {\"a\":1}\n\n", ""},
		{"cut 0", asStream, twoEvents, true, 200, "", ""},
		{"cut 2", asStream, "\n: hi\n\ndata: {\"a\":1}\r\n\r\ndata: 2\n\n", true, 200, "\n: hi\n\ndata: {\"a\":1}\r\n\r\n", ""},
		{"cut 9", asStream, twoEvents, true, 200, twoEvents, ""},
		{"cut 1", asJSON, `{"a":1}`, false, 200, "", gateway.UpstreamFailed},
		{"stall 2", asStream, twoEvents, true, 200, "data: {\"a\":1}\n\ndata: {\"a\":2}\n\n", gateway.UpstreamTimeout},
		{"malformed_tools", asJSON, tool, false, 200, strings.Replace(tool, `: "{\"x`, `: "{{\"x`, 1), ""},
		{"wrong_usage", asJSON, usage, false, 200, strings.NewReplacer(":11", ":911", ": 0", ": 90").Replace(usage), ""},
		{"latency 5s", asJSON, "{}", false, 200, "{}", ""},
		{"slow_first_token 5s", asStream, twoEvents, true, 200, twoEvents, ""},
	} {
		t.Run(c.do+" "+c.kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				call := attempt(c.stream)
				call.Attempt.Timeouts.Idle = time.Minute
				reply, err := faulty(c.do, wire(c.kind, c.body)).Handle(t.Context(), call)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(reply.Body)
				reply.Close()
				switch {
				case reply.Status != c.status, codeOf(err) != c.code:
					t.Errorf("status %d, then %v; want %d, then %q", reply.Status, err, c.status, c.code)
				case c.want == string(got):
				case reply.Header.Get("Content-Type") == asJSON && c.want != "" && strings.Contains(string(got), c.want):
				case strings.HasPrefix(string(got), c.want) && strings.HasPrefix(c.do, "error_in"):
				default:
					t.Errorf("got\n%s\nwant\n%s", got, c.want)
				}
				if reply.Length >= 0 && reply.Length != int64(len(got)) && c.code == "" && !strings.HasPrefix(c.do, "cut") {
					t.Errorf("its length is said to be %d, of %d bytes", reply.Length, len(got))
				}
				if call.Attempt.Fault != c.do {
					t.Errorf("the attempt says %q", call.Attempt.Fault)
				}
				if after := reply.Header.Get("Retry-After"); after != "" != (c.status == 429) || after != "" && after != "2" {
					t.Errorf("Retry-After %q", after)
				}
			})
		})
	}
}

func TestAServicesStreamThatIsCutCannotPassForWhole(t *testing.T) {
	call := gateway.NewCall(http.MethodGet, "/", nil).To(&gateway.Target{Upstream: "orders"})
	if answer := gatewaytest.DoCall(t.Context(), faulty("cut 1", wire(asStream, twoEvents)), call); codeOf(answer) != gateway.UpstreamFailed {
		t.Errorf("answer %v", answer)
	}
}

func TestAFaultWaitsNoLongerThanTheAttemptWould(t *testing.T) {
	for _, c := range []struct {
		do       string
		timeouts gateway.Timeouts
		awaited  bool
		takes    time.Duration
		code     gateway.Code
	}{
		{"latency 5s", gateway.Timeouts{}, false, 5 * time.Second, ""},
		{"latency 5s", gateway.Timeouts{FirstToken: 2 * time.Second, Idle: time.Second}, false, 2 * time.Second, gateway.UpstreamTimeout},
		{"slow_first_token 5s", gateway.Timeouts{FirstToken: 2 * time.Second}, true, 2 * time.Second, gateway.UpstreamTimeout},
		{"slow_first_token 5s", gateway.Timeouts{FirstToken: 9 * time.Second}, true, 5 * time.Second, ""},
		{"stall 1", gateway.Timeouts{Idle: 3 * time.Second}, false, 3 * time.Second, gateway.UpstreamTimeout},
		{"stall 1", gateway.Timeouts{}, false, time.Hour, gateway.UpstreamTimeout}, // the call's own time
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			call := attempt(true)
			call.Attempt.Timeouts, call.Attempt.Awaited = c.timeouts, c.awaited
			began := time.Now()
			answer := gatewaytest.DoCall(ctx, faulty(c.do, wire(asStream, twoEvents)), call)
			if codeOf(answer) != c.code || time.Since(began) != c.takes {
				t.Errorf("%s %+v: %v after %s, want %q after %s", c.do, c.timeouts, answer, time.Since(began), c.code, c.takes)
			}
		})
	}
}

func TestAFaultEndsWithItsClient(t *testing.T) {
	for _, do := range []string{"latency 1h", "slow_first_token 1h", "stall 1"} {
		synctest.Test(t, func(t *testing.T) {
			ctx, leave := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, leave)
			began := time.Now()
			answer := gatewaytest.DoCall(ctx, faulty(do, wire(asStream, twoEvents)), attempt(true))
			if codeOf(answer) != gateway.Canceled || time.Since(began) != time.Second {
				t.Errorf("%s: %v after %s", do, answer, time.Since(began))
			}
		})
	}
}

// TestInsertionsDoNotDependOnHowABodyIsCut reads the same stream in two pieces,
// cut at every place.
func TestInsertionsDoNotDependOnHowABodyIsCut(t *testing.T) {
	body := "data: {\"usage\" : {\"prompt_tokens\": 1}, \"s\":\"\\\\\\\"prompt_tokens\\\":2\"}\n\n: it's \"odd\ndata: {\"completion_tokens\":2}\n\n"
	want := strings.NewReplacer(": 1}", ": 91}", "tokens\":2}", "tokens\":92}").Replace(body)
	for at := range body {
		cut := gateway.HandlerFunc(func(context.Context, *gateway.Call) (*gateway.Reply, error) {
			both := io.MultiReader(strings.NewReader(body[:at]), strings.NewReader(body[at:]))
			return gateway.NewReply(http.StatusOK, nil, both, -1, nil), nil
		})
		reply, err := faulty("wrong_usage", cut).Handle(t.Context(), attempt(true))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(reply.Body); string(got) != want || err != nil {
			t.Fatalf("cut at %d: got %v\n%s\nwant\n%s", at, err, got, want)
		}
	}
}

func TestAFaultGoesIntoTheAttemptsThatAreMeant(t *testing.T) {
	hour := time.Now().Add(time.Hour)
	for _, c := range []struct {
		name   string
		inject policy.Injection
		hits   bool
	}{
		{"all", policy.Injection{}, true},
		{"its route", policy.Injection{Routes: []string{"a", "/v1/chat/completions"}}, true},
		{"another route", policy.Injection{Routes: []string{"a"}}, false},
		{"the model as its caller names it", policy.Injection{Models: []string{"smart"}}, true},
		{"the model as its provider names it", policy.Injection{Models: []string{"gpt-5"}}, true},
		{"another model", policy.Injection{Models: []string{"gpt"}}, false},
		{"its upstream", policy.Injection{Upstreams: []string{"openai"}}, true},
		{"another upstream", policy.Injection{Upstreams: []string{"anthropic"}}, false},
		{"its model, and another route", policy.Injection{Models: []string{"smart"}, Routes: []string{"a"}}, false},
		{"before its end", policy.Injection{Until: hour}, true},
		{"after its end", policy.Injection{Until: hour.Add(-2 * time.Hour)}, false},
	} {
		c.inject.Name, c.inject.Do, c.inject.Share = "a", "error 503", 1
		f := &policy.Fault{Inject: []policy.Injection{c.inject}}
		call := attempt(false)
		h := gateway.Chain(wire(asJSON, "{}"), f.Policy(policy.Tools{Faults: policy.NewFaults(1)}), f.Wire())
		answer := gatewaytest.DoCall(t.Context(), h, call)
		if hit := answer == 503; hit != c.hits || (call.Attempt.Fault != "") != c.hits || (len(call.Notes()) == 1) != c.hits {
			t.Errorf("%s: answer %v, fault %q, notes %v", c.name, answer, call.Attempt.Fault, call.Notes())
		}
	}
}

func TestAFaultGoesIntoItsShareOfTheAttempts(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	const n = 10_000
	play := func() (pattern string, hits int) {
		f := &policy.Fault{Inject: []policy.Injection{{Name: "a", Do: "error 503", Share: 0.2}}}
		h := gateway.Chain(wire(asJSON, "{}"), f.Policy(policy.Tools{Faults: policy.NewFaults(seed)}), f.Wire())
		var b strings.Builder
		for range n {
			if gatewaytest.DoCall(t.Context(), h, attempt(false)) == 503 {
				hits++
				b.WriteByte('x')
			} else {
				b.WriteByte('.')
			}
		}
		return b.String(), hits
	}
	first, hits := play()
	if hits < n*17/100 || hits > n*23/100 { // over seven standard deviations
		t.Errorf("%d of %d attempts, want a fifth", hits, n)
	}
	if again, _ := play(); again != first {
		t.Error("the same seed gives other faults")
	}
}

// signed is a header as docs/faults.md says that it is made.
func signed(secret, do string, until time.Time) string {
	text := fmt.Sprintf("%s;%d", do, until.Unix())
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return fmt.Sprintf("%s;%x", text, mac.Sum(nil))
}

func TestAHeaderIsObeyedOnlyIfItIsSigned(t *testing.T) {
	ours := &policy.Fault{Secret: check.NewSecret("s3cret")}
	later, before := time.Now().Add(time.Minute), time.Now().Add(-time.Minute)
	good := signed("s3cret", "error 418", later)
	for _, c := range []struct {
		name    string
		fault   *policy.Fault
		header  []string
		obeyed  bool
		carried bool // the wire sees it
	}{
		{"signed", ours, []string{good}, true, false},
		{"signed with another secret", ours, []string{signed("guess", "error 418", later)}, false, false},
		{"signed with none, where there is none", &policy.Fault{}, []string{signed("", "error 418", later)}, false, false},
		{"too late", ours, []string{signed("s3cret", "error 418", before)}, false, false},
		{"changed", ours, []string{strings.Replace(good, "418", "419", 1)}, false, false},
		{"not signed", ours, []string{"error 418"}, false, false},
		{"half signed", ours, []string{good[:len(good)-2]}, false, false},
		{"no fault", ours, []string{signed("s3cret", "explode", later)}, false, false},
		{"two", ours, []string{good, good}, false, false},
		{"none", ours, nil, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var carried bool
			next := gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
				carried = call.Header["X-Spanway-Fault"] != nil
				return c.fault.Wire()(wire(asJSON, "{}")).Handle(ctx, call)
			})
			call := attempt(false)
			if c.header != nil {
				call.Header["X-Spanway-Fault"] = c.header
			}
			answer := gatewaytest.DoCall(t.Context(), gateway.Chain(next, c.fault.Policy(policy.Tools{Faults: policy.NewFaults(1)})), call)
			if (answer == 418) != c.obeyed || carried {
				t.Errorf("answer %v; the header goes on: %t", answer, carried)
			}
			if len(call.Header["X-Spanway-Fault"]) != len(c.header) {
				t.Error("the next attempt would not see the header")
			}
		})
	}
}

func TestAnExperimentStartsStopsAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := policy.NewFaults(1)
		faults.Allow(true)
		f := new(policy.Fault)
		h := gateway.Chain(wire(asJSON, "{}"), f.Policy(policy.Tools{Faults: faults}), f.Wire())
		answers := func(want any) {
			t.Helper()
			if got := gatewaytest.DoCall(t.Context(), h, attempt(false)); got != want {
				t.Errorf("answer %v, want %v", got, want)
			}
		}
		start := func(text string) {
			t.Helper()
			if err := faults.Start([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		answers(200)
		start(`{"name":"a","do":"error 503","for":"10m"}`)
		answers(503)
		start(`{"name":"a","do":"error 502","for":"10m"}`) // in its place
		start(`{"name":"b","do":"error 500","for":"20m","models":["smart"]}`)
		answers(502)
		if list := faults.List(); len(list) != 2 || list[0].Name != "a" || list[1].Until != time.Now().Add(20*time.Minute).UTC() {
			t.Errorf("running are %+v", list)
		}
		if !faults.Stop("a") || faults.Stop("a") || faults.Stop("c") {
			t.Error("stopped is what did not run, or not what did")
		}
		answers(500)
		time.Sleep(20 * time.Minute)
		answers(200)
		if list := faults.List(); len(list) != 0 {
			t.Errorf("running are %+v", list)
		}
		if faults.Stop("b") {
			t.Error("stopped is what had ended")
		}
	})
}

func TestAnExperimentThatMakesNoSenseIsNotStarted(t *testing.T) {
	faults := policy.NewFaults(1)
	faults.Allow(true)
	for _, text := range []string{
		``, `[]`, `{`, `{"name":"a","do":"error 503"}`, `{"name":"a","do":"error 503","for":"soon"}`, `{"name":"a","do":"error 503","for":"-1m"}`,
		`{"name":"a","do":"error 503","for":"25h"}`, `{"name":"a","do":"error 503","for":"1m","until":"2100-01-01T00:00:00Z"}`,
		`{"name":"a","do":"error 503","until":"2000-01-01T00:00:00Z"}`, `{"name":"","do":"error 503","for":"1m"}`, `{"name":"a/b","do":"error 503","for":"1m"}`,
		`{"name":"a","do":"explode","for":"1m"}`, `{"name":"a","do":"error 503","for":"1m","share":0}`, `{"name":"a","do":"error 503","for":"1m","share":2}`,
		`{"name":"a","do":"error 503","for":"1m","when":"now"}`,
	} {
		if err := faults.Start([]byte(text)); err == nil {
			t.Errorf("%s was started", text)
		}
	}
	good := []byte(`{"name":"a","do":"error 503","for":"1m"}`)
	faults.Allow(false)
	if err := faults.Start(good); err == nil || !strings.Contains(err.Error(), "attempt: {fault: {}}") {
		t.Errorf("started where no pipeline lets it in: %v", err)
	}
	faults.Allow(true)
	if err := faults.Start(good); err != nil || len(faults.List()) != 1 {
		t.Errorf("%v, running are %v", err, faults.List())
	}
}

func TestWhatAFaultDoesIsWrittenInOneWayOnly(t *testing.T) {
	for text, good := range map[string]bool{
		"latency 2s": true, "error 400": true, "error 599": true, "rate_limit 0s": true, "error_in_200": true, "slow_first_token 1m": true,
		"stall 0": true, "cut 3": true, "malformed_tools": true, "wrong_usage": true,
		"": false, "latency": false, "latency 2": false, "latency -2s": false, "latency  2s": false, "error": false, "error 200": false, "error 600": false,
		"error five": false, "stall": false, "stall -1": false, "cut 1 2": false, "wrong_usage 2": false, "malformed_tools ": false, "Error 503": false,
	} {
		problems := check.New()
		policy.Injection{Name: "a", Do: text, Share: 1}.Check(problems)
		if (len(problems.All()) == 0) != good {
			t.Errorf("%q: %v", text, problems.All())
		}
	}
}

// TestEachFaultIsDocumentedAndEachDocumentedFaultIsThere reads the table of
// docs/faults.md.
func TestEachFaultIsDocumentedAndEachDocumentedFaultIsThere(t *testing.T) {
	text, err := os.ReadFile("../../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n## What a fault does\n")
	table, _, _ = strings.Cut(table, "\n## ")
	problems := check.New()
	policy.Injection{Name: "a", Share: 1}.Check(problems)
	known := problems.All()[0].Text                                                           // names them all
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(table, -1)[1:] // without its head
	for _, row := range rows {
		problems := check.New()
		policy.Injection{Name: "a", Do: row[1], Share: 1}.Check(problems)
		if all := problems.All(); len(all) > 0 || !strings.Contains(known, row[1]) {
			t.Errorf("%s is documented: %v", row[1], all)
		}
	}
	if n := strings.Count(known, ", "); n != len(rows) { // one more before "is"
		t.Errorf("%d are documented; %s", len(rows), known)
	}
}
