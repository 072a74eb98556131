package observe

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
	"github.com/spanway/spanway/telemetry"
)

// Prices say what an attempt at a model cost, in nano-USD; not ok is unknown.
type Prices interface {
	Cost(provider, asked, answered string, usage llm.Usage) (nanoUSD int64, ok bool)
}

const nanoPerUSD = 1e9

// priced reports whether the attempt may cost something. What a provider is asked
// to do that the gateway does not read, such as a picture, costs something unknown.
func (s *sending) priced() bool {
	if s.observer.prices == nil {
		return false
	}
	route := s.call.Route
	unread := route != nil && route.Operation == "" && s.call.Attempt.Target.Provider != "" && s.call.Method == http.MethodPost
	return s.operation != "" || unread
}

// charge finds out what the attempt cost. It is asked when the attempt ends,
// whoever ended it.
func (s *sending) charge(reply *gateway.Reply) {
	switch {
	case !s.priced():
		return
	case !s.billed(reply):
		s.call.Charge(gateway.Cost{})
		return
	}
	attempt := s.call.Attempt
	var cost gateway.Cost
	cost.NanoUSD, cost.Known = s.observer.prices().Cost(attempt.Target.Provider, attempt.Target.Model, attempt.Answer.Model, attempt.Answer.Usage)
	cost.Unknown = !cost.Known
	s.call.Charge(cost)
	series := s.observer.metrics.costs.of(costKey{attempt.Target.Upstream, s.model}, s.observer.metrics.bindCost)
	if cost.Known {
		series.usd.Add(cost.NanoUSD)
	} else {
		series.unknown.Add(1)
	}
}

// billed reports whether the provider may ask for money: it said how many tokens
// it used, or it took the request and did not refuse it. How many tokens a stream
// that was left, or an answer that nobody waited for, has used is then unknown.
func (s *sending) billed(reply *gateway.Reply) bool {
	attempt := s.call.Attempt
	switch {
	case attempt.Answer.Usage.Known:
		return true
	case reply != nil:
		return reply.Status < http.StatusMultipleChoices
	default:
		return attempt.Sent && attempt.Status < http.StatusMultipleChoices
	}
}

// costKey is what costs are added up by.
type costKey struct{ upstream, model string }

type ofCost struct{ usd, unknown *telemetry.CounterSeries }

func (m *metrics) bindCost(key costKey) ofCost {
	list := []attribute.KeyValue{telemetry.SpanwayUpstream.String(key.upstream)}
	if key.model != "" {
		list = append(list, telemetry.GenAIRequestModel.String(key.model))
	}
	return ofCost{m.cost.Series(list...), m.costUnknown.Series(list...)}
}
