// Package llm is the language that the gateway speaks of models in: OpenAI's
// dialect, at the edge and between packages. It holds words and scanners and
// knows nothing of calls, wires or telemetry.
package llm

// Operation is what is asked of a model, in the words of the OpenTelemetry
// GenAI conventions (gen_ai.operation.name).
type Operation string

// The operations.
const (
	Chat       Operation = "chat"
	Completion Operation = "text_completion"
	Embeddings Operation = "embeddings"

	// Ours, for which the conventions have no word.
	CountTokens Operation = "count_tokens" // how many tokens a chat would take
	Models      Operation = "models"       // the list of models, or one of them
)

// Request is what the gateway needs to know of a request's body. It is found by
// scanning; the body itself is passed on as it came.
type Request struct {
	Model            string
	Stream           bool
	IncludeUsage     bool  // stream_options.include_usage
	MaxTokens        int64 // max_completion_tokens or max_tokens, the larger; 0 where it is not said
	Choices          int64 // n; 0 where it is not said
	Seed             *int64
	Temperature      *float64
	TopP             *float64
	FrequencyPenalty *float64
	PresencePenalty  *float64

	modelAt  int // where the value of "model" begins in the body, quotes included
	modelEnd int
	usage    usageAsked
}

// Usage counts tokens. Details are parts of the totals (OpenAI's way).
type Usage struct {
	Known      bool // false: the provider did not say
	Input      int64
	Output     int64
	CacheRead  int64
	CacheWrite int64
	Reasoning  int64
}

// Answer is what the gateway learns of a model's answer as it passes.
type Answer struct {
	ID            string
	Model         string
	FinishReasons []string // one for each choice that has ended, in the order of their ends
	Usage         Usage

	begun, ended choices // which choices a stream has spoken of, and ended
	mould        mould
}
