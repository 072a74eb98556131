package telemetry

import (
	"context"
	"io"
)

// Drawer draws finished traces as trees.
type Drawer struct{ w io.Writer }

// NewDrawer draws on w.
func NewDrawer(w io.Writer, _ func(string) string) *Drawer { return &Drawer{w: w} }

func (d *Drawer) export(context.Context, *batch) (int, error) { return 0, nil }
func (d *Drawer) shutdown(context.Context) error              { return nil }
