package observe

import (
	"fmt"
	"testing"
)

// Names that callers make up end at a bound; those of the configuration stand
// even when they come later.
func TestConfiguredNamesStand(t *testing.T) {
	d := distinct{limit: 3}
	for i := range 10 {
		d.name(fmt.Sprintf("made-up-%d", i))
	}
	d.expect("smart")
	for name, want := range map[string]string{"smart": "smart", "made-up-1": "made-up-1", "made-up-9": other, "another": other} {
		if got := d.name(name); got != want {
			t.Errorf("%s stands as %s, want %s", name, got, want)
		}
	}
}
