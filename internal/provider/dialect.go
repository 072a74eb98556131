package provider

import (
	"net/http"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// dialect is one way to spell a chat, as callers use it and as providers do: a
// file, and a value, each. Between two of them stands the one in the middle,
// package llm's Prompt, Output and Delta.
//
// Where a provider speaks as its caller does, none but native, path, header,
// answer and event is asked, and the bytes pass.
type dialect interface {
	gateway.Dialect // how errors are told to a caller

	// word is the dialect's name in the configuration and in traces.
	word() llm.Dialect

	questions
	answers
	provided
}

// questions is how a dialect asks: read from a caller, written for a provider.
type questions interface {
	// prompt reads the body of a call, which has been scanned. The error is a
	// [*llm.FieldError].
	prompt(body []byte) (*llm.Prompt, error)
	// appendPrompt writes the body for a provider, and says which fields it had to
	// leave out, by the names that OpenAI's chat has for them; of Prompt.Own, by
	// those that they have there. The caller decides whether that is an error.
	appendPrompt(to []byte, p *llm.Prompt) (body []byte, cannot []string)
	// spelling returns the caller's name of a field that appendPrompt left out.
	spelling(field string) string
}

// answers is how a dialect answers: read from a provider, written for a caller.
type answers interface {
	// output reads a whole answer that answer has found to be one.
	output(body []byte) (*llm.Output, error)
	// appendOutput writes a whole answer to what was asked.
	appendOutput(to []byte, asked *llm.Prompt, out *llm.Output) []byte
	// listener reads one stream of a provider.
	listener() listener
	// speaker writes one stream for a caller.
	speaker(asked *llm.Prompt) speaker

	// sign adds what callers expect in an answer's headers.
	sign(call *gateway.Call, header http.Header)
	// appendFailure writes a provider's failure as it would have come from one that
	// speaks this dialect, with the status that it is sent with.
	appendFailure(to []byte, status int, failure *llm.Failure) []byte
}

// provided is how a provider is spoken to, and what is learned of its answers as
// they pass.
type provided interface {
	// native reports whether calls in a caller's dialect go to such a provider as
	// they are: its own, and others that it takes beside.
	native(caller gateway.Dialect, op llm.Operation) bool
	// path returns where an operation is asked for, behind the upstream's URL, which
	// ends in "/v1" or the like; "" where there is no such place.
	path(op llm.Operation) string
	// header adds what the dialect wants in each call's headers. Credentials are
	// the upstream's.
	header(call *gateway.Call, to http.Header)
	// answer reads of a whole answer what the gateway needs to know; the failure is
	// not nil where it is a provider's error.
	answer(body []byte) (llm.Answer, *llm.Failure)
	// event reads of one event of a stream what the gateway needs to know. It does
	// not allocate for the common ones.
	event(learned *llm.Answer, e llm.Event) llm.Chunk
}

// listener reads the events of one stream, one by one, and says what they mean.
// Events that it does not know mean nothing. It need not say the usage, the
// failure and the end: they follow from what dialect.event finds; that the stream
// was cut is for others to see, too.
type listener interface {
	listen(e llm.Event, say func(*llm.Delta))
}

// speaker writes the events of one stream, one step after the other.
type speaker interface {
	append(to []byte, d *llm.Delta) []byte
}
