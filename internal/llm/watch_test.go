package llm

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// watched returns the events that a Watch finds, when the text comes in pieces
// that end at these places.
func watched(t testing.TB, text []byte, ends ...int) []string {
	t.Helper()
	var events []string
	w := NewWatch(func(e Event) { events = append(events, fmt.Sprintf("%s|%s", e.Name, e.Data)) })
	from := 0
	for _, end := range append(ends, len(text)) {
		// A piece is a buffer that is written over as soon as it was looked at.
		piece := bytes.Clone(text[from:end])
		if err := w.Write(piece); err != nil {
			t.Fatal(err)
		}
		for i := range piece {
			piece[i] = '#'
		}
		from = end
	}
	w.End()
	return events
}

func TestWatch(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"line feeds", "data: a\n\ndata: b\n\n", []string{"|a", "|b"}},
		{"CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", []string{"|a", "|b"}},
		{"CR", "data: a\r\rdata: b\r\r", []string{"|a", "|b"}},
		{"all of them", "data: a\n\r\ndata: b\r\n\rdata: c\r\r\n", []string{"|a", "|b", "|c"}},
		{"a byte order mark", "\xef\xbb\xbfdata: a\n\n", []string{"|a"}},
		{"a byte order mark later is a field", "data: a\n\n\xef\xbb\xbfdata: b\n\n", []string{"|a"}},
		{"comments", ": hi\n\n:\ndata: a\n: x\n\n", []string{"|a"}},
		{"several lines", "data: a\ndata:b\ndata:  c\n\n", []string{"|a\nb\n c"}},
		{"empty data", "data\n\ndata:\n\ndata: \ndata\n\n", []string{"|", "|", "|\n"}},
		{"no data", "event: ping\n\nid: 7\n\n\n\n", nil},
		{"a name", "event: ping\ndata: a\n\ndata: b\nevent:x\n\ndata: c\n\n", []string{"ping|a", "x|b", "|c"}},
		{"unknown fields", "retry: 3\ndatum: x\ndata : y\ndata: a\n\n", []string{"|a"}},
		{"no empty line at the end", "data: a\n\ndata: b\n", []string{"|a", "|b"}},
		{"no line end at the end", "data: a\n\ndata: b", []string{"|a", "|b"}},
		{"nothing", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := []byte(tt.text)
			for i := range len(text) + 1 {
				for j := i; j <= len(text); j++ {
					if got := watched(t, text, i, j); !slices.Equal(got, tt.want) {
						t.Fatalf("cut at %d and %d: got %q, want %q", i, j, got, tt.want)
					}
				}
			}
		})
	}
}

func TestWatchBoundsAnEvent(t *testing.T) {
	large := strings.Repeat("x", 16<<20)
	piece := []byte(large[:1<<20])
	found := 0
	w := NewWatch(func(e Event) {
		if string(e.Data) == large {
			found++
		}
	})
	for range 2 {
		if err := w.Write([]byte("data: ")); err != nil {
			t.Fatal(err)
		}
		for range 16 {
			if err := w.Write(piece); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Write([]byte("\n\n")); err != nil {
			t.Fatal(err)
		}
	}
	if found != 2 {
		t.Errorf("found %d events of 16 MiB, want 2", found)
	}
	if cap(w.line) > keep || cap(w.held) > keep {
		t.Errorf("keeps %d and %d bytes after a large event", cap(w.line), cap(w.held))
	}

	for name, piece := range map[string]string{"one line": strings.Repeat("x", 1<<20), "many lines": "data: " + strings.Repeat("x", 1<<20) + "\n"} {
		w := NewWatch(func(Event) { t.Error("an event without end was handed over") })
		err := w.Write([]byte("data: "))
		for range 18 {
			if err == nil {
				err = w.Write([]byte(piece))
			}
		}
		if !errors.Is(err, ErrEventTooLarge) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// However the bytes arrive, the events are the same.
func FuzzWatch(f *testing.F) {
	f.Add([]byte("event: a\ndata: 1\n\nevent: b\r\ndata: 2\r\n\r\n"), 3, 9)
	f.Add([]byte("\xef\xbb\xbfdata: \r\rdata\ndata:x\n: c\n\n\ndata"), 1, 2)
	f.Fuzz(func(t *testing.T, text []byte, i, j int) {
		whole := watched(t, text)
		var each []int
		for at := range text {
			each = append(each, at)
		}
		if got := watched(t, text, each...); !slices.Equal(got, whole) {
			t.Errorf("a byte at a time: %q, whole: %q", got, whole)
		}
		i, j = min(max(i, 0), len(text)), min(max(j, 0), len(text))
		if got := watched(t, text, min(i, j), max(i, j)); !slices.Equal(got, whole) {
			t.Errorf("cut at %d and %d: %q, whole: %q", i, j, got, whole)
		}
	})
}

const chunk = `data: {"id":"chatcmpl-B1Q9eZ","object":"chat.completion.chunk","created":1767225600,"model":"gpt-5-2026-01","service_tier":"default",` +
	`"system_fingerprint":"fp_44709d6fcb","choices":[{"index":0,"delta":{"content":" there"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"x8Kq2Lw"}` + "\n\n"

func BenchmarkWatchAndScanChunk(b *testing.B) {
	piece := []byte(chunk)
	var a Answer
	tokens := 0
	w := NewWatch(func(e Event) {
		if a.Chunk(e.Data).Semantic {
			tokens++
		}
	})
	b.SetBytes(int64(len(piece)))
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Write(piece); err != nil {
			b.Fatal(err)
		}
	}
	if tokens == 0 {
		b.Error("no token was found")
	}
}

func BenchmarkWatchAndScanChunkCut(b *testing.B) {
	one, two := []byte(chunk[:100]), []byte(chunk[100:])
	var a Answer
	w := NewWatch(func(e Event) { a.Chunk(e.Data) })
	b.ReportAllocs()
	for b.Loop() {
		if w.Write(one) != nil || w.Write(two) != nil {
			b.Fatal("refused")
		}
	}
}

// A stream of line ends alone must not be searched over and over.
func BenchmarkWatchCRs(b *testing.B) {
	piece := bytes.Repeat([]byte("\r"), 32<<10)
	w := NewWatch(func(Event) {})
	b.SetBytes(int64(len(piece)))
	for b.Loop() {
		if err := w.Write(piece); err != nil {
			b.Fatal(err)
		}
	}
}
