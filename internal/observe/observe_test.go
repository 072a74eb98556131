package observe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/gatewaytest"
	"github.com/spanway/spanway/internal/llm"
	"github.com/spanway/spanway/internal/observe"
	"github.com/spanway/spanway/telemetry"
	"github.com/spanway/spanway/telemetry/telemetrytest"
)

// joints are a pipeline that is nothing but joints.
type joints struct {
	*telemetrytest.Recorder
	observer *observe.Observer
	log      strings.Builder
}

func newJoints(t *testing.T, conventions string) *joints {
	t.Helper()
	measured, recorder := telemetrytest.New(t)
	j := &joints{Recorder: recorder}
	j.observer = observe.New(observe.Options{Telemetry: measured, Log: zerolog.New(zerolog.SyncWriter(&j.log)), Names: telemetry.GenAI(conventions)})
	return j
}

// handler is both joints in front of a target.
func (j *joints) handler(target *gateway.Target, next gateway.Handler) gateway.Handler {
	return j.observer.Call(gateway.Chain(next, j.observer.Attempt(target)))
}

func chatCall() *gateway.Call {
	call := gateway.NewCall(http.MethodPost, "/v1/chat/completions", nil)
	call.Route = &gateway.Route{Name: "chat", Template: "/v1/chat/completions", Operation: llm.Chat}
	call.LLM = &llm.Request{Model: "gpt-5", Stream: true}
	call.Peer = netip.MustParseAddrPort("127.0.0.1:1")
	return call
}

// answers gives a reply as it may have come out: with a status, an outcome, and
// an error in the middle of its body.
func answers(status int, outcome gateway.Outcome, broke *gateway.Error) gateway.HandlerFunc {
	return func(_ context.Context, call *gateway.Call) (*gateway.Reply, error) {
		call.Attempt.Status = status
		reply := gateway.NewReply(status, nil, strings.NewReader("x"), 1, nil)
		reply.Outcome, reply.Err = outcome, broke
		return reply, nil
	}
}

func TestHowACallEndedIsJudged(t *testing.T) {
	failed := gateway.Errorf(gateway.UpstreamFailed, "broke")
	for _, c := range []struct {
		name   string
		next   gateway.Handler
		server string // what the SERVER span says: outcome, status, error.type, and Error
		client string // what the CLIENT span says: status, error.type, and Error
		level  string
	}{
		{"a good answer", answers(200, gateway.Complete, nil), "ok 200", "200", "info"},
		{"one of which nobody said how it ended", answers(200, "", nil), "ok 200", "200", "info"},
		{"a redirect", answers(302, "", nil), "ok 302", "302", "info"},
		{"a 404 of the upstream", answers(404, "", nil), "error 404", "404 404 Error", "info"},
		{"a 500 of the upstream", answers(500, "", nil), "error 500 500 Error", "500 500 Error", "warn"},
		{"a 429 that was made of a 200", answers(429, gateway.UpstreamError, nil), "error 429", "429 429 Error", "info"},
		{"an answer that broke off", answers(200, gateway.UpstreamError, failed), "error 200 upstream_error Error", "200 upstream_error Error", "warn"},
		{"an error that broke off", answers(404, gateway.UpstreamError, failed), "error 404 upstream_error Error", "404 upstream_error Error", "warn"},
		{"a stalled one", answers(200, gateway.Stalled, failed), "error 200 stalled Error", "200 stalled Error", "warn"},
		{"a truncated one", answers(200, gateway.Truncated, failed), "error 200 truncated Error", "200 truncated Error", "warn"},
		{"a client that left", answers(200, gateway.ClientGone, nil), "client_gone 200", "200", "info"},
		{"a drain", answers(200, gateway.Drained, nil), "error 200 drained Error", "200", "warn"},
		{"an upstream that failed", gatewaytest.Answers(failed), "error 502 upstream_failed Error", "upstream_failed Error", "warn"},
		{"a timeout", gatewaytest.Answers(context.DeadlineExceeded), "error 504 upstream_timeout Error", "upstream_timeout Error", "warn"},
		{"a client that left before", gatewaytest.Answers(context.Canceled), "client_gone", "", "info"},
		{"a client whose body broke", gatewaytest.Answers(gateway.Errorf(gateway.Invalid, "a bad chunk")), "refused 400 invalid_request", "", "info"},
		{"what nobody named", gatewaytest.Answers(errors.New("oh")), "error 500 internal_error Error", "internal_error Error", "warn"},
		{"no room", gatewaytest.Answers(gateway.Errorf(gateway.Overloaded, "full")), "refused 503 overloaded Error", "overloaded Error", "warn"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := newJoints(t, "v1.41")
			gatewaytest.DoCall(t.Context(), j.handler(&gateway.Target{Upstream: "openai", Provider: "openai", Model: "gpt-5"}, c.next), chatCall())
			lines := strings.Split(j.Tree(), "\n")
			if got := facts(lines[0], "spanway.outcome", "http.response.status_code", "error.type", "status"); got != c.server {
				t.Errorf("the SERVER span says %q, want %q", got, c.server)
			}
			if got := facts(lines[1], "http.response.status_code", "error.type", "status"); got != c.client {
				t.Errorf("the CLIENT span says %q, want %q", got, c.client)
			}
			if log := j.log.String(); !strings.HasPrefix(log, `{"level":"`+c.level+`"`) || strings.Count(log, "\n") != 1 {
				t.Errorf("the log says %s, want one line of level %s", log, c.level)
			}
			if duration := metricLine(j.Metrics(), "http.server.request.duration"); facts(duration, "error.type") != facts(lines[0], "error.type") {
				t.Errorf("the metric says %s, the span %s", duration, lines[0])
			}
		})
	}
}

// facts are the values of some attributes of a line, without those that it lacks.
func facts(line string, names ...string) string {
	var values []string
	for _, name := range names {
		if _, after, ok := strings.Cut(line, " "+name+"="); ok {
			values = append(values, after[:strings.IndexAny(after, " }")])
		} else if _, after, ok := strings.Cut(line, "{"+name+"="); ok {
			values = append(values, after[:strings.IndexAny(after, " }")])
		}
	}
	return strings.Join(values, " ")
}

func metricLine(all, name string) string {
	for line := range strings.Lines(all) {
		if strings.HasPrefix(line, name+" ") {
			return line
		}
	}
	return ""
}

func TestModelNamesThatCallersMakeUpAreBounded(t *testing.T) {
	j := newJoints(t, "v1.41")
	for i := range 300 {
		target := &gateway.Target{Upstream: "openai", Provider: "openai", Model: fmt.Sprintf("made-up-%d", i)}
		gatewaytest.DoCall(t.Context(), j.handler(target, answers(200, "", nil)), chatCall())
	}
	series := strings.Count(j.Metrics(), "gen_ai.client.operation.duration {")
	if series != 201 {
		t.Errorf("there are %d series, want 200 and _OTHER", series)
	}
	tree := j.Tree()
	if got := strings.Count(tree, "CLIENT chat _OTHER {"); got != 100 {
		t.Errorf("%d spans are named _OTHER, want 100", got)
	}
	if !strings.Contains(tree, "gen_ai.request.model=made-up-299") {
		t.Error("the true name is not on the span")
	}
	// A name that was there in time stays.
	j.Reset()
	gatewaytest.DoCall(t.Context(), j.handler(&gateway.Target{Provider: "openai", Model: "made-up-7"}, answers(200, "", nil)), chatCall())
	if !strings.Contains(j.Tree(), "CLIENT chat made-up-7 {") {
		t.Errorf("a known name was lost:\n%s", j.Tree())
	}
}

func TestMethodsThatCallersMakeUpAreOne(t *testing.T) {
	j := newJoints(t, "v1.41")
	for i := range 20 {
		call := gateway.NewCall(fmt.Sprintf("M%d", i), "/", nil)
		gatewaytest.DoCall(t.Context(), j.observer.Call(gatewaytest.Answers(gateway.Errorf(gateway.MethodNotAllowed, "no"))), call)
	}
	if n := strings.Count(j.Metrics(), "http.server.request.duration {"); n != 1 || strings.Count(j.Tree(), "SERVER HTTP {") != 20 {
		t.Errorf("there are %d series, spans\n%s", n, j.Tree())
	}
}

func TestTheLatestConventionsHaveTheirOwnMetrics(t *testing.T) {
	j := newJoints(t, "latest")
	next := gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
		call.Attempt.Answer.Usage = llm.Usage{Known: true, Input: 11, Output: 7, CacheRead: 3, CacheWrite: 2}
		return answers(200, "", nil)(ctx, call)
	})
	gatewaytest.DoCall(t.Context(), j.handler(&gateway.Target{Provider: "openai", Model: "gpt-5"}, next), chatCall())
	all := j.Metrics()
	for _, name := range []string{
		"gen_ai.client.inference.duration", "gen_ai.client.inference.operation.input_tokens", "gen_ai.client.inference.operation.output_tokens",
		"gen_ai.client.inference.usage.input_tokens", "gen_ai.client.inference.usage.output_tokens", "gen_ai.client.inference.usage.cache_read.input_tokens",
	} {
		if metricLine(all, name) == "" {
			t.Errorf("there is no %s in\n%s", name, all)
		}
	}
	if strings.Contains(all, "gen_ai.client.token.usage") || strings.Contains(all, "gen_ai.client.operation.duration") {
		t.Errorf("the names of v1.41 are there too:\n%s", all)
	}
	if !strings.Contains(j.Tree(), "gen_ai.usage.cache_write.input_tokens=2") {
		t.Errorf("the span has the names of v1.41:\n%s", j.Tree())
	}
}

func TestStreamsUnderWayAreCounted(t *testing.T) {
	j := newJoints(t, "v1.41")
	h := j.handler(&gateway.Target{Provider: "openai", Model: "gpt-5"}, gateway.HandlerFunc(func(context.Context, *gateway.Call) (*gateway.Reply, error) {
		reply := gateway.NewReply(200, nil, strings.NewReader(""), -1, nil)
		reply.Stream = true
		return reply, nil
	}))
	reply, err := h.Handle(t.Context(), chatCall())
	if err != nil {
		t.Fatal(err)
	}
	if got := metricLine(j.Metrics(), "spanway.streams.active"); got != "spanway.streams.active {} 1\n" {
		t.Errorf("under way: %q", got)
	}
	if len(j.Spans()) != 0 {
		t.Error("a span has ended, and the body has not")
	}
	_, _ = io.Copy(io.Discard, reply.Body)
	reply.Close()
	if got := metricLine(j.Metrics(), "spanway.streams.active"); got != "spanway.streams.active {} 0\n" {
		t.Errorf("at the end: %q", got)
	}
}

func TestBaggageGoesToServicesOnly(t *testing.T) {
	for provider, want := range map[string]bool{"openai": false, "": true} {
		j := newJoints(t, "v1.41")
		var sent []string
		next := gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
			for _, fact := range call.Attempt.Propagate {
				sent = append(sent, fact.Key)
			}
			return answers(200, "", nil)(ctx, call)
		})
		call := chatCall()
		call.Trusted = true
		call.Header.Set("Baggage", "user=7")
		call.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		call.Header.Set("Tracestate", "vendor=1")
		gatewaytest.DoCall(t.Context(), j.handler(&gateway.Target{Upstream: "u", Provider: provider}, next), call)
		got := strings.Join(sent, " ")
		if strings.Contains(got, "baggage") != want || !strings.Contains(got, "traceparent") || !strings.Contains(got, "tracestate") {
			t.Errorf("to %q went %q", provider, got)
		}
	}
}

func TestJointsMayBeUsedAtOnce(t *testing.T) {
	j := newJoints(t, "v1.41")
	h := j.handler(&gateway.Target{Upstream: "openai", Provider: "openai", Model: "gpt-5"}, answers(200, "", nil))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				gatewaytest.DoCall(t.Context(), h, chatCall())
			}
		})
	}
	all.Wait()
	if n := len(j.Spans()); n != 800 {
		t.Errorf("%d spans, want 800", n)
	}
}
