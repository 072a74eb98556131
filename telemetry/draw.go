package telemetry

import (
	"context"
	"io"
	"slices"
	"strconv"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Drawer is an exporter for eyes: it draws each finished trace as a tree, so
// that somebody who has installed nothing yet sees where the time went.
//
// A trace is drawn when its local root has ended, the span without a parent in
// this process. Spans that end later (a settlement, a kept copy) are drawn by
// themselves. It runs on the queue's goroutine, so that a slow terminal costs
// dropped spans and never a request.
type Drawer struct {
	w     io.Writer
	style style

	waiting map[string][]*tracepb.Span // spans by trace, until the root ends
	order   []arrival                  // of waiting, oldest first
	held    int                        // spans in waiting
	drawn   []string                   // traces drawn lately, for those that come late

	second  time.Time // since when traces are counted
	traces  int       // drawn in this second
	skipped int
}

type arrival struct {
	trace string
	at    time.Time
}

// What the drawer keeps and writes is bounded: a trace whose root never ends is
// forgotten, and a load test does not scroll by.
const (
	maxWaitingTraces   = 256
	maxWaitingSpans    = 4096
	maxWaitingTime     = 10 * time.Minute
	maxRememberedDrawn = 64
	maxDrawnPerSecond  = 20
	maxDrawnSpans      = 64 // of one trace
)

// NewDrawer draws on w, in colour if color is set and neither NO_COLOR nor
// TERM=dumb forbid it, as wide as COLUMNS says.
func NewDrawer(w io.Writer, color bool, getenv func(string) string) *Drawer {
	width, err := strconv.Atoi(getenv("COLUMNS"))
	if err != nil || width < 40 {
		width = 100
	}
	color = color && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	return &Drawer{w: w, style: style{width: width, color: color}, waiting: map[string][]*tracepb.Span{}}
}

// export implements [exporter].
func (d *Drawer) export(_ context.Context, b *batch) (rejected int, err error) {
	var roots, late []*tracepb.Span
	for i := range b.parts {
		// A decoded span shares no bytes with the batch, which is used again.
		var spans tracepb.ScopeSpans
		if err := proto.Unmarshal(b.parts[i].bytes, &spans); err != nil {
			return 0, err
		}
		for _, s := range spans.Spans {
			switch {
			case isLocalRoot(s):
				roots = append(roots, s)
			case slices.Contains(d.drawn, string(s.TraceId)):
				late = append(late, s)
			default:
				d.keep(s, time.Now())
			}
		}
	}
	var text []byte
	for _, s := range roots {
		text = d.draw(text, s)
	}
	for _, s := range late {
		if d.mayDraw() {
			text = d.style.appendLate(text, s)
		}
	}
	_, err = d.w.Write(text)
	return 0, err
}

// shutdown implements [exporter].
func (*Drawer) shutdown(context.Context) error { return nil }

// isLocalRoot: no parent, or one in another process.
func isLocalRoot(s *tracepb.Span) bool {
	return len(s.ParentSpanId) == 0 || s.Flags&flagParentRemote != 0
}

// keep holds a span until its root ends.
func (d *Drawer) keep(s *tracepb.Span, now time.Time) {
	for len(d.order) > 0 && (len(d.order) >= maxWaitingTraces || d.held >= maxWaitingSpans || now.Sub(d.order[0].at) > maxWaitingTime) {
		d.held -= len(d.waiting[d.order[0].trace])
		delete(d.waiting, d.order[0].trace)
		d.order = d.order[1:]
	}
	id := string(s.TraceId)
	if _, known := d.waiting[id]; !known {
		d.order = append(d.order, arrival{id, now})
	}
	d.waiting[id] = append(d.waiting[id], s)
	d.held++
}

// draw appends the tree under root. Spans of the same trace that belong to
// another local root stay.
func (d *Drawer) draw(text []byte, root *tracepb.Span) []byte {
	id := string(root.TraceId)
	tree := tree{root: root, children: map[string][]*tracepb.Span{}}
	rest := tree.take(d.waiting[id])
	d.held -= len(d.waiting[id]) - len(rest)
	if len(rest) > 0 {
		d.waiting[id] = rest
	} else {
		delete(d.waiting, id)
		d.order = slices.DeleteFunc(d.order, func(a arrival) bool { return a.trace == id })
	}
	if !slices.Contains(d.drawn, id) {
		if len(d.drawn) >= maxRememberedDrawn {
			d.drawn = slices.Delete(d.drawn, 0, 1)
		}
		d.drawn = append(d.drawn, id)
	}
	if !d.mayDraw() {
		return text
	}
	if d.skipped > 0 {
		text = d.style.appendSkipped(text, d.skipped)
		d.skipped = 0
	}
	return d.style.appendTree(text, &tree)
}

func (d *Drawer) mayDraw() bool {
	if now := time.Now(); now.Sub(d.second) >= time.Second {
		d.second, d.traces = now, 0
	}
	d.traces++
	if d.traces > maxDrawnPerSecond {
		d.skipped++
		return false
	}
	return true
}

// tree is a local root and what is under it.
type tree struct {
	root     *tracepb.Span
	children map[string][]*tracepb.Span // by the parent's span id, in order of start
	spans    int
}

// take keeps what descends from the root and returns the rest.
func (t *tree) take(spans []*tracepb.Span) (rest []*tracepb.Span) {
	spans = slices.Clone(spans)
	slices.SortStableFunc(spans, func(a, b *tracepb.Span) int {
		return int(int64(a.StartTimeUnixNano) - int64(b.StartTimeUnixNano))
	})
	for _, s := range spans {
		t.children[string(s.ParentSpanId)] = append(t.children[string(s.ParentSpanId)], s)
	}
	under := map[*tracepb.Span]bool{}
	var visit func(s *tracepb.Span)
	visit = func(s *tracepb.Span) {
		if under[s] {
			return // a cycle of forged ids
		}
		under[s] = true
		for _, child := range t.children[string(s.SpanId)] {
			visit(child)
		}
	}
	visit(t.root)
	t.spans = len(under)
	for _, s := range spans {
		if !under[s] {
			rest = append(rest, s)
		}
	}
	return rest
}
