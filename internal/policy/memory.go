package policy

import "sync/atomic"

// Memory is room for the request bodies of all calls together. Its zero value
// has no room.
type Memory struct {
	limit atomic.Int64
	used  atomic.Int64
}

// NewMemory returns room for so many bytes.
func NewMemory(limit int64) *Memory {
	m := new(Memory)
	m.limit.Store(limit)
	return m
}

// Resize changes the limit. What has been taken stays taken.
func (m *Memory) Resize(limit int64) { m.limit.Store(limit) }

// Used returns how many bytes are taken.
func (m *Memory) Used() int64 { return m.used.Load() }

// take takes n bytes, or none and reports false.
func (m *Memory) take(n int64) bool {
	for {
		used := m.used.Load()
		if used+n > m.limit.Load() {
			return false
		}
		if m.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

func (m *Memory) give(n int64) { m.used.Add(-n) }
