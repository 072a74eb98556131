package telemetry

import (
	"io"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"
)

// Names of the fields of a log line that belong to its trace.
const (
	LogTraceID = "trace_id"
	LogSpanID  = "span_id"
)

// Logger writes JSON lines with time (RFC 3339, nanoseconds), level and message.
// w must take concurrent writes, as files do.
func Logger(w io.Writer, level zerolog.Level) zerolog.Logger {
	return zerolog.New(w).Level(level).Hook(zerolog.HookFunc(stamp))
}

// stamp writes the time itself: zerolog's format of it is a global, and a
// library does not set those.
func stamp(e *zerolog.Event, _ zerolog.Level, _ string) {
	var text [len(time.RFC3339Nano)]byte
	e.Bytes(zerolog.TimestampFieldName, time.Now().AppendFormat(text[:0], time.RFC3339Nano))
}

// TraceFields adds trace_id and span_id to a log line, if c has them. It
// allocates nothing.
func TraceFields(e *zerolog.Event, c trace.SpanContext) *zerolog.Event {
	if e == nil || !c.IsValid() {
		return e
	}
	traceID, spanID := c.TraceID(), c.SpanID()
	return e.Hex(LogTraceID, traceID[:]).Hex(LogSpanID, spanID[:])
}

// levelled gives log the level that OTEL_LOG_LEVEL names; a word that is none of
// OpenTelemetry's changes nothing.
func levelled(log zerolog.Logger, name string) zerolog.Logger {
	levels := map[string]zerolog.Level{
		"none": zerolog.Disabled, "error": zerolog.ErrorLevel, "warn": zerolog.WarnLevel,
		"info": zerolog.InfoLevel, "debug": zerolog.DebugLevel, "verbose": zerolog.TraceLevel,
	}
	if level, known := levels[strings.ToLower(strings.TrimSpace(name))]; known {
		return log.Level(level)
	}
	return log
}
