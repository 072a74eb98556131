package observe

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
	"github.com/spanway/spanway/telemetry"
)

// metrics are the instruments of the joints. Their attributes are few and known,
// so the options of each series are made once and kept: a set built for every
// call would cost more than the measurement.
type metrics struct {
	serverDuration, clientDuration, overhead           metric.Float64Histogram
	operationDuration, embeddingsDuration, timeToFirst metric.Float64Histogram
	attempts                                           metric.Int64Histogram
	tokens, inputTokens, outputTokens                  metric.Int64Histogram // by version of the conventions: one, or two
	inputTotal, outputTotal, cacheReadTotal            metric.Int64Counter   // of the latest conventions only
	refusals                                           metric.Int64Counter
	streams                                            metric.Int64UpDownCounter
	calls                                              series[callKey]
	sendings                                           series[sendingKey]
	models                                             series[modelKey]
	routes                                             series[string]
	reasons                                            series[refusalKey]
}

// series keeps the options of each combination of attributes. What is under a
// key is bounded by what can be configured, and by maxNames.
type series[K comparable] struct {
	mu      sync.RWMutex
	options map[K]*options
}

// options are the attributes of one series, in the forms that instruments take
// without allocating.
type options struct {
	record []metric.RecordOption
	add    []metric.AddOption
}

func (s *series[K]) of(key K, attributes func() []attribute.KeyValue) *options {
	s.mu.RLock()
	o, ok := s.options[key]
	s.mu.RUnlock()
	if ok {
		return o
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.options == nil {
		s.options = map[K]*options{}
	}
	set := metric.WithAttributeSet(attribute.NewSet(attributes()...))
	o = &options{record: []metric.RecordOption{set}, add: []metric.AddOption{set}}
	s.options[key] = o
	return o
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
	kind                                 string // input, output, or "" where tokens are not counted
}

type refusalKey struct{ by, rule string }

func newMetrics(meter metric.Meter, names telemetry.Names) (*metrics, error) {
	m := new(metrics)
	var all error
	duration := func(into *metric.Float64Histogram, name, help string) {
		if name == "" {
			return
		}
		var err error
		*into, err = meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(help))
		all = errors.Join(all, err)
	}
	count := func(into *metric.Int64Histogram, name, unit, help string) {
		if name == "" {
			return
		}
		var err error
		*into, err = meter.Int64Histogram(name, metric.WithUnit(unit), metric.WithDescription(help))
		all = errors.Join(all, err)
	}
	total := func(into *metric.Int64Counter, name, unit, help string) {
		if name == "" {
			return
		}
		var err error
		*into, err = meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(help))
		all = errors.Join(all, err)
	}
	duration(&m.serverDuration, telemetry.MetricHTTPServerDuration, "Duration of calls, to the last byte.")
	duration(&m.clientDuration, telemetry.MetricHTTPClientDuration, "Duration of attempts at upstreams, to the last byte.")
	duration(&m.overhead, telemetry.MetricOverheadDuration, "What the gateway itself added to a call, until its reply began.")
	duration(&m.operationDuration, names.OperationDuration, "Duration of attempts at models.")
	m.embeddingsDuration = m.operationDuration
	if names.EmbeddingsDuration != names.OperationDuration {
		duration(&m.embeddingsDuration, names.EmbeddingsDuration, "Duration of attempts at models other than inference.")
	}
	duration(&m.timeToFirst, names.TimeToFirstChunk, "Time to the first chunk of a stream.")
	count(&m.attempts, telemetry.MetricAttempts, "{attempt}", "Attempts that a call took.")
	count(&m.tokens, names.TokenUsage, "{token}", "Tokens of an attempt, by gen_ai.token.type.")
	count(&m.inputTokens, names.InputTokens, "{token}", "Input tokens of an attempt.")
	count(&m.outputTokens, names.OutputTokens, "{token}", "Output tokens of an attempt.")
	total(&m.inputTotal, names.InputTokensTotal, "{token}", "Input tokens.")
	total(&m.outputTotal, names.OutputTokensTotal, "{token}", "Output tokens.")
	total(&m.cacheReadTotal, names.CacheReadTokensTotal, "{token}", "Input tokens that the provider had cached.")
	total(&m.refusals, telemetry.MetricRefusals, "{call}", "Calls that the gateway refused.")
	var err error
	m.streams, err = meter.Int64UpDownCounter(telemetry.MetricStreamsActive, metric.WithUnit("{stream}"), metric.WithDescription("Streams under way."))
	return m, errors.Join(all, err)
}

// call records the end of a call. overhead is what was ours of the time until
// its reply began.
func (m *metrics) call(ctx context.Context, call *gateway.Call, r result, duration, overhead time.Duration) {
	key := callKey{method: known(call.Method), errorType: r.errorType, status: r.status}
	if call.Route != nil {
		key.route = call.Route.Template
	}
	m.serverDuration.Record(ctx, duration.Seconds(), m.calls.of(key, func() []attribute.KeyValue {
		list := []attribute.KeyValue{
			telemetry.HTTPRequestMethod.String(key.method), telemetry.URLScheme.String("http"),
		}
		return append(list, optional(key.route, key.errorType, key.status)...)
	}).record...)
	byRoute := m.routes.of(key.route, func() []attribute.KeyValue { return optional(key.route, "", 0) })
	m.overhead.Record(ctx, max(overhead, 0).Seconds(), byRoute.record...)
	if n := call.Attempts(); n > 0 {
		m.attempts.Record(ctx, int64(n), byRoute.record...)
	}
	if r.outcome == outcomeRefused {
		by, rule := refusedBy(call, r.err)
		m.refusals.Add(ctx, 1, m.reasons.of(refusalKey{by, rule}, func() []attribute.KeyValue {
			return []attribute.KeyValue{telemetry.SpanwayRefusedBy.String(by), telemetry.SpanwayRefusedRule.String(rule)}
		}).add...)
	}
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
func (m *metrics) attempt(ctx context.Context, s *sending, errorType string, end time.Time) {
	attempt := s.call.Attempt
	key := sendingKey{
		method: known(s.call.Method), upstream: attempt.Target.Upstream, server: attempt.ServerAddress,
		errorType: errorType, port: attempt.ServerPort, status: attempt.Status,
	}
	m.clientDuration.Record(ctx, end.Sub(s.began).Seconds(), m.sendings.of(key, func() []attribute.KeyValue {
		list := []attribute.KeyValue{
			telemetry.HTTPRequestMethod.String(key.method), telemetry.ServicePeerName.String(key.upstream),
			telemetry.ServerAddress.String(key.server), telemetry.ServerPort.Int(key.port),
		}
		return append(list, optional("", key.errorType, key.status)...)
	}).record...)
	if s.operation == "" {
		return
	}
	model := modelKey{
		operation: s.operation, provider: attempt.Target.Provider, model: s.model,
		answered: s.observer.models.name(attempt.Answer.Model), errorType: errorType,
	}
	operation := m.operationDuration
	if s.operation == llm.Embeddings {
		operation = m.embeddingsDuration
	}
	operation.Record(ctx, end.Sub(s.began).Seconds(), m.model(model).record...)
	if stream := attempt.Stream; stream != nil && !stream.First.IsZero() {
		model.errorType = ""
		m.timeToFirst.Record(ctx, stream.First.Sub(s.began).Seconds(), m.model(model).record...)
	}
	if usage := attempt.Answer.Usage; usage.Known {
		model.errorType = ""
		m.usage(ctx, model, usage, s.operation != llm.Embeddings)
	}
}

// usage counts tokens, in the instruments that the conventions in force have.
func (m *metrics) usage(ctx context.Context, model modelKey, usage llm.Usage, output bool) {
	input, answered := model, model
	if m.tokens != nil {
		input.kind, answered.kind = "input", "output"
		m.tokens.Record(ctx, usage.Input, m.model(input).record...)
		if output {
			m.tokens.Record(ctx, usage.Output, m.model(answered).record...)
		}
		return
	}
	m.inputTokens.Record(ctx, usage.Input, m.model(model).record...)
	m.outputTokens.Record(ctx, usage.Output, m.model(model).record...)
	model.kind = modality
	m.inputTotal.Add(ctx, usage.Input, m.model(model).add...)
	m.outputTotal.Add(ctx, usage.Output, m.model(model).add...)
	m.cacheReadTotal.Add(ctx, usage.CacheRead, m.model(model).add...)
}

// modality marks the series that must say gen_ai.token.modality. What a body
// holds beside text is not looked into.
const modality = "unknown"

func (m *metrics) model(key modelKey) *options {
	return m.models.of(key, func() []attribute.KeyValue {
		list := []attribute.KeyValue{
			telemetry.GenAIOperationName.String(string(key.operation)),
			telemetry.GenAIProviderName.String(key.provider),
			telemetry.GenAIRequestModel.String(key.model),
		}
		if key.answered != "" {
			list = append(list, telemetry.GenAIResponseModel.String(key.answered))
		}
		switch key.kind {
		case "":
		case modality:
			list = append(list, telemetry.GenAITokenModality.String(key.kind))
		default:
			list = append(list, telemetry.GenAITokenType.String(key.kind))
		}
		return append(list, optional("", key.errorType, 0)...)
	})
}

func statusText(status int) string { return strconv.Itoa(status) }
