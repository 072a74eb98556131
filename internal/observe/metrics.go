package observe

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
	"github.com/spanway/spanway/telemetry"
)

// metrics are the instruments of the joints. Their attributes are few and known,
// so the series of each combination are bound once and kept: a set built for
// every call would cost more than the measurement.
type metrics struct {
	serverDuration, clientDuration, overhead           *telemetry.Histogram
	operationDuration, embeddingsDuration, timeToFirst *telemetry.Histogram
	attempts                                           *telemetry.Histogram
	tokens, inputTokens, outputTokens                  *telemetry.Histogram // by version of the conventions: one, or two
	inputTotal, outputTotal, cacheReadTotal            *telemetry.Counter   // of the latest conventions only
	refusals                                           *telemetry.Counter
	streams                                            *telemetry.CounterSeries
	cost, costUnknown                                  *telemetry.Counter

	calls    series[callKey, *telemetry.HistogramSeries]
	routes   series[string, ofRoute]
	sendings series[sendingKey, *telemetry.HistogramSeries]
	models   series[modelKey, ofModel]
	reasons  series[refusalKey, *telemetry.CounterSeries]
	costs    series[costKey, ofCost]
}

type ofRoute struct{ overhead, attempts *telemetry.HistogramSeries }

// ofModel are the series of one kind of attempt at a model; all but the duration
// are of attempts without an error type.
type ofModel struct {
	duration, timeToFirst, input, output    *telemetry.HistogramSeries
	inputTotal, outputTotal, cacheReadTotal *telemetry.CounterSeries
}

// series keeps the bound series of each combination of attributes. What is under
// a key is bounded by what can be configured, and by maxNames.
type series[K comparable, S any] struct {
	mu    sync.RWMutex
	known map[K]S
}

func (s *series[K, S]) of(key K, bind func(K) S) S {
	s.mu.RLock()
	bound, ok := s.known[key]
	s.mu.RUnlock()
	if ok {
		return bound
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[K]S{}
	}
	bound = bind(key)
	s.known[key] = bound
	return bound
}

type callKey struct {
	method, route, errorType string
	status                   int
}

type sendingKey struct {
	method, upstream, server, errorType string
	port, status                        int
}

type modelKey struct {
	operation                            llm.Operation
	provider, model, answered, errorType string
}

type refusalKey struct{ by, rule string }

func newMetrics(t *telemetry.Telemetry, names telemetry.Names) *metrics {
	m := &metrics{
		serverDuration:     t.Histogram(telemetry.MetricHTTPServerDuration, "s", "Duration of calls, to the last byte."),
		clientDuration:     t.Histogram(telemetry.MetricHTTPClientDuration, "s", "Duration of attempts at upstreams, to the last byte."),
		overhead:           t.Histogram(telemetry.MetricOverheadDuration, "s", "What the gateway itself added to a call, until its reply began."),
		operationDuration:  t.Histogram(names.OperationDuration, "s", "Duration of attempts at models."),
		embeddingsDuration: t.Histogram(names.EmbeddingsDuration, "s", "Duration of attempts at models other than inference."),
		timeToFirst:        t.Histogram(names.TimeToFirstChunk, "s", "Time to the first chunk of a stream."),
		attempts:           t.IntHistogram(telemetry.MetricAttempts, "{attempt}", "Attempts that a call took."),
		tokens:             t.IntHistogram(names.TokenUsage, "{token}", "Tokens of an attempt, by gen_ai.token.type."),
		inputTokens:        t.IntHistogram(names.InputTokens, "{token}", "Input tokens of an attempt."),
		outputTokens:       t.IntHistogram(names.OutputTokens, "{token}", "Output tokens of an attempt."),
		inputTotal:         t.Counter(names.InputTokensTotal, "{token}", "Input tokens."),
		outputTotal:        t.Counter(names.OutputTokensTotal, "{token}", "Output tokens."),
		cacheReadTotal:     t.Counter(names.CacheReadTokensTotal, "{token}", "Input tokens that the provider had cached."),
		refusals:           t.Counter(telemetry.MetricRefusals, "{call}", "Calls that the gateway refused."),
		cost:               t.CounterInParts(telemetry.MetricCost, "{usd}", "What attempts at models cost, where it is known.", nanoPerUSD),
		costUnknown:        t.Counter(telemetry.MetricCostUnknown, "{attempt}", "Attempts at models that may have cost something, of which it is not known what."),
	}
	m.streams = t.UpDownCounter(telemetry.MetricStreamsActive, "{stream}", "Streams under way.").Series()
	return m
}

// call records the end of a call. overhead is what was ours of the time until
// its reply began; the span is that of the call, for exemplars.
func (m *metrics) call(span trace.SpanContext, call *gateway.Call, r result, duration, overhead time.Duration) {
	key := callKey{method: known(call.Method), errorType: r.errorType, status: r.status}
	if call.Route != nil {
		key.route = call.Route.Template
	}
	m.calls.of(key, m.bindCall).Record(duration.Seconds(), span)
	route := m.routes.of(key.route, m.bindRoute)
	route.overhead.Record(max(overhead, 0).Seconds(), span)
	if n := call.Attempts(); n > 0 {
		route.attempts.Record(float64(n), span)
	}
	if r.outcome == outcomeRefused {
		by, rule := refusedBy(call, r.err)
		m.reasons.of(refusalKey{by, rule}, m.bindRefusal).Add(1)
	}
}

func (m *metrics) bindCall(key callKey) *telemetry.HistogramSeries {
	return m.serverDuration.Series(append([]attribute.KeyValue{
		telemetry.HTTPRequestMethod.String(key.method), telemetry.URLScheme.String("http"),
	}, optional(key.route, key.errorType, key.status)...)...)
}

func (m *metrics) bindRoute(route string) ofRoute {
	list := optional(route, "", 0)
	return ofRoute{m.overhead.Series(list...), m.attempts.Series(list...)}
}

func (m *metrics) bindRefusal(key refusalKey) *telemetry.CounterSeries {
	return m.refusals.Series(telemetry.SpanwayRefusedBy.String(key.by), telemetry.SpanwayRefusedRule.String(key.rule))
}

func optional(route, errorType string, status int) (list []attribute.KeyValue) {
	if route != "" {
		list = append(list, telemetry.HTTPRoute.String(route))
	}
	if errorType != "" {
		list = append(list, telemetry.ErrorType.String(errorType))
	}
	if status != 0 {
		list = append(list, telemetry.HTTPResponseStatusCode.Int(status))
	}
	return list
}

// attempt records the end of an attempt.
func (m *metrics) attempt(span trace.SpanContext, s *sending, errorType string, end time.Time) {
	attempt := s.call.Attempt
	duration := end.Sub(s.began).Seconds()
	m.sendings.of(sendingKey{
		method: known(s.call.Method), upstream: attempt.Target.Upstream, server: attempt.ServerAddress,
		errorType: errorType, port: attempt.ServerPort, status: attempt.Status,
	}, m.bindSending).Record(duration, span)
	if s.operation == "" {
		return
	}
	key := modelKey{
		operation: s.operation, provider: attempt.Target.Provider, model: s.model,
		answered: s.observer.models.name(attempt.Answer.Model), errorType: errorType,
	}
	model := m.models.of(key, m.bindModel)
	model.duration.Record(duration, span)
	if errorType != "" {
		key.errorType = ""
		model = m.models.of(key, m.bindModel)
	}
	if stream := attempt.Stream; stream != nil && !stream.First.IsZero() {
		model.timeToFirst.Record(stream.First.Sub(s.began).Seconds(), span)
	}
	if usage := attempt.Answer.Usage; usage.Known {
		model.input.Record(float64(usage.Input), span)
		model.output.Record(float64(usage.Output), span)
		model.inputTotal.Add(usage.Input)
		model.outputTotal.Add(usage.Output)
		model.cacheReadTotal.Add(usage.CacheRead)
	}
}

func (m *metrics) bindSending(key sendingKey) *telemetry.HistogramSeries {
	return m.clientDuration.Series(append([]attribute.KeyValue{
		telemetry.HTTPRequestMethod.String(key.method), telemetry.ServicePeerName.String(key.upstream),
		telemetry.ServerAddress.String(key.server), telemetry.ServerPort.Int(key.port),
	}, optional("", key.errorType, key.status)...)...)
}

func (m *metrics) bindModel(key modelKey) ofModel {
	list := []attribute.KeyValue{
		telemetry.GenAIOperationName.String(string(key.operation)),
		telemetry.GenAIProviderName.String(key.provider),
		telemetry.GenAIRequestModel.String(key.model),
	}
	if key.answered != "" {
		list = append(list, telemetry.GenAIResponseModel.String(key.answered))
	}
	if key.errorType != "" {
		list = append(list, telemetry.ErrorType.String(key.errorType))
	}
	with := func(more attribute.KeyValue) []attribute.KeyValue { return append(slices.Clip(list), more) }
	var bound ofModel
	bound.duration = m.operationDuration.Series(list...)
	if key.operation == llm.Embeddings {
		bound.duration = m.embeddingsDuration.Series(list...)
	}
	if key.errorType != "" {
		return bound
	}
	bound.timeToFirst = m.timeToFirst.Series(list...)
	if m.tokens != nil {
		bound.input = m.tokens.Series(with(telemetry.GenAITokenType.String("input"))...)
		if key.operation != llm.Embeddings {
			bound.output = m.tokens.Series(with(telemetry.GenAITokenType.String("output"))...)
		}
		return bound
	}
	bound.input, bound.output = m.inputTokens.Series(list...), m.outputTokens.Series(list...)
	// What a body holds beside text is not looked into.
	unknown := with(telemetry.GenAITokenModality.String("unknown"))
	bound.inputTotal, bound.outputTotal = m.inputTotal.Series(unknown...), m.outputTotal.Series(unknown...)
	bound.cacheReadTotal = m.cacheReadTotal.Series(unknown...)
	return bound
}

func statusText(status int) string { return strconv.Itoa(status) }
