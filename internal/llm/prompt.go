package llm

// Dialect names one way to spell what is asked of a model. The words are those
// of an upstream's `dialect` in the configuration.
type Dialect string

// The dialects.
const (
	OpenAI    Dialect = "openai"    // Chat Completions, and what else is under OpenAI's /v1
	Responses Dialect = "responses" // OpenAI's Responses
	Anthropic Dialect = "anthropic" // Messages
)

// The dialect in the middle. A call whose caller and provider speak different
// dialects is read into a [Prompt], and its answer into an [Output] or into
// [Delta]s: each dialect needs to know this one beside itself, and no other.
// Where the dialects are the same, none of these is made: the bytes pass.

// Prompt is what is asked of a model.
type Prompt struct {
	Model        string
	Stream       bool
	IncludeUsage bool // the caller wants the usage at the end of a stream; always true where its dialect has no choice

	Messages    []Message
	Tools       []Tool
	ToolChoice  ToolChoice
	OneCall     bool    // at most one tool call in an answer
	Format      *Format // nil: free text
	Choices     int64   // how many answers; 0 where it is not said, which is one
	MaxTokens   *int64
	Temperature *float64 // OpenAI's scale, 0 to 2
	TopP        *float64
	TopK        *int64
	Stop        []string
	Reasoning   *Reasoning // nil: the model's own way
	User        string

	Asked []byte // the caller's body, for a dialect whose answers repeat parts of it

	// Rest are fields for which OpenAI's chat has a word and the middle has none,
	// by that word: "seed", "logprobs", "service_tier", "metadata". A provider that
	// has the same word for the same thing gets them as they are.
	Rest []Field

	// Own are fields that the caller's dialect alone has a word for, by that word.
	// No other provider can do them.
	Own []Field
}

// Field is a field of a request that is passed on as it is, or not at all.
type Field struct {
	Name  string
	Value []byte // JSON, never null
}

// Message is one turn of a conversation.
type Message struct {
	Role  Role
	Name  string // of the participant, where there is one
	Parts []Part
}

// Role says who speaks.
type Role string

// The roles. The result of a tool is a [ToolResult] part of a message FromTool.
const (
	System    Role = "system" // also what OpenAI calls developer. May stand anywhere
	User      Role = "user"
	Assistant Role = "assistant"
	FromTool  Role = "tool"
)

// Part is one piece of a message or of an answer.
type Part struct {
	Kind Kind

	Text      string // of Text, Thinking and Refusal
	Signature string // of Thinking: what its provider wants back with it
	Redacted  string // of Thinking: what its provider wants back instead of a text

	URL       string // of Image and File: where it is; "" where it is in Data
	MediaType string // of Image and File: of the Data
	Data      string // of Image and File: base64
	Detail    string // of Image: how closely to look: "low", "high"; "" is not said

	ID        string // of ToolCall and ToolResult: of the call
	Name      string // of ToolCall: of the tool. Of File: of the file
	Arguments string // of ToolCall: JSON, as the model wrote it; it need not be valid
	Parts     []Part // of ToolResult: Text, Image and File
	Failed    bool   // of ToolResult: the tool has failed
}

// Kind says what a part is.
type Kind int

// The kinds of parts.
const (
	Text Kind = iota + 1
	Image
	File
	Thinking
	Refusal
	ToolCall
	ToolResult
)

// Tool is a function that the model may ask for.
type Tool struct {
	Name        string
	Description string
	Parameters  []byte // a JSON schema; nil where there is none
	Strict      *bool  // nil: not said
}

// ToolChoice says whether the model has to call a tool.
type ToolChoice struct {
	Mode ToolMode // "" is not said
	Name string   // with OneTool
}

// ToolMode is a word of [ToolChoice].
type ToolMode string

// The modes.
const (
	AutoTool ToolMode = "auto"
	NoTool   ToolMode = "none"
	AnyTool  ToolMode = "required"
	OneTool  ToolMode = "function" // the one that is named
)

// Format is how the text of an answer must be built.
type Format struct {
	Schema      []byte // a JSON schema; nil: any JSON object
	Name        string // of the schema, where it has one
	Description string
	Strict      *bool // nil: not said
}

// Reasoning says how long a model should think before it answers.
type Reasoning struct {
	Effort string // "none", "minimal", "low", "medium", "high", "xhigh"; "" where it is said in tokens, or not at all
	Budget int64  // in tokens; 0 where it is not said
	Shown  bool   // the caller wants to read the thoughts, where its provider can show them
}
