package llm

// Output is a model's whole answer, in the middle.
type Output struct {
	ID      string
	Model   string
	Choices []Choice // never empty
	Usage   Usage
}

// Choice is one of the answers.
type Choice struct {
	Index  int
	Parts  []Part // Text, Thinking, Refusal and ToolCall, in the order in which they came
	Finish Finish
}

// Finish says why an answer ended.
type Finish string

// The reasons, in OpenAI's words. A reason that a dialect does not know is
// FinishStop, never an error; "" is not said yet.
const (
	FinishStop   Finish = "stop"
	FinishLength Finish = "length"
	FinishTools  Finish = "tool_calls"
	FinishFilter Finish = "content_filter"
)

// Delta is one step of a streamed answer, in the middle. A stream is one Start;
// then pieces of choices; for each choice a FinishDelta; any number of
// UsageDeltas, of which the last holds; one End. Instead of the rest there may be
// one Failed, after which nothing comes. A provider that leaves something out has
// its listener say it; speakers may rely on the order, but must take a choice
// that never finishes, and usage that never comes.
type Delta struct {
	Kind   DeltaKind
	Choice int // of all kinds but Start, UsageDelta, End and Failed

	Text  string // of TextDelta, ThinkingDelta, RefusalDelta and ArgumentsDelta: the next piece; of SignatureDelta and RedactedDelta: the whole
	Call  int    // of CallStart and ArgumentsDelta: which of the choice's tool calls, from 0. Their pieces may interleave
	ID    string // of Start: of the answer; of CallStart: of the call
	Name  string // of CallStart: of the tool
	Model string // of Start

	Finish  Finish   // of FinishDelta
	Usage   Usage    // of UsageDelta: all that is known by now
	Failure *Failure // of Failed
}

// DeltaKind says what a step is.
type DeltaKind int

// The kinds of steps.
const (
	Start DeltaKind = iota + 1
	TextDelta
	ThinkingDelta
	SignatureDelta // ends a piece of thinking
	RedactedDelta  // a whole piece of thinking that may not be read
	RefusalDelta
	CallStart
	ArgumentsDelta
	FinishDelta
	UsageDelta
	End
	Failed
	Awake // nothing is said, and the provider is there: connections stay open for it. No speaker hears it
)
