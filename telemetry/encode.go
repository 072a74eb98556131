package telemetry

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of opentelemetry.proto.trace.v1 and common.v1.
const (
	spanTraceID           = 1
	spanID                = 2
	spanTraceState        = 3
	spanParentID          = 4
	spanName              = 5
	spanKind              = 6
	spanStart             = 7
	spanEnd               = 8
	spanAttributes        = 9
	spanDroppedAttributes = 10
	spanEvents            = 11
	spanDroppedEvents     = 12
	spanLinks             = 13
	spanDroppedLinks      = 14
	spanStatus            = 15
	spanFlags             = 16

	eventTime              = 1
	eventName              = 2
	eventAttributes        = 3
	eventDroppedAttributes = 4

	linkTraceID           = 1
	linkSpanID            = 2
	linkTraceState        = 3
	linkAttributes        = 4
	linkDroppedAttributes = 5
	linkFlags             = 6

	scopeSpansScope  = 1
	scopeSpansSpans  = 2
	scopeSpansSchema = 3
	scopeName        = 1
	scopeVersion     = 2
	scopeAttributes  = 3

	statusMessage = 2
	statusCode    = 3
)

// Bits of the flags field beyond the eight of W3C.
const (
	flagParentKnown  = 0x100
	flagParentRemote = 0x200
)

// appendEvent writes one Span.Event field of a span.
func appendEvent(b []byte, name string, at uint64, attributes []attribute.KeyValue, limits *limits) []byte {
	b, mark := open(b, spanEvents)
	b = appendFixed64(b, eventTime, at)
	b = appendString(b, eventName, name)
	b, dropped := appendAttributes(b, eventAttributes, attributes, limits.eventAttributes, limits.valueLength)
	b = appendCount(b, eventDroppedAttributes, dropped)
	return shut(b, mark)
}

// appendLink writes one Span.Link field of a span.
func appendLink(b []byte, link trace.Link, limits *limits) []byte {
	traceID, id := link.SpanContext.TraceID(), link.SpanContext.SpanID()
	b, mark := open(b, spanLinks)
	b = appendTag(b, linkTraceID, protowire.BytesType)
	b = protowire.AppendBytes(b, traceID[:])
	b = appendTag(b, linkSpanID, protowire.BytesType)
	b = protowire.AppendBytes(b, id[:])
	if state := link.SpanContext.TraceState(); state.Len() > 0 {
		b = appendString(b, linkTraceState, state.String())
	}
	b, dropped := appendAttributes(b, linkAttributes, link.Attributes, limits.linkAttributes, limits.valueLength)
	b = appendCount(b, linkDroppedAttributes, dropped)
	b = appendFixed32(b, linkFlags, flags(link.SpanContext.TraceFlags(), link.SpanContext.IsRemote()))
	return shut(b, mark)
}

// flags are those of the span or link, and whether its parent came from outside.
func flags(own trace.TraceFlags, remote bool) uint32 {
	f := uint32(own) | flagParentKnown
	if remote {
		f |= flagParentRemote
	}
	return f
}

// encode appends the whole span as an OTLP Span message. Nobody else holds body
// any more.
func (s *span) encode(b []byte, body *spanBody, end uint64) []byte {
	traceID, id := s.context.TraceID(), s.context.SpanID()
	b = appendTag(b, spanTraceID, protowire.BytesType)
	b = protowire.AppendBytes(b, traceID[:])
	b = appendTag(b, spanID, protowire.BytesType)
	b = protowire.AppendBytes(b, id[:])
	if state := s.context.TraceState(); state.Len() > 0 {
		b = appendString(b, spanTraceState, state.String())
	}
	if s.parent.IsValid() {
		b = appendTag(b, spanParentID, protowire.BytesType)
		b = protowire.AppendBytes(b, s.parent[:])
	}
	b = appendString(b, spanName, s.name)
	b = appendVarint(b, spanKind, uint64(s.kind))
	b = appendFixed64(b, spanStart, nanoseconds(s.start))
	b = appendFixed64(b, spanEnd, end)
	for i := range body.attributes {
		b = appendAttribute(b, spanAttributes, body.attributes[i], s.tracer.provider.limits.valueLength, 1)
	}
	b = appendCount(b, spanDroppedAttributes, body.droppedAttributes)
	b = append(b, body.events.bytes...)
	b = appendCount(b, spanDroppedEvents, body.events.dropped)
	b = append(b, body.links.bytes...)
	b = appendCount(b, spanDroppedLinks, body.links.dropped)
	if s.status != codes.Unset {
		var mark int
		b, mark = open(b, spanStatus)
		if s.statusMessage != "" {
			b = appendString(b, statusMessage, s.statusMessage)
		}
		b = appendVarint(b, statusCode, otlpStatus(s.status))
		b = shut(b, mark)
	}
	return appendFixed32(b, spanFlags, flags(s.context.TraceFlags(), s.parentRemote))
}

// otlpStatus translates: OTLP counts unset, ok, error; the API unset, error, ok.
func otlpStatus(c codes.Code) uint64 {
	if c == codes.Ok {
		return 1
	}
	return 2
}
