package policy

import (
	"context"
	"slices"
	"strings"

	"github.com/spanway/spanway/internal/gateway"
)

// Way is a target that a call may be sent to, with all that stands in front of it.
type Way struct {
	Target  *gateway.Target
	Handler gateway.Handler

	// For is the kind of failure for whose sake alone the way is there,
	// FailContextWindow or FailContentPolicy; "" is a way like any other.
	For gateway.Failure

	// Ready says in a word why the target is not to be had now; "" where it is.
	// nil is always ready.
	Ready func() string
}

// Fallbacks lists the kinds of failure that a target may be there for.
func Fallbacks() []string {
	return []string{string(gateway.FailContextWindow), string(gateway.FailContentPolicy)}
}

// Fallback sends a call to the first of its ways that is ready, and to the next
// one where that fails and another may not. by is the rule that led here. The
// caller gets the last answer; where the last target was not asked at all, that
// of the one before it.
func Fallback(by string, ways []Way) gateway.Handler {
	if len(ways) == 1 {
		only := []gateway.Fact{{Key: "upstream", Value: ways[0].Target.Upstream}, {Key: "by", Value: by}}
		return gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
			call.Note("route", "decided", only...)
			return ways[0].Handler.Handle(ctx, call)
		})
	}
	return gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
		at := decide(call, by, ways)
		var before setAside
		asked := false
		for {
			reply, err := ways[at].Handler.Handle(ctx, call)
			o := outcome{reply, err, gateway.FailureOf(reply, err)}
			next := after(ways, at, o.failure)
			if next < 0 || ctx.Err() != nil || !o.resendable(call) {
				if asked && o.failure == gateway.FailRefused {
					return before.outcome()
				}
				return reply, err
			}
			call.Note("fallback", "",
				gateway.Fact{Key: "from", Value: nameOf(ways[at].Target)},
				gateway.Fact{Key: "to", Value: nameOf(ways[next].Target)},
				gateway.Fact{Key: "why", Value: o.why()})
			if o.failure != gateway.FailRefused {
				before, asked = o.aside(), true
			}
			at = next
		}
	})
}

// after returns the way that comes next after a failure; -1 is none. One that is
// there for this kind of failure comes before all others, and after it the
// others that are there for it, too.
func after(ways []Way, at int, failure gateway.Failure) int {
	wanted := ways[at].For
	switch failure {
	case gateway.FailContextWindow, gateway.FailContentPolicy:
		wanted = failure
	case gateway.FailAuth, gateway.FailBilling, gateway.FailRateLimited, gateway.FailOverloaded, gateway.FailServer,
		gateway.FailConnect, gateway.FailFirstToken, gateway.FailIdle, gateway.FailTotal,
		gateway.FailTransport, gateway.FailProtocol, gateway.FailStreamError, gateway.FailRefused:
	default:
		return -1
	}
	for i := at + 1; i < len(ways); i++ {
		if ways[i].For == wanted {
			return i
		}
	}
	return -1
}

// decide chooses the first way, and notes which there were and why some were
// passed over. If none is ready, it is the first: a doubtful answer is better
// than a certain refusal.
func decide(call *gateway.Call, by string, ways []Way) int {
	words := make([]string, len(ways))
	chosen := -1
	for i, way := range ways {
		switch why := way.ready(); {
		case way.For != "":
			words[i] = "for_" + string(way.For)
		case why != "":
			words[i] = why
		case chosen < 0:
			chosen, words[i] = i, "chosen"
		default:
			words[i] = "next"
		}
	}
	if chosen < 0 {
		chosen = slices.IndexFunc(ways, func(w Way) bool { return w.For == "" })
	}
	var candidates strings.Builder
	for i, way := range ways {
		if i > 0 {
			candidates.WriteByte(',')
		}
		candidates.WriteString(nameOf(way.Target) + ":" + words[i])
	}
	call.Note("route", "decided",
		gateway.Fact{Key: "upstream", Value: ways[chosen].Target.Upstream},
		gateway.Fact{Key: "by", Value: by},
		gateway.Fact{Key: "candidates", Value: candidates.String()})
	return chosen
}

func (w Way) ready() string {
	if w.Ready == nil {
		return ""
	}
	return w.Ready()
}

// why is a failure in the word that a decision shows.
func (o outcome) why() string {
	if o.failure != gateway.FailRefused {
		return string(o.failure)
	}
	e := gateway.AsError(o.err)
	if e.Reason != "" {
		return e.Reason
	}
	return string(e.Code)
}

// nameOf is a target as decisions show it: openai/gpt-5, or orders.
func nameOf(target *gateway.Target) string {
	if target.Model == "" {
		return target.Upstream
	}
	return target.Upstream + "/" + target.Model
}
