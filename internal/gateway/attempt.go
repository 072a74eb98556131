package gateway

import (
	"time"

	"github.com/spanway/spanway/internal/llm"
)

// Target is where a call may be sent: a service, or a provider's model.
type Target struct {
	Upstream string // the upstream's name in the configuration
	Provider string // gen_ai.provider.name, such as "openai"; "" for an ordinary service
	Model    string // the provider's name of the model; "" for an ordinary service
}

// Attempt is one sending of a call to one target, and what came of it. The
// joint in package observe makes a span of it; upstream and provider fill it in
// as they learn, also when the attempt fails.
type Attempt struct {
	Number int // from 1
	Target *Target

	// Propagate goes out with the request: traceparent and the like. The
	// caller's own headers of these names do not.
	Propagate []Fact

	Timeouts Timeouts // of the call, as policies have set them

	// Awaited is set by provider while the first token of a stream has not come:
	// until then it is FirstToken that bounds the reading, not Idle.
	Awaited bool

	// Fault is what was put in on purpose, as "error 503"; "" as a rule.
	Fault string

	// Race is how the attempt came out of a race with another one that was sent
	// beside it; "" where there was none.
	Race Race

	// What upstream learns.
	ServerAddress string // the host that was asked for
	ServerPort    int
	PeerAddress   string // the address that answered
	Reused        bool   // the connection had been used before
	KeyID         string // first 8 hex digits of the SHA-256 of the upstream's key; "" where it has but one
	Sent          bool   // some of the request may have reached the upstream
	Status        int    // 0 until its head has come
	OtherKey      bool   // the upstream has a key left beside the one that was sent: what failed for that one's sake may go again at once

	// What provider learns as the body passes.
	Answer llm.Answer
	Stream *StreamFacts // nil where the reply is no stream of events
}

// Timeouts bounds the waits of an attempt, each of them by itself. What bounds
// the whole attempt is its context. 0 is no bound.
type Timeouts struct {
	Connect    time.Duration // until a connection stands; 0 is the upstream's default
	FirstToken time.Duration // until the reply begins; of a stream, with its first token
	Idle       time.Duration // between two pieces of a reply
}

// StreamFacts says how a stream went.
type StreamFacts struct {
	First   time.Time // when the first token came
	Last    time.Time
	Chunks  int           // events with content or tool calls, not comments
	MaxGap  time.Duration // the longest silence after the first token
	Outcome Outcome

	// Delivered is how many of the chunks a client was there for that left, where
	// the rest was read all the same; 0 as a rule.
	Delivered int
}

// Race says how one of two attempts that were under way at once came out.
type Race string

// How it may come out.
const (
	Won       Race = "won"       // its reply is the call's
	Cancelled Race = "cancelled" // the other one was first
)

// Outcome says how a stream, or a reply, ended.
type Outcome string

// How a reply may end.
const (
	Complete      Outcome = "complete"
	Truncated     Outcome = "truncated"      // it ended without its end mark
	Stalled       Outcome = "stalled"        // nothing came for too long
	ClientGone    Outcome = "client_gone"    // the client closed the connection
	Drained       Outcome = "drained"        // the gateway shut down and cut it
	UpstreamError Outcome = "upstream_error" // the upstream said so, or its connection broke
	Unneeded      Outcome = "cancelled"      // another attempt's reply was taken
)
