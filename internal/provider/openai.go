package provider

import (
	"net/http"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// OpenAI is how callers on OpenAI's routes are spoken to: Chat Completions, and
// what else is under its /v1.
var OpenAI gateway.Dialect = openAI{}

// openAI is the dialect. Many providers speak it, each with its own accent.
type openAI struct {
	provider string // gen_ai.provider.name; "" of callers
}

func (openAI) word() llm.Dialect { return llm.OpenAI }

// native implements [dialect].
func (openAI) native(caller gateway.Dialect, _ llm.Operation) bool {
	_, ok := caller.(openAI)
	return ok
}

// path implements [dialect].
func (openAI) path(op llm.Operation) string { return openAIPaths[op] }

var openAIPaths = map[llm.Operation]string{
	llm.Chat:       "/chat/completions",
	llm.Completion: "/completions",
	llm.Embeddings: "/embeddings",
}

// header implements [dialect].
func (o openAI) header(call *gateway.Call, to http.Header) {
	if beta := call.Header["Openai-Beta"]; len(beta) > 0 {
		to["Openai-Beta"] = beta
	}
}

// sign implements [dialect]: the id of a request stands in every answer.
func (openAI) sign(*gateway.Call, http.Header) {}

// answer implements [dialect].
func (openAI) answer(body []byte) (llm.Answer, *llm.Failure) { return llm.ScanAnswer(body) }

// event implements [dialect].
func (openAI) event(learned *llm.Answer, e llm.Event) llm.Chunk { return learned.Chunk(e.Data) }

// spelling implements [dialect]: the middle's words are this dialect's.
func (openAI) spelling(field string) string { return field }

// newest reports whether a provider is OpenAI itself, whose newer models refuse
// words that everybody else goes on to use.
func (o openAI) newest() bool { return o.provider == "openai" || o.provider == "azure.ai.openai" }
