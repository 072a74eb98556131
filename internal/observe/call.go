package observe

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/telemetry"
)

// Outcomes of a call, in the word that stands on its span, in its log line and
// on its metrics.
const (
	outcomeOK      = "ok"
	outcomeRefused = "refused"     // by the gateway, before anything was sent
	outcomeError   = "error"       // the upstream's, or the gateway's own
	outcomeGone    = "client_gone" // nobody was there to take it
)

// Call is the joint around a call. The call has its route, or none.
func (o *Observer) Call(next gateway.Handler) gateway.Handler {
	return gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
		ctx, span := o.begin(ctx, call)
		reply, err := next.Handle(ctx, call)
		seen := &observed{observer: o, span: span, call: call, began: time.Now()}
		if err != nil {
			seen.end(nil, gateway.AsError(err))
			return nil, err
		}
		if reply.Stream {
			o.metrics.streams.Add(1)
		}
		reply.OnDone(func(reply *gateway.Reply) { seen.end(reply, nil) })
		return reply, nil
	})
}

// The kinds of spans are made once: each use would allocate them.
var (
	server   = trace.WithSpanKind(trace.SpanKindServer)
	client   = trace.WithSpanKind(trace.SpanKindClient)
	internal = trace.WithSpanKind(trace.SpanKindInternal)
)

// begin opens the SERVER span and tells the call its ids.
func (o *Observer) begin(ctx context.Context, call *gateway.Call) (context.Context, trace.Span) {
	ctx, options := o.parent(ctx, call)
	name := known(call.Method)
	if name == other {
		name = "HTTP"
	}
	if call.Route != nil {
		name += " " + call.Route.Template
	}
	ctx, span := o.tracer.Start(ctx, name, append(options, server)...)
	if sc := span.SpanContext(); sc.IsValid() {
		var room [64]byte
		call.Trace = string(telemetry.AppendTraceparent(room[:0], sc))
		call.TraceID, call.SpanID = call.Trace[3:35], call.Trace[36:52]
	}
	return ctx, span
}

// known keeps methods that callers make up from becoming names.
func known(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	default:
		return other
	}
}

// observed is a call on its way, as its joint sees it.
type observed struct {
	observer *Observer
	span     trace.Span
	call     *gateway.Call
	began    time.Time // when the reply began
}

// result is how a call ended.
type result struct {
	outcome   string
	status    int    // 0 where none was sent
	errorType string // error.type; "" where nothing failed
	failed    bool   // the span's status is Error
	err       *gateway.Error
}

// judge says how it ended. A refusal is the caller's business and no error of
// ours, whatever its status; a reply that broke off is one, whatever its status.
func judge(reply *gateway.Reply, err *gateway.Error) result {
	if err != nil {
		status := err.Code.Status()
		switch {
		case err.Code == gateway.Canceled:
			return result{outcome: outcomeGone, err: err}
		case status < http.StatusInternalServerError, err.Code == gateway.Overloaded, err.Code == gateway.BreakerOpen, err.Code == gateway.BadVersion, err.Code == gateway.NotImplemented:
			return result{outcome: outcomeRefused, status: status, errorType: string(err.Code), failed: status >= http.StatusInternalServerError, err: err}
		default:
			return result{outcome: outcomeError, status: status, errorType: string(err.Code), failed: true, err: err}
		}
	}
	r := result{outcome: outcomeOK, status: reply.Status, err: reply.Err}
	switch outcome := reply.Outcome; {
	case outcome == gateway.ClientGone:
		r.outcome = outcomeGone
	case outcome != "" && outcome != gateway.Complete && !named(reply):
		r.outcome, r.errorType, r.failed = outcomeError, string(outcome), true
	case reply.Status >= http.StatusInternalServerError:
		r.outcome, r.errorType, r.failed = outcomeError, statusText(reply.Status), true
	case reply.Status >= http.StatusBadRequest:
		r.outcome = outcomeError
	}
	return r
}

// named reports whether a reply that failed came whole, so that its status says
// how: a provider's error that was made of a 200 is such a one.
func named(reply *gateway.Reply) bool {
	return reply.Status >= http.StatusBadRequest && reply.Err == nil
}

// end closes the span, counts, and writes the call's line.
func (s *observed) end(reply *gateway.Reply, err *gateway.Error) {
	now := time.Now()
	if reply != nil && reply.Outcome == "" && reply.Attempt != nil && reply.Attempt.Stream != nil {
		reply.Outcome = reply.Attempt.Stream.Outcome
	}
	r := judge(reply, err)
	if reply != nil && reply.Stream {
		s.observer.metrics.streams.Add(-1)
	}
	s.observer.metrics.call(s.span.SpanContext(), s.call, r, now.Sub(s.call.Received), s.began.Sub(s.call.Received)-s.call.Wait())
	if s.span.IsRecording() {
		l := takeList()
		attributes := s.attributes(l.room[:0], reply, r)
		s.span.SetAttributes(attributes...)
		l.give(len(attributes))
		for _, note := range s.call.Notes() {
			s.span.AddEvent(note.Name(), trace.WithTimestamp(note.At), trace.WithAttributes(facts(note.Facts)...))
		}
		if r.failed {
			s.span.SetStatus(codes.Error, "")
		}
		s.span.End()
	}
	s.line(reply, r, now)
}

func facts(list []gateway.Fact) []attribute.KeyValue {
	attributes := make([]attribute.KeyValue, len(list))
	for i, f := range list {
		attributes[i] = attribute.String(f.Key, f.Value)
	}
	return attributes
}

// attributes are the facts of a call, each on the one span it belongs to. No
// gen_ai key may stand here: Jaeger would show an empty tab instead of these.
func (s *observed) attributes(list []attribute.KeyValue, reply *gateway.Reply, r result) []attribute.KeyValue {
	call := s.call
	list = append(list,
		telemetry.HTTPRequestMethod.String(known(call.Method)),
		telemetry.URLPath.String(call.Path),
		telemetry.URLScheme.String("http"),
		telemetry.NetworkProtocolVersion.String(call.Proto),
		telemetry.SpanwayRequestID.String(call.ID),
	)
	if call.Route != nil {
		list = append(list, telemetry.HTTPRoute.String(call.Route.Template))
	}
	if call.Host != "" {
		list = append(list, telemetry.ServerAddress.String(call.Host))
	}
	if call.Peer.IsValid() {
		list = append(list, telemetry.ClientAddress.String(call.Peer.Addr().Unmap().String()))
	}
	list = append(list, telemetry.SpanwayOutcome.String(r.outcome), telemetry.SpanwayAttempts.Int(call.Attempts()))
	if r.status != 0 {
		list = append(list, telemetry.HTTPResponseStatusCode.Int(r.status))
	}
	if r.errorType != "" {
		list = append(list, telemetry.ErrorType.String(r.errorType))
	}
	if r.outcome == outcomeRefused {
		by, rule := refusedBy(call, r.err)
		list = append(list, telemetry.SpanwayRefusedBy.String(by), telemetry.SpanwayRefusedRule.String(rule))
	}
	if call.KeyID != "" {
		list = append(list, telemetry.SpanwayKeyID.String(call.KeyID))
	}
	if target := call.Last(); target != nil {
		list = append(list, telemetry.SpanwayUpstream.String(target.Upstream))
	}
	cost := call.Cost()
	if cost.Known {
		list = append(list, telemetry.SpanwayCostUSD.Float64(float64(cost.NanoUSD)/nanoPerUSD))
	}
	if cost.Unknown {
		list = append(list, telemetry.SpanwayCostUnknown.Bool(true))
	}
	if slices.ContainsFunc(call.Notes(), func(n gateway.Note) bool { return n.Policy == "hedge" && n.Decision == "started" }) {
		list = append(list, telemetry.SpanwayHedged.Bool(true))
	}
	if reply == nil || reply.Attempt == nil {
		return list
	}
	if usage := reply.Attempt.Answer.Usage; usage.Known {
		list = append(list, telemetry.SpanwayTokensInput.Int64(usage.Input), telemetry.SpanwayTokensOutput.Int64(usage.Output))
	}
	return list
}

// refusedBy names who refused a call, and by which rule: the policy that noted
// it, else the server.
func refusedBy(call *gateway.Call, err *gateway.Error) (by, rule string) {
	rule = string(err.Code)
	if err.Reason != "" {
		rule = err.Reason
	}
	for _, note := range call.Notes() {
		if note.Decision == "refused" {
			return note.Policy, rule
		}
	}
	if call.Refused == nil && (call.Route == nil || err.Code == gateway.NoModel) {
		return "route", rule
	}
	return "server", rule // for its head, or for its body on the way
}

// line writes the one log line of a call.
func (s *observed) line(reply *gateway.Reply, r result, now time.Time) {
	call := s.call
	log := s.observer.log.Info()
	if r.failed {
		log = s.observer.log.Warn()
	}
	if log == nil {
		return
	}
	log.Str("trace_id", call.TraceID).Str("span_id", call.SpanID).Str("request_id", call.ID).
		Str("method", call.Method).Str("path", call.Path).Str("outcome", r.outcome).Int("status", r.status).
		Dur("duration_ms", now.Sub(call.Received)).Int("attempts", call.Attempts())
	if call.Route != nil {
		log.Str("route", call.Route.Name)
	}
	if call.KeyID != "" {
		log.Str("key", call.Caller).Str("key_id", call.KeyID)
	}
	if call.LLM != nil {
		log.Str("model", call.LLM.Model).Bool("stream", call.LLM.Stream)
	}
	if target := call.Last(); target != nil {
		log.Str("upstream", target.Upstream)
	}
	if reply != nil && reply.Attempt != nil {
		if usage := reply.Attempt.Answer.Usage; usage.Known {
			log.Int64("tokens_input", usage.Input).Int64("tokens_output", usage.Output)
		}
	}
	cost := call.Cost()
	if cost.Known {
		log.Float64("cost_usd", float64(cost.NanoUSD)/nanoPerUSD)
	}
	if cost.Unknown {
		log.Bool("cost_unknown", true)
	}
	if r.errorType != "" {
		log.Str("error_type", r.errorType)
	}
	if r.err != nil {
		log.Str("error", cause(r.err))
	}
	log.Msg("call")
}

// cause is an error as the operator reads it: whole, on one line.
func cause(err *gateway.Error) string {
	var text strings.Builder
	text.WriteString(err.Message)
	if inner := errors.Unwrap(err); inner != nil {
		text.WriteString(": ")
		text.WriteString(inner.Error())
	}
	return text.String()
}
