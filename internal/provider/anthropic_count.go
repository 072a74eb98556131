package provider

import (
	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// What a count of tokens is guessed from, where a provider cannot count.
const (
	bytesPerToken    = 4    // of English and of code; others have fewer
	tokensPerMessage = 4    // for what stands around it
	tokensPerImage   = 1500 // the most that a provider takes
	bytesPerPage     = 3000 // of a document's base64; a guess at a guess
)

// estimated answers how many tokens a chat would take, roughly.
func (x *exchange) estimated() *gateway.Reply {
	x.call.Note("dialect", "estimated")
	w := scribe(nil)
	w.begin('{')
	w.num("input_tokens", estimate(x.asked))
	w.end('}')
	reply := document(w)
	x.caller.sign(x.call, reply.Header)
	reply.Attempt, reply.Outcome = x.call.Attempt, gateway.Complete
	return reply
}

func estimate(p *llm.Prompt) int64 {
	bytes, tokens := 0, int64(0)
	for _, tool := range p.Tools {
		bytes += len(tool.Name) + len(tool.Description) + len(tool.Parameters)
	}
	if p.Format != nil {
		bytes += len(p.Format.Schema)
	}
	for i := range p.Messages {
		tokens += tokensPerMessage
		b, t := estimateParts(p.Messages[i].Parts)
		bytes, tokens = bytes+b, tokens+t
	}
	return tokens + int64(bytes+bytesPerToken-1)/bytesPerToken
}

func estimateParts(parts []llm.Part) (bytes int, tokens int64) {
	for i := range parts {
		part := &parts[i]
		switch part.Kind {
		case llm.Image:
			tokens += tokensPerImage
		case llm.File:
			tokens += tokensPerImage * int64(1+len(part.Data)/bytesPerPage)
		default:
			bytes += len(part.Text) + len(part.Name) + len(part.Arguments)
			b, t := estimateParts(part.Parts)
			bytes, tokens = bytes+b, tokens+t
		}
	}
	return bytes, tokens
}
