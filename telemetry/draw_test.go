package telemetry

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

var update = flag.Bool("update", false, "write the golden files")

// scene makes spans at chosen times and hands them to a drawer.
type scene struct {
	t      *testing.T
	tracer trace.Tracer
	drawer *Drawer
	batch  *batch
	drawn  strings.Builder
	start  time.Time
}

func newScene(t *testing.T, color bool, pairs ...string) *scene {
	env, _ := variables(pairs...)
	s := &scene{t: t, batch: &batch{}, start: time.Unix(1_700_000_000, 0)}
	s.drawer = NewDrawer(&s.drawn, color, env.get)
	s.tracer = newProvider(env.sampler(), env.limits(), s).Tracer("test")
	return s
}

func (s *scene) add(scope *scope, encoded []byte) { s.batch.add(scope, encoded) }

// span starts a span at an offset in milliseconds; the function ends it at another.
func (s *scene) span(ctx context.Context, kind trace.SpanKind, name string, from int, facts ...attribute.KeyValue) (context.Context, trace.Span, func(to int)) {
	ctx, span := s.tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithTimestamp(s.at(from)), trace.WithAttributes(facts...))
	return ctx, span, func(to int) { span.End(trace.WithTimestamp(s.at(to))) }
}

func (s *scene) at(ms int) time.Time { return s.start.Add(time.Duration(ms) * time.Millisecond) }

// flush exports what has ended.
func (s *scene) flush() {
	if _, err := s.drawer.export(s.t.Context(), s.batch); err != nil {
		s.t.Error(err)
	}
	s.batch = &batch{}
}

// parent pins the trace id, so that the golden file can.
func parent() context.Context {
	c, _ := ParseTraceparent(goodTraceparent)
	return trace.ContextWithRemoteSpanContext(context.Background(), c)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update rewrites it)\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

func retriedChat(s *scene) {
	ctx, server, endServer := s.span(parent(), trace.SpanKindServer, "POST /v1/chat/completions", 0)
	server.AddEvent(EventRouteDecided, trace.WithTimestamp(s.at(1)), trace.WithAttributes(SpanwayUpstream.String("openai")))
	_, first, endFirst := s.span(ctx, trace.SpanKindClient, "chat gpt-5", 2, HTTPResponseStatusCode.Int(503), ErrorType.String("503"), PeerService.String("openai"))
	first.SetStatus(codes.Error, "")
	endFirst(14)
	_, _, endBackoff := s.span(ctx, trace.SpanKindInternal, "backoff", 14, SpanwayBackoffReason.String("server"))
	endBackoff(30)
	s.flush() // children may come long before their root
	_, second, endSecond := s.span(ctx, trace.SpanKindClient, "chat claude-sonnet-4-5", 30,
		HTTPResponseStatusCode.Int(200), PeerService.String("anthropic"), GenAIResponseTimeToFirstChunk.Float64(0.012),
		GenAIUsageInputTokens.Int(11), GenAIUsageOutputTokens.Int(7), GenAIResponseFinishReasons.StringSlice([]string{"stop"}), SpanwayStreamOutcome.String("complete"))
	second.AddEvent(EventFirstChunk, trace.WithTimestamp(s.at(42)))
	endSecond(71)
	server.SetAttributes(HTTPResponseStatusCode.Int(200), SpanwayOutcome.String("ok"), SpanwayUpstream.String("anthropic"), SpanwayAttempts.Int(2), SpanwayCostUSD.Float64(0.000123))
	endServer(72)
	_, _, endSettle := s.span(ctx, trace.SpanKindClient, "EVALSHA settle", 72, DBSystemName.String("redis"))
	s.flush()
	endSettle(73)
	s.flush()
}

func TestATraceIsDrawnAsATree(t *testing.T) {
	s := newScene(t, false)
	retriedChat(s)
	golden(t, "retried.txt", s.drawn.String())
}

func TestATraceIsDrawnInColour(t *testing.T) {
	s := newScene(t, true, "COLUMNS=120")
	retriedChat(s)
	golden(t, "retried-colour.txt", s.drawn.String())
	for _, forbid := range []string{"NO_COLOR=1", "TERM=dumb"} {
		s := newScene(t, true, forbid)
		retriedChat(s)
		if strings.Contains(s.drawn.String(), "\x1b") {
			t.Errorf("colour in spite of %s", forbid)
		}
	}
}

func TestNoLineIsWiderThanTheTerminal(t *testing.T) {
	for _, width := range []int{40, 60, 80, 100, 200} {
		s := newScene(t, false, fmt.Sprint("COLUMNS=", width))
		retriedChat(s)
		for line := range strings.Lines(s.drawn.String()) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > max(width, 60) {
				t.Errorf("COLUMNS=%d: %d characters: %s", width, n, line)
			}
		}
	}
}

func TestWhatAStrangerWroteCannotSteerTheTerminal(t *testing.T) {
	s := newScene(t, true, "NO_COLOR=1")
	_, span, end := s.span(parent(), trace.SpanKindServer, "GET /\x1b[2J\u202e", 0, SpanwayUpstream.String("\x1b]0;owned\a"))
	span.AddEvent("e\x1b[1m", trace.WithAttributes(attribute.String("k\r", "v\n")))
	end(1)
	s.flush()
	if strings.ContainsAny(s.drawn.String(), "\x1b\a\r\u202e") {
		t.Errorf("got %q", s.drawn.String())
	}
}

func TestTheDrawerForgetsTracesThatNeverEnd(t *testing.T) {
	s := newScene(t, false)
	for range 5000 {
		ctx, _, _ := s.span(context.Background(), trace.SpanKindServer, "never ends", 0)
		_, _, end := s.span(ctx, trace.SpanKindClient, "child", 0)
		end(1)
	}
	s.flush()
	if len(s.drawer.waiting) > maxWaitingTraces || len(s.drawer.order) != len(s.drawer.waiting) || s.drawer.held != len(s.drawer.waiting) {
		t.Errorf("%d traces, %d in order, %d spans", len(s.drawer.waiting), len(s.drawer.order), s.drawer.held)
	}
	for range 5000 {
		_, _, end := s.span(context.Background(), trace.SpanKindServer, "a load test", 0)
		end(1)
	}
	s.flush()
	if got := strings.Count(s.drawn.String(), "a load test"); got > 10*maxDrawnPerSecond {
		t.Errorf("%d traces drawn", got)
	}
}
