package telemetry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// otlpExporter hands encoded spans to OpenTelemetry's own clients. They want
// protobuf structs; it gives them empty ones whose content stands in the unknown
// fields, which protobuf writes out as they are.
type otlpExporter struct {
	client   otlptrace.Client
	resource *resourcepb.Resource
	decode   bool // the client writes JSON, which knows no unknown fields
}

// Of an answer no more than this is read: a partial success is a short sentence.
// gRPC has a limit of its own, 4 MiB.
const maxReply = 64 << 10

// The stock clients first wait five seconds before they try again. That is half
// of an export's time.
const (
	retryFirst = 500 * time.Millisecond
	retryMost  = 5 * time.Second
	retryTotal = time.Minute
)

func newOTLPExporter(ctx context.Context, protocol string, resource *resourcepb.Resource) (*otlpExporter, error) {
	e := &otlpExporter{resource: resource, decode: protocol == protocolJSON}
	switch protocol {
	case protocolGRPC:
		e.client = otlptracegrpc.NewClient(otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{
			Enabled: true, InitialInterval: retryFirst, MaxInterval: retryMost, MaxElapsedTime: retryTotal,
		}))
	default:
		encoding := otlptracehttp.EncodingProtobuf
		if e.decode {
			encoding = otlptracehttp.EncodingJSON
		}
		e.client = otlptracehttp.NewClient(
			otlptracehttp.WithEncoding(encoding),
			otlptracehttp.WithMaxResponseSize(maxReply),
			otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
				Enabled: true, InitialInterval: retryFirst, MaxInterval: retryMost, MaxElapsedTime: retryTotal,
			}))
	}
	if err := e.client.Start(ctx); err != nil {
		return nil, fmt.Errorf("trace exporter: %w", err)
	}
	return e, nil
}

// export implements [exporter].
func (e *otlpExporter) export(ctx context.Context, b *batch) (rejected int, err error) {
	whole := &tracepb.ResourceSpans{Resource: e.resource, ScopeSpans: make([]*tracepb.ScopeSpans, len(b.parts))}
	for i := range b.parts {
		spans := new(tracepb.ScopeSpans)
		if e.decode {
			if err := proto.Unmarshal(b.parts[i].bytes, spans); err != nil {
				return 0, err
			}
		} else {
			spans.ProtoReflect().SetUnknown(b.parts[i].bytes)
		}
		whole.ScopeSpans[i] = spans
	}
	err = e.client.UploadTraces(ctx, []*tracepb.ResourceSpans{whole})
	if n, partial := partialSuccess(err); partial {
		return n, nil
	}
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx) // a client that was stopped may say nothing
	}
	return 0, err
}

// partialSuccess recognises the error that the clients make of an answer which
// took the batch but refused some of it. Its type is theirs alone, so the text
// has to do.
func partialSuccess(err error) (rejected int, ok bool) {
	if err == nil {
		return 0, false
	}
	text := err.Error()
	if !strings.HasPrefix(text, "OTLP partial success") {
		return 0, false
	}
	open := strings.LastIndexByte(text, '(')
	_, scanErr := fmt.Sscanf(text[open+1:], "%d spans rejected)", &rejected)
	return rejected, scanErr == nil
}

// shutdown implements [exporter].
func (e *otlpExporter) shutdown(ctx context.Context) error {
	err := e.client.Stop(ctx)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return nil // the queue has said so already
	}
	return err
}
