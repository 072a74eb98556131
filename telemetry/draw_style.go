package telemetry

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// style is how a trace looks on this terminal.
type style struct {
	width int
	color bool
}

// SGR codes of a terminal.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

func (st style) paint(code, text string) string {
	if !st.color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// line is a span with its place in the tree.
type line struct {
	span  *tracepb.Span
	guide string // in front of the kind
	below string // in front of its events
}

// lines walks the tree in order of start.
func (t *tree) lines() []line {
	lines := []line{{span: t.root}}
	var visit func(s *tracepb.Span, indent string)
	visit = func(s *tracepb.Span, indent string) {
		children := t.children[string(s.SpanId)]
		if len(children) > 0 {
			lines[len(lines)-1].below += "│ "
		}
		for i, child := range children {
			if len(lines) >= maxDrawnSpans {
				return
			}
			guide, next := indent+"├─ ", indent+"│  "
			if i == len(children)-1 {
				guide, next = indent+"└─ ", indent+"   "
			}
			lines = append(lines, line{span: child, guide: guide, below: next})
			visit(child, next)
		}
	}
	visit(t.root, "")
	return lines
}

// appendTree draws a whole trace: a heading, then a line for each span with its
// duration, its place in time and what matters about it.
func (st style) appendTree(text []byte, t *tree) []byte {
	lines := t.lines()
	start, end := t.root.StartTimeUnixNano, t.root.EndTimeUnixNano
	labels := 0
	for _, l := range lines {
		start, end = min(start, l.span.StartTimeUnixNano), max(end, l.span.EndTimeUnixNano)
		labels = max(labels, utf8.RuneCountInString(label(l)))
	}
	barWidth := min(24, st.width/7)
	labels = min(labels, st.width*2/5)

	text = fmt.Appendf(text, "\n%s %x\n", st.paint(bold, "trace"), t.root.TraceId)
	for _, l := range lines {
		text = st.appendLine(text, l, labels, st.bar(l.span, start, end, barWidth))
		for _, e := range l.span.Events {
			text = st.appendEvent(text, l, e)
		}
	}
	if hidden := t.spans - len(lines); hidden > 0 {
		text = fmt.Appendf(text, "   … and %d more spans\n", hidden)
	}
	return text
}

// appendLate draws a span whose trace has been drawn already.
func (st style) appendLate(text []byte, s *tracepb.Span) []byte {
	l := line{span: s, guide: "└─ "}
	text = fmt.Appendf(text, "%s %x %s\n", st.paint(bold, "trace"), s.TraceId, st.paint(dim, "(later)"))
	return st.appendLine(text, l, utf8.RuneCountInString(label(l)), "")
}

func (st style) appendSkipped(text []byte, n int) []byte {
	return fmt.Appendf(text, "\n%s\n", st.paint(dim, fmt.Sprintf("(%d more were not drawn)", n)))
}

func label(l line) string { return l.guide + kindName(l.span) + " " + printable(l.span.Name) }

func kindName(s *tracepb.Span) string { return strings.TrimPrefix(s.Kind.String(), "SPAN_KIND_") }

func (st style) appendLine(text []byte, l line, labels int, bar string) []byte {
	name := clip(label(l), labels)
	pad := strings.Repeat(" ", max(0, labels-utf8.RuneCountInString(name)))
	failed := l.span.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR
	took := duration(l.span.EndTimeUnixNano - l.span.StartTimeUnixNano)
	color := kindColor(l.span)
	if failed {
		color = red
	}

	rest := st.width - labels - 2 - 8 - utf8.RuneCountInString(bar) - 2
	what, more := split(facts(l.span), max(12, rest))
	if failed {
		what = st.paint(red, what)
	}
	guide := l.guide
	if !strings.HasPrefix(name, guide) { // so deep that the guide itself was clipped
		guide = ""
	}
	kind, rest2, _ := strings.Cut(name[len(guide):], " ")
	written := st.paint(dim, guide) + st.paint(color, kind)
	if rest2 != "" {
		written += " " + rest2
	}
	if bar != "" {
		bar = " " + st.paint(color, bar)
	}
	whole := fmt.Sprintf("%s%s  %8s%s %s", written, pad, took, bar, what)
	text = append(append(text, strings.TrimRight(whole, " ")...), '\n')
	if more != "" {
		text = fmt.Appendf(text, "%s    %s\n", st.paint(dim, l.below), clip(more, max(12, st.width-utf8.RuneCountInString(l.below)-4)))
	}
	return text
}

// split puts as many facts on the line as width allows; more goes below it.
func split(facts []string, width int) (line, more string) {
	n, used := 0, 0
	for n < len(facts) {
		next := used + utf8.RuneCountInString(facts[n])
		if n > 0 {
			next += 3
		}
		if next > width && n > 0 {
			break
		}
		used = next
		n++
	}
	return clip(strings.Join(facts[:n], " · "), width), strings.Join(facts[n:], " · ")
}

func (st style) appendEvent(text []byte, l line, e *tracepb.Span_Event) []byte {
	words := []string{printable(e.Name)}
	for _, kv := range e.Attributes {
		words = append(words, printable(strings.TrimPrefix(kv.Key, "spanway."))+"="+printable(shortValue(kv.Value)))
	}
	at := "+" + duration(max(e.TimeUnixNano, l.span.StartTimeUnixNano)-l.span.StartTimeUnixNano)
	room := st.width - utf8.RuneCountInString(l.below) - len(at) - 6
	return fmt.Appendf(text, "%s  %s %s\n", st.paint(dim, l.below), st.paint(dim, "· "+clip(strings.Join(words, " "), max(8, room))), st.paint(dim, at))
}

func kindColor(s *tracepb.Span) string {
	switch s.Kind {
	case tracepb.Span_SPAN_KIND_SERVER:
		return cyan
	case tracepb.Span_SPAN_KIND_CLIENT:
		return green
	}
	return yellow
}

// bar shows when a span ran, between start and end of the trace, to half a cell.
func (st style) bar(s *tracepb.Span, start, end uint64, width int) string {
	halves := uint64(2 * width)
	whole := max(1, end-start)
	from := (s.StartTimeUnixNano - start) * halves / whole
	to := (s.EndTimeUnixNano - start) * halves / whole
	from = min(from, halves-1)
	to = max(to, from+1) // however short, it is seen
	var b strings.Builder
	b.WriteString("▕")
	for cell := range uint64(width) {
		left := from <= 2*cell && 2*cell < to
		right := from <= 2*cell+1 && 2*cell+1 < to
		switch {
		case left && right:
			b.WriteString("█")
		case left:
			b.WriteString("▌")
		case right:
			b.WriteString("▐")
		default:
			b.WriteString(" ")
		}
	}
	b.WriteString("▏")
	return b.String()
}

// duration is short and always means the same unit for the same size.
func duration(nanoseconds uint64) string {
	d := time.Duration(nanoseconds)
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%dµs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
	case d < time.Minute:
		return fmt.Sprintf("%.2fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// clip cuts text to width characters.
func clip(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return cut(text, width-1) + "…"
}

// printable takes the teeth out of text that a stranger wrote: no escape
// sequence reaches the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '�'
		}
		return r
	}, text)
}
