package observe_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/gatewaytest"
	"github.com/spanway/spanway/internal/llm"
	"github.com/spanway/spanway/internal/observe"
	"github.com/spanway/spanway/telemetry"
	"github.com/spanway/spanway/telemetry/telemetrytest"
)

// thousand prices each token at a thousand nano-USD, of one model.
type thousand struct{}

func (thousand) Cost(_, asked, _ string, usage llm.Usage) (int64, bool) {
	return 1000 * (usage.Input + usage.Output), usage.Known && asked == "gpt-5"
}

// ended is an attempt that learnt a usage and ended so.
func ended(usage llm.Usage, sent bool, status int, reply *gateway.Reply, err error) gateway.HandlerFunc {
	return func(_ context.Context, call *gateway.Call) (*gateway.Reply, error) {
		call.Attempt.Answer.Usage, call.Attempt.Sent, call.Attempt.Status = usage, sent, status
		return reply, err
	}
}

func TestWhatIsBilledIsPricedAndWhatIsNotKnownIsSaidSo(t *testing.T) {
	used := llm.Usage{Known: true, Input: 11, Output: 7}
	reply := func(status int) *gateway.Reply { return gateway.NewReply(status, nil, strings.NewReader("x"), 1, nil) }
	failed := gateway.Errorf(gateway.UpstreamFailed, "broke")
	model, unlisted := gateway.Target{Upstream: "openai", Provider: "openai", Model: "gpt-5"}, gateway.Target{Upstream: "openai", Provider: "openai", Model: "new"}
	for _, test := range []struct {
		name   string
		target gateway.Target
		op     llm.Operation
		method string
		next   gateway.Handler
		want   string // spanway.cost.usd, spanway.cost.unknown
	}{
		{"an answer", model, llm.Chat, "POST", ended(used, true, 200, reply(200), nil), "0.000018"},
		{"an answer without usage", model, llm.Chat, "POST", ended(llm.Usage{}, true, 200, reply(200), nil), "true"},
		{"an answer of a model without a price", unlisted, llm.Chat, "POST", ended(used, true, 200, reply(200), nil), "true"},
		{"a refusal", model, llm.Chat, "POST", ended(llm.Usage{}, true, 429, reply(429), nil), ""},
		{"an error with status 200", model, llm.Chat, "POST", ended(llm.Usage{}, true, 200, reply(429), nil), ""},
		{"a failure that was billed", model, llm.Chat, "POST", ended(used, true, 200, nil, failed), "0.000018"},
		{"a failure after it was sent", model, llm.Chat, "POST", ended(llm.Usage{}, true, 0, nil, failed), "true"},
		{"a failure amid the answer", model, llm.Chat, "POST", ended(llm.Usage{}, true, 200, nil, failed), "true"},
		{"a failure before it was sent", model, llm.Chat, "POST", ended(llm.Usage{}, false, 0, nil, failed), ""},
		{"the list of models", model, llm.Models, "GET", ended(llm.Usage{}, true, 200, reply(200), nil), ""},
		{"a picture, which nobody here reads", model, "", "POST", ended(llm.Usage{}, true, 200, reply(200), nil), "true"},
		{"a file that is looked at", model, "", "GET", ended(llm.Usage{}, true, 200, reply(200), nil), ""},
		{"an ordinary service", gateway.Target{Upstream: "orders"}, "", "POST", ended(llm.Usage{}, true, 200, reply(200), nil), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			measured, recorder := telemetrytest.New(t)
			observer := observe.New(observe.Options{
				Telemetry: measured, Log: zerolog.Nop(), Names: telemetry.GenAI("v1.41"), Prices: func() observe.Prices { return thousand{} },
			})
			call := gateway.NewCall(test.method, "/v1/x", nil)
			call.Route = &gateway.Route{Name: "x", Template: "/v1/x", Operation: test.op}
			gatewaytest.DoCall(t.Context(), observer.Call(gateway.Chain(test.next, observer.Attempt(&test.target))), call)
			server, _, _ := strings.Cut(recorder.Tree(), "\n")
			if got := facts(server, "spanway.cost.usd", "spanway.cost.unknown"); got != test.want {
				t.Errorf("the SERVER span says %q, want %q", got, test.want)
			}
		})
	}
}

func TestAnAttemptThatHasNotEndedMayStillCostSomething(t *testing.T) {
	call := gateway.NewCall(http.MethodPost, "/", nil)
	call.Owe()
	call.Owe()
	call.Charge(gateway.Cost{NanoUSD: 5, Known: true})
	if got := call.Cost(); got != (gateway.Cost{NanoUSD: 5, Known: true, Unknown: true}) {
		t.Errorf("with one under way: %+v", got)
	}
	call.Charge(gateway.Cost{NanoUSD: 1<<63 - 1, Known: true})
	if got := call.Cost(); got != (gateway.Cost{NanoUSD: 1<<63 - 1, Known: true}) {
		t.Errorf("with none: %+v", got)
	}
}
