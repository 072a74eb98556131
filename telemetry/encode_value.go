package telemetry

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/protobuf/encoding/protowire"
)

// maxDepth is how deep a nested attribute value may be; what lies deeper is
// left empty. It is the SDK's limit, and keeps recursion bounded.
const maxDepth = 64

// appendTag is protowire's, with a short way for the tags of one byte, which all
// but one here are.
func appendTag(b []byte, field protowire.Number, kind protowire.Type) []byte {
	if field < 16 {
		return append(b, byte(field)<<3|byte(kind))
	}
	return protowire.AppendTag(b, field, kind)
}

// open starts a length-delimited field: it writes the tag and one byte for the
// length. Nearly every message here is shorter than 128 bytes, so that close
// has nothing to move.
func open(b []byte, field protowire.Number) ([]byte, int) {
	b = appendTag(b, field, protowire.BytesType)
	b = append(b, 0)
	return b, len(b)
}

// shut writes the length of what was appended since open returned mark.
func shut(b []byte, mark int) []byte {
	n := len(b) - mark
	if n < 0x80 {
		b[mark-1] = byte(n)
		return b
	}
	extra := protowire.SizeVarint(uint64(n)) - 1
	for range extra {
		b = append(b, 0)
	}
	copy(b[mark+extra:], b[mark:mark+n])
	binary.PutUvarint(b[mark-1:mark+extra], uint64(n))
	return b
}

// appendString writes a string field. Invalid UTF-8 is replaced: a receiver
// would refuse the whole batch for it.
func appendString(b []byte, field protowire.Number, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	b = appendTag(b, field, protowire.BytesType)
	return protowire.AppendString(b, s)
}

func appendFixed64(b []byte, field protowire.Number, v uint64) []byte {
	b = appendTag(b, field, protowire.Fixed64Type)
	return protowire.AppendFixed64(b, v)
}

func appendFixed32(b []byte, field protowire.Number, v uint32) []byte {
	b = appendTag(b, field, protowire.Fixed32Type)
	return protowire.AppendFixed32(b, v)
}

func appendVarint(b []byte, field protowire.Number, v uint64) []byte {
	b = appendTag(b, field, protowire.VarintType)
	return protowire.AppendVarint(b, v)
}

// appendCount leaves a zero out, as protobuf does.
func appendCount(b []byte, field protowire.Number, n int) []byte {
	if n == 0 {
		return b
	}
	return appendVarint(b, field, uint64(n))
}

// appendAttributes writes a list as it was given: the last of equal keys
// stands, nameless ones and those beyond count are dropped.
func appendAttributes(b []byte, field protowire.Number, list []attribute.KeyValue, count, length int) ([]byte, int) {
	dropped, written := 0, 0
next:
	for i, kv := range list {
		for _, later := range list[i+1:] {
			if later.Key == kv.Key {
				continue next
			}
		}
		if kv.Key == "" || count >= 0 && written == count {
			dropped++
			continue
		}
		b = appendAttribute(b, field, kv, length, 1)
		written++
	}
	return b, dropped
}

// appendAttribute writes one KeyValue. Strings and bytes longer than limit are
// cut; a negative limit means none.
func appendAttribute(b []byte, field protowire.Number, kv attribute.KeyValue, limit, depth int) []byte {
	b, whole := open(b, field)
	b = appendString(b, 1, string(kv.Key))
	b, value := open(b, 2)
	b = appendValue(b, kv.Value, limit, depth)
	b = shut(b, value)
	return shut(b, whole)
}

// appendValue writes the content of an AnyValue. A value of type EMPTY has none.
func appendValue(b []byte, v attribute.Value, limit, depth int) []byte {
	switch v.Type() {
	case attribute.EMPTY:
		return b
	case attribute.STRING:
		return appendText(b, v.AsString(), limit)
	case attribute.INT64:
		return appendInt(b, v.AsInt64())
	case attribute.BOOL:
		return appendBool(b, v.AsBool())
	case attribute.FLOAT64:
		return appendDouble(b, v.AsFloat64())
	case attribute.BYTESLICE:
		raw := v.AsByteSlice()
		if limit >= 0 && len(raw) > limit {
			raw = raw[:limit]
		}
		b = appendTag(b, 7, protowire.BytesType)
		return protowire.AppendBytes(b, raw)
	case attribute.STRINGSLICE:
		return appendArray(b, v.AsStringSlice(), depth, func(b []byte, s string) []byte { return appendText(b, s, limit) })
	case attribute.INT64SLICE:
		return appendArray(b, v.AsInt64Slice(), depth, appendInt)
	case attribute.BOOLSLICE:
		return appendArray(b, v.AsBoolSlice(), depth, appendBool)
	case attribute.FLOAT64SLICE:
		return appendArray(b, v.AsFloat64Slice(), depth, appendDouble)
	case attribute.SLICE:
		return appendArray(b, v.AsSlice(), depth, func(b []byte, v attribute.Value) []byte {
			return appendValue(b, v, limit, depth+1)
		})
	case attribute.MAP:
		if depth > maxDepth {
			return b
		}
		b, list := open(b, 6)
		for _, kv := range v.AsMap() {
			b = appendAttribute(b, 1, kv, limit, depth+1)
		}
		return shut(b, list)
	default:
		return appendText(b, "INVALID", -1)
	}
}

func appendText(b []byte, s string, limit int) []byte {
	return appendString(b, 1, cut(s, limit))
}

func appendBool(b []byte, v bool) []byte {
	return appendVarint(b, 2, protowire.EncodeBool(v))
}

func appendInt(b []byte, v int64) []byte {
	return appendVarint(b, 3, uint64(v))
}

func appendDouble(b []byte, v float64) []byte {
	return appendFixed64(b, 4, math.Float64bits(v))
}

func appendArray[T any](b []byte, values []T, depth int, one func([]byte, T) []byte) []byte {
	if depth > maxDepth {
		return b
	}
	b, array := open(b, 5)
	for _, v := range values {
		var mark int
		b, mark = open(b, 1)
		b = one(b, v)
		b = shut(b, mark)
	}
	return shut(b, array)
}

// cut shortens s to limit characters, as the OTEL_*_LENGTH_LIMIT variables ask.
func cut(s string, limit int) string {
	if limit < 0 || len(s) <= limit {
		return s
	}
	n := 0
	for i := range s {
		if n == limit {
			return s[:i]
		}
		n++
	}
	return s
}
