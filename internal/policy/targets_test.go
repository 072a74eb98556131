package policy

import (
	"fmt"
	"testing"

	"github.com/spanway/spanway/internal/gateway"
)

func TestTargetsThatCallersMakeUpTakeNoMoreThanTheirRoom(t *testing.T) {
	var known targets[*int]
	for i := range 3 * maxTargets {
		known.of(&gateway.Target{Upstream: "openai", Model: fmt.Sprint(i)}, nil, func() *int { return new(i) })
	}
	if n := len(known.all()); n != maxTargets {
		t.Errorf("%d targets are known, of at most %d", n, maxTargets)
	}
	last := known.of(&gateway.Target{Upstream: "openai", Model: fmt.Sprint(3*maxTargets - 1)}, nil, func() *int { return nil })
	if last == nil || *last != 3*maxTargets-1 {
		t.Error("the one that came last is forgotten")
	}
}
