package telemetry

import "go.opentelemetry.io/otel/attribute"

// Attributes of attempts to models: the GenAI conventions as last released,
// v1.41, copied by name because OpenTelemetry's Go package no longer has them.
// They stand on attempt spans only. Those that the unreleased next version
// renames are in [Names].
const (
	GenAIOperationName            attribute.Key = "gen_ai.operation.name"
	GenAIProviderName             attribute.Key = "gen_ai.provider.name"
	GenAIConversationID           attribute.Key = "gen_ai.conversation.id"
	GenAIOutputType               attribute.Key = "gen_ai.output.type"
	GenAIRequestModel             attribute.Key = "gen_ai.request.model"
	GenAIRequestStream            attribute.Key = "gen_ai.request.stream" // only when true
	GenAIRequestChoiceCount       attribute.Key = "gen_ai.request.choice.count"
	GenAIRequestSeed              attribute.Key = "gen_ai.request.seed"
	GenAIRequestMaxTokens         attribute.Key = "gen_ai.request.max_tokens"
	GenAIRequestTemperature       attribute.Key = "gen_ai.request.temperature"
	GenAIRequestTopP              attribute.Key = "gen_ai.request.top_p"
	GenAIRequestTopK              attribute.Key = "gen_ai.request.top_k"
	GenAIRequestFrequencyPenalty  attribute.Key = "gen_ai.request.frequency_penalty"
	GenAIRequestPresencePenalty   attribute.Key = "gen_ai.request.presence_penalty"
	GenAIRequestStopSequences     attribute.Key = "gen_ai.request.stop_sequences"
	GenAIRequestEncodingFormats   attribute.Key = "gen_ai.request.encoding_formats"
	GenAIResponseID               attribute.Key = "gen_ai.response.id"
	GenAIResponseModel            attribute.Key = "gen_ai.response.model"
	GenAIResponseFinishReasons    attribute.Key = "gen_ai.response.finish_reasons"
	GenAIResponseTimeToFirstChunk attribute.Key = "gen_ai.response.time_to_first_chunk" // s
	GenAIUsageInputTokens         attribute.Key = "gen_ai.usage.input_tokens"           // cached ones included
	GenAIUsageOutputTokens        attribute.Key = "gen_ai.usage.output_tokens"          // reasoning included
	GenAIUsageCacheReadTokens     attribute.Key = "gen_ai.usage.cache_read.input_tokens"
	GenAIUsageReasoningTokens     attribute.Key = "gen_ai.usage.reasoning.output_tokens"
	GenAIEmbeddingsDimensionCount attribute.Key = "gen_ai.embeddings.dimension.count"
	GenAISystemInstructions       attribute.Key = "gen_ai.system_instructions"
	GenAIInputMessages            attribute.Key = "gen_ai.input.messages"
	GenAIOutputMessages           attribute.Key = "gen_ai.output.messages"
	GenAIToolDefinitions          attribute.Key = "gen_ai.tool.definitions"
	GenAITokenType                attribute.Key = "gen_ai.token.type"     // input, output; on the v1.41 histogram
	GenAITokenModality            attribute.Key = "gen_ai.token.modality" // text, …; required on the counters of `latest`
)

// Names are the GenAI names that differ between versions of the conventions.
// An empty one does not exist in that version.
type Names struct {
	CacheCreationTokens attribute.Key

	// Metrics, histograms unless said.
	OperationDuration  string // s: of a chat, a completion
	EmbeddingsDuration string // s: of other operations
	TimeToFirstChunk   string // s
	TimePerOutputChunk string // s
	TokenUsage         string // {token}, by gen_ai.token.type
	InputTokens        string // {token}
	OutputTokens       string // {token}

	// Counters, {token}, by gen_ai.token.modality.
	InputTokensTotal, OutputTokensTotal, CacheReadTokensTotal, CacheWriteTokensTotal, ReasoningTokensTotal string
}

// The versions of the GenAI conventions that [GenAI] knows.
const (
	GenAIReleased = "v1.41"
	GenAILatest   = "latest"
)

// GenAI returns the names of a version. What it does not know is v1.41: the last
// release, and what Jaeger reads.
func GenAI(version string) Names {
	if version == GenAILatest {
		return Names{
			CacheCreationTokens:   "gen_ai.usage.cache_write.input_tokens",
			OperationDuration:     "gen_ai.client.inference.duration",
			EmbeddingsDuration:    "gen_ai.client.operation.duration",
			TimeToFirstChunk:      "gen_ai.client.inference.time_to_first_chunk",
			TimePerOutputChunk:    "gen_ai.client.inference.time_per_output_chunk",
			InputTokens:           "gen_ai.client.inference.operation.input_tokens",
			OutputTokens:          "gen_ai.client.inference.operation.output_tokens",
			InputTokensTotal:      "gen_ai.client.inference.usage.input_tokens",
			OutputTokensTotal:     "gen_ai.client.inference.usage.output_tokens",
			CacheReadTokensTotal:  "gen_ai.client.inference.usage.cache_read.input_tokens",
			CacheWriteTokensTotal: "gen_ai.client.inference.usage.cache_write.input_tokens",
			ReasoningTokensTotal:  "gen_ai.client.inference.usage.reasoning.output_tokens",
		}
	}
	return Names{
		CacheCreationTokens: "gen_ai.usage.cache_creation.input_tokens",
		OperationDuration:   "gen_ai.client.operation.duration",
		EmbeddingsDuration:  "gen_ai.client.operation.duration",
		TimeToFirstChunk:    "gen_ai.client.operation.time_to_first_chunk",
		TimePerOutputChunk:  "gen_ai.client.operation.time_per_output_chunk",
		TokenUsage:          "gen_ai.client.token.usage",
	}
}
