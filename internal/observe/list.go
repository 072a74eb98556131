package observe

import (
	"sync"

	"go.opentelemetry.io/otel/attribute"
)

// list is attributes on their way to a span, which copies them. They are the
// bulk of what a call would otherwise allocate.
type list struct {
	room [40]attribute.KeyValue
}

var lists = sync.Pool{New: func() any { return new(list) }}

func takeList() *list {
	return lists.Get().(*list) //nolint:forcetypeassert // New gives nothing else
}

// give gives the list back, and holds on to nothing of the n that stood in it.
func (l *list) give(n int) {
	clear(l.room[:min(n, len(l.room))])
	lists.Put(l)
}
