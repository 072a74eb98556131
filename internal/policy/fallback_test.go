package policy_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/gatewaytest"
	"github.com/spanway/spanway/internal/policy"
)

// kind is an answer with a status of 400 and more to say than that.
func kind(failure gateway.Failure) func(ctx, *gateway.Call) (*gateway.Reply, error) {
	return func(ctx, *gateway.Call) (*gateway.Reply, error) {
		reply := gateway.NewReply(400, nil, strings.NewReader(string(failure)), int64(len(failure)), nil)
		reply.Failure = failure
		return reply, nil
	}
}

var open = gateway.Errorf(gateway.BreakerOpen, "open")

func TestFallback(t *testing.T) {
	type target struct {
		answer any
		where  gateway.Failure
		ready  string
	}
	stream := postCall()
	stream.Body = gateway.Body{Reader: strings.NewReader("{}"), Length: 2}
	for _, c := range []struct {
		name    string
		call    *gateway.Call
		targets []target
		want    any
		asked   string // the targets, in order
		why     string
	}{
		{"the first answers", chatCall(), []target{{answer: 200}, {answer: 201}}, 200, "a", ""},
		{"the second does", chatCall(), []target{{answer: 503}, {answer: 201}}, 201, "ab", "overloaded"},
		{"the third does", chatCall(), []target{{answer: 500}, {answer: executed}, {answer: 202}}, 202, "abc", "server transport"},
		{"the last failure is the caller's", chatCall(), []target{{answer: 503}, {answer: 429}}, 429, "ab", "overloaded"},
		{"the last error is the caller's", chatCall(), []target{{answer: 503}, {answer: executed}}, gateway.UpstreamFailed, "ab", "overloaded"},
		{"a key that is not taken", chatCall(), []target{{answer: 401}, {answer: 201}}, 201, "ab", "auth"},
		{"a service that does not know who asks", gateway.NewCall("GET", "/", nil), []target{{answer: 401}, {answer: 201}}, 401, "a", ""},
		{"a quota that is used up", chatCall(), []target{{answer: kind(gateway.FailBilling)}, {answer: 201}}, 201, "ab", "billing"},
		{"a call that is wrong", chatCall(), []target{{answer: 400}, {answer: 201}}, 400, "a", ""},
		{"a client that left", chatCall(), []target{{answer: context.Canceled}, {answer: 201}}, gateway.Canceled, "a", ""},
		{"a prompt that is too long", chatCall(), []target{{answer: kind(gateway.FailContextWindow)}, {answer: 201}, {answer: 202, where: gateway.FailContextWindow}}, 202, "ac", "context_window"},
		{"a prompt that is too long for all", chatCall(), []target{{answer: kind(gateway.FailContextWindow)}, {answer: 201}}, 400, "a", ""},
		{"what a model will not speak of", chatCall(), []target{{answer: kind(gateway.FailContentPolicy)}, {answer: 201, where: gateway.FailContextWindow}, {answer: 202, where: gateway.FailContentPolicy}}, 202, "ac", "content_policy"},
		{"two for long prompts", chatCall(), []target{{answer: kind(gateway.FailContextWindow)}, {answer: 503, where: gateway.FailContextWindow}, {answer: 201}, {answer: 202, where: gateway.FailContextWindow}}, 202, "abd", "context_window overloaded"},
		{"one that is there for long prompts only", chatCall(), []target{{answer: 503}, {answer: 201, where: gateway.FailContextWindow}}, 503, "a", ""},
		{"a breaker that is open", chatCall(), []target{{answer: 200, ready: "breaker_open"}, {answer: 201}}, 201, "b", ""},
		{"all are", chatCall(), []target{{answer: open, ready: "breaker_open"}, {answer: open, ready: "breaker_open"}}, gateway.BreakerOpen, "ab", "breaker_open"},
		{"the last one is, and says less", chatCall(), []target{{answer: 503}, {answer: open}}, 503, "ab", "overloaded"},
		{"a POST that may have been done", postCall(), []target{{answer: executed}, {answer: 201}}, gateway.UpstreamFailed, "a", ""},
		{"one that was not delivered", postCall(), []target{{answer: undelivered}, {answer: 201}}, 201, "ab", "transport"},
		{"one whose body is gone", stream, []target{{answer: undelivered}, {answer: 201}}, gateway.UpstreamFailed, "a", ""},
		{"one whose body nobody has touched", stream, []target{{answer: open}, {answer: 201}}, 201, "ab", "breaker_open"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked string
			ways := make([]policy.Way, len(c.targets))
			for i, to := range c.targets {
				name := string(rune('a' + i))
				answers := gatewaytest.Answers(to.answer)
				ways[i] = policy.Way{
					Target: &gateway.Target{Upstream: name}, For: to.where, Ready: func() string { return to.ready },
					Handler: gateway.HandlerFunc(func(ctx ctx, call *gateway.Call) (*gateway.Reply, error) {
						asked += name
						return answers.Handle(ctx, call)
					}),
				}
			}
			call := *c.call
			fresh := gateway.NewCall(call.Method, call.Path, nil)
			fresh.Route, fresh.Body = call.Route, call.Body
			answer := gatewaytest.DoCall(t.Context(), policy.Fallback("name", ways), fresh)
			if code := codeOf(answer); code != "" {
				answer = code
			}
			var why []string
			for _, note := range fresh.Notes() {
				if note.Policy == "fallback" {
					why = append(why, note.Facts[2].Value)
				}
			}
			if answer != c.want || asked != c.asked || strings.Join(why, " ") != c.why {
				t.Errorf("%v of %q because of %q, want %v of %q because of %q", answer, asked, why, c.want, c.asked, c.why)
			}
		})
	}
}

func TestADecisionListsItsCandidates(t *testing.T) {
	to := func(upstream, model, ready string, where gateway.Failure) policy.Way {
		return policy.Way{Target: &gateway.Target{Upstream: upstream, Model: model}, Handler: gatewaytest.Answers(200), For: where, Ready: func() string { return ready }}
	}
	call := chatCall()
	gatewaytest.DoCall(t.Context(), policy.Fallback("name", []policy.Way{
		to("openai", "gpt-5", "breaker_open", ""), to("anthropic", "claude", "", ""), to("openai", "gpt-5-mini", "", ""), to("openai", "gpt-5-long", "", gateway.FailContextWindow),
	}), call)
	want := "[{upstream anthropic} {by name} {candidates openai/gpt-5:breaker_open,anthropic/claude:chosen,openai/gpt-5-mini:next,openai/gpt-5-long:for_context_window}]"
	if got := fmt.Sprint(call.Notes()[0].Facts); got != want {
		t.Errorf("noted\n%s, want\n%s", got, want)
	}
	only := chatCall()
	gatewaytest.DoCall(t.Context(), policy.Fallback("route", []policy.Way{to("openai", "gpt-5", "", "")}), only)
	if got, want := fmt.Sprint(only.Notes()[0].Facts), "[{upstream openai} {by route}]"; got != want {
		t.Errorf("noted %s, want %s", got, want)
	}
}

func TestHold(t *testing.T) {
	for _, c := range []struct {
		name   string
		body   string
		length int64
		memory int64
		held   bool
	}{
		{"a small body", "hello", 5, 100, true},
		{"as large as may be", strings.Repeat("x", 64<<10), 64 << 10, 1 << 20, true},
		{"a larger one", strings.Repeat("x", 64<<10+1), 64<<10 + 1, 1 << 20, false},
		{"of a length that is not known", "hello", -1, 100, false},
		{"no room", "hello", 5, 4, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			memory := policy.NewMemory(c.memory)
			call := postCall()
			call.Body = gateway.Body{Reader: strings.NewReader(c.body), Length: c.length, Limit: 1 << 20}
			var used int64
			answer := gatewaytest.DoCall(t.Context(), gateway.Chain(gateway.HandlerFunc(func(_ ctx, call *gateway.Call) (*gateway.Reply, error) {
				used = memory.Used()
				if call.Body.Replayable() != c.held {
					t.Errorf("it can be sent again: %t, want %t", call.Body.Replayable(), c.held)
				}
				got := call.Body.Bytes
				if call.Body.Reader != nil {
					got, _ = io.ReadAll(call.Body.Reader)
				}
				if string(got) != c.body {
					t.Errorf("the body has %d bytes, want %d", len(got), len(c.body))
				}
				return gateway.NewReply(200, nil, nil, 0, nil), nil
			}), policy.Hold(memory)), call)
			if answer != 200 || memory.Used() != 0 || (used > 0) != c.held {
				t.Errorf("%v; %d bytes were taken, %d not given back", answer, used, memory.Used())
			}
		})
	}
}

func TestABodyThatIsCutIsNotSent(t *testing.T) {
	memory := policy.NewMemory(100)
	call := postCall()
	call.Body = gateway.Body{Reader: strings.NewReader("hell"), Length: 5, Limit: 100}
	next := gatewaytest.Answers(200)
	if _, err := gateway.Chain(next, policy.Hold(memory)).Handle(t.Context(), call); err == nil || next.Tries() > 0 || memory.Used() > 0 {
		t.Errorf("%v; sent %d times, %d bytes not given back", err, next.Tries(), memory.Used())
	}
}
