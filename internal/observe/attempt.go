package observe

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
	"github.com/spanway/spanway/telemetry"
)

// Attempt is the joint around each attempt at a target. It makes the attempt, so
// nothing between it and the wire may send more than once.
func (o *Observer) Attempt(target *gateway.Target) gateway.Policy {
	return func(next gateway.Handler) gateway.Handler {
		return gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
			sent := &sending{observer: o, call: call.To(target), began: time.Now()}
			ctx = sent.begin(ctx)
			reply, err := next.Handle(ctx, sent.call)
			sent.answered = time.Now()
			call.Waited(sent.answered.Sub(sent.began))
			if err != nil {
				sent.end(nil, gateway.AsError(err))
				return nil, err
			}
			reply.Attempt = sent.call.Attempt
			reply.OnDone(func(reply *gateway.Reply) { sent.end(reply, nil) })
			return reply, nil
		})
	}
}

// sending is an attempt on its way, as its joint sees it.
type sending struct {
	observer  *Observer
	span      trace.Span
	call      *gateway.Call // the copy that belongs to this attempt
	operation llm.Operation // "" for an ordinary service
	model     string        // low in cardinality
	began     time.Time
	answered  time.Time
}

// begin opens the CLIENT span, and writes down what goes out to name it.
func (s *sending) begin(ctx context.Context) context.Context {
	target := s.call.Attempt.Target
	name := s.call.Method
	if route := s.call.Route; target.Provider != "" && route != nil && route.Operation != llm.Models && route.Operation != "" {
		s.operation = route.Operation
		s.model = s.observer.models.name(target.Model)
		name = string(s.operation) + " " + s.model
	}
	ctx, s.span = s.observer.tracer.Start(ctx, name, client)
	s.observer.propagate(ctx, s.span.SpanContext(), s.call.Attempt)
	return ctx
}

// propagate writes down what tells the upstream its place in the trace. With
// W3C's propagators, the default, that is two strings.
func (o *Observer) propagate(ctx context.Context, c trace.SpanContext, attempt *gateway.Attempt) {
	if !o.telemetry.W3C() || baggage.FromContext(ctx).Len() > 0 {
		o.telemetry.Propagator().Inject(ctx, (*outgoing)(attempt))
		return
	}
	if !c.IsValid() {
		return
	}
	var room [64]byte
	attempt.Propagate = append(make([]gateway.Fact, 0, 2), gateway.Fact{Key: "traceparent", Value: string(telemetry.AppendTraceparent(room[:0], c))})
	if state := c.TraceState(); state.Len() > 0 {
		attempt.Propagate = append(attempt.Propagate, gateway.Fact{Key: "tracestate", Value: state.String()})
	}
}

// outgoing carries a trace's context into the headers of an attempt.
type outgoing gateway.Attempt

// Get implements propagation.TextMapCarrier; nothing asks.
func (*outgoing) Get(string) string { return "" }

// Keys implements propagation.TextMapCarrier; nothing asks.
func (*outgoing) Keys() []string { return nil }

// Set implements propagation.TextMapCarrier. Baggage never goes to a provider:
// it is what callers tell each other.
func (a *outgoing) Set(key, value string) {
	if key == "baggage" && a.Target.Provider != "" {
		return
	}
	a.Propagate = append(a.Propagate, gateway.Fact{Key: key, Value: value})
}

// end closes the span and counts the attempt.
func (s *sending) end(reply *gateway.Reply, err *gateway.Error) {
	now := time.Now()
	attempt := s.call.Attempt
	outcome, errorType := s.outcome(reply, err)
	s.charge(reply)
	s.observer.metrics.attempt(s.span.SpanContext(), s, errorType, now)
	if !s.span.IsRecording() {
		return
	}
	l := takeList()
	list := append(l.room[:0],
		telemetry.HTTPRequestMethod.String(s.call.Method),
		telemetry.PeerService.String(attempt.Target.Upstream),
		telemetry.ServicePeerName.String(attempt.Target.Upstream),
		telemetry.SpanwayAttempt.Int(attempt.Number),
	)
	if attempt.Fault != "" {
		kind, _, _ := strings.Cut(attempt.Fault, " ")
		list = append(list, telemetry.SpanwayFault.String(kind))
	}
	if attempt.Race != "" {
		list = append(list, telemetry.SpanwayAttemptOutcome.String(string(attempt.Race)))
	}
	list = s.wire(list)
	if s.operation != "" {
		list = s.asked(list)
		list = s.answer(list, outcome)
	}
	if attempt.Stream != nil && !attempt.Stream.First.IsZero() {
		s.span.AddEvent("first_chunk", trace.WithTimestamp(attempt.Stream.First))
	}
	if attempt.Stream != nil && outcome != gateway.Complete {
		s.span.AddEvent("stream."+string(outcome), trace.WithTimestamp(now))
	}
	if errorType != "" {
		list = append(list, telemetry.ErrorType.String(errorType))
		s.span.SetStatus(codes.Error, "")
	}
	s.span.SetAttributes(list...)
	l.give(len(list))
	s.span.End()
}

// outcome says how the attempt ended. What the client did, and that we cut it, is
// no error of it.
func (s *sending) outcome(reply *gateway.Reply, err *gateway.Error) (outcome gateway.Outcome, errorType string) {
	attempt := s.call.Attempt
	switch {
	case err == gateway.Superseded:
		attempt.Race = gateway.Cancelled
		return gateway.Unneeded, ""
	case err != nil && err.Code == gateway.Canceled:
		return gateway.ClientGone, ""
	case err != nil && err.Code == gateway.Draining:
		return gateway.Drained, ""
	case err != nil && attempt.Status == 0 && err.Code.Status() < http.StatusInternalServerError:
		return gateway.UpstreamError, "" // the client broke its body on the way
	case err != nil && attempt.Status >= 400:
		return gateway.UpstreamError, strconv.Itoa(attempt.Status)
	case err != nil:
		return gateway.UpstreamError, string(err.Code)
	}
	outcome = reply.Outcome
	if stream := attempt.Stream; stream != nil {
		if cut(outcome) || stream.Outcome == "" {
			stream.Outcome = outcome
		}
		outcome = stream.Outcome
	}
	if outcome == "" {
		outcome = gateway.Complete
		if attempt.Stream != nil {
			attempt.Stream.Outcome = outcome
		}
	}
	switch {
	case cut(outcome):
		return outcome, ""
	case outcome != gateway.Complete && !named(reply):
		return outcome, string(outcome)
	case reply.Status >= 400:
		return outcome, strconv.Itoa(reply.Status)
	}
	return outcome, ""
}

// cut reports whether a reply was left before its end by those who read it.
func cut(outcome gateway.Outcome) bool {
	return outcome == gateway.ClientGone || outcome == gateway.Drained || outcome == gateway.Unneeded
}

// wire is what the conventions for HTTP clients ask for.
func (s *sending) wire(list []attribute.KeyValue) []attribute.KeyValue {
	attempt := s.call.Attempt
	if attempt.ServerAddress != "" {
		list = append(list, telemetry.ServerAddress.String(attempt.ServerAddress))
	}
	if attempt.ServerPort != 0 {
		list = append(list, telemetry.ServerPort.Int(attempt.ServerPort))
	}
	if peer, err := netip.ParseAddrPort(attempt.PeerAddress); err == nil {
		list = append(list, telemetry.NetworkPeerAddress.String(peer.Addr().String()), telemetry.NetworkPeerPort.Int(int(peer.Port())))
	} else if attempt.PeerAddress != "" { // a unix socket
		list = append(list, telemetry.NetworkPeerAddress.String(attempt.PeerAddress))
	}
	if attempt.KeyID != "" {
		list = append(list, telemetry.SpanwayUpstreamKeyID.String(attempt.KeyID))
	}
	if attempt.Status != 0 {
		list = append(list, telemetry.HTTPResponseStatusCode.Int(attempt.Status))
	}
	if attempt.Number > 1 {
		list = append(list, telemetry.HTTPRequestResendCount.Int(attempt.Number-1))
	}
	return list
}

// asked is what was asked of the model.
func (s *sending) asked(list []attribute.KeyValue) []attribute.KeyValue {
	target, request := s.call.Attempt.Target, s.call.LLM
	list = append(list,
		telemetry.GenAIOperationName.String(string(s.operation)),
		telemetry.GenAIProviderName.String(target.Provider),
		telemetry.GenAIRequestModel.String(target.Model),
	)
	if request == nil {
		return list
	}
	if request.Stream {
		list = append(list, telemetry.GenAIRequestStream.Bool(true))
	}
	if request.MaxTokens > 0 {
		list = append(list, telemetry.GenAIRequestMaxTokens.Int64(request.MaxTokens))
	}
	if request.Temperature != nil {
		list = append(list, telemetry.GenAIRequestTemperature.Float64(*request.Temperature))
	}
	if request.TopP != nil {
		list = append(list, telemetry.GenAIRequestTopP.Float64(*request.TopP))
	}
	if request.Choices > 1 {
		list = append(list, telemetry.GenAIRequestChoiceCount.Int64(request.Choices))
	}
	return list
}

// answer is what the model answered, as far as it was seen to pass.
func (s *sending) answer(list []attribute.KeyValue, outcome gateway.Outcome) []attribute.KeyValue {
	attempt := s.call.Attempt
	answer := &attempt.Answer
	if answer.ID != "" {
		list = append(list, telemetry.GenAIResponseID.String(answer.ID))
	}
	if answer.Model != "" {
		list = append(list, telemetry.GenAIResponseModel.String(answer.Model))
	}
	if len(answer.FinishReasons) > 0 {
		list = append(list, telemetry.GenAIResponseFinishReasons.StringSlice(answer.FinishReasons))
	}
	if usage := answer.Usage; usage.Known {
		list = append(list, telemetry.GenAIUsageInputTokens.Int64(usage.Input))
		if s.operation != llm.Embeddings {
			list = append(list, telemetry.GenAIUsageOutputTokens.Int64(usage.Output))
		}
		if usage.CacheRead > 0 {
			list = append(list, telemetry.GenAIUsageCacheReadTokens.Int64(usage.CacheRead))
		}
		if usage.CacheWrite > 0 {
			list = append(list, s.observer.names.CacheCreationTokens.Int64(usage.CacheWrite))
		}
		if usage.Reasoning > 0 {
			list = append(list, telemetry.GenAIUsageReasoningTokens.Int64(usage.Reasoning))
		}
	}
	if stream := attempt.Stream; stream != nil {
		list = append(list, telemetry.SpanwayStreamOutcome.String(string(outcome)), telemetry.SpanwayStreamChunks.Int(stream.Chunks))
		if !stream.First.IsZero() {
			list = append(list,
				telemetry.GenAIResponseTimeToFirstChunk.Float64(stream.First.Sub(s.began).Seconds()),
				telemetry.SpanwayStreamMaxGap.Float64(stream.MaxGap.Seconds()))
		}
	}
	return list
}
