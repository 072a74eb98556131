package telemetry

import "go.opentelemetry.io/otel/attribute"

// Attributes of HTTP spans and metrics: OpenTelemetry's HTTP conventions, stable.
const (
	HTTPRequestMethod      attribute.Key = "http.request.method"
	HTTPRequestResendCount attribute.Key = "http.request.resend_count" // only from the second attempt on
	HTTPResponseStatusCode attribute.Key = "http.response.status_code"
	HTTPRoute              attribute.Key = "http.route"
	URLPath                attribute.Key = "url.path"
	URLScheme              attribute.Key = "url.scheme"
	URLFull                attribute.Key = "url.full"
	ServerAddress          attribute.Key = "server.address"
	ServerPort             attribute.Key = "server.port"
	ClientAddress          attribute.Key = "client.address"
	NetworkPeerAddress     attribute.Key = "network.peer.address"
	NetworkPeerPort        attribute.Key = "network.peer.port"
	NetworkProtocolVersion attribute.Key = "network.protocol.version"
	UserAgentOriginal      attribute.Key = "user_agent.original"
	ErrorType              attribute.Key = "error.type"
)

// Who is at the other end. peer.service is deprecated for service.peer.name, but
// Jaeger draws its arrow from the old one alone, so CLIENT spans carry both.
const (
	PeerService     attribute.Key = "peer.service"
	ServicePeerName attribute.Key = "service.peer.name"
)

// Attributes of store calls: the database conventions, stable; db.system is the
// old name, which Jaeger's pill reads.
const (
	DBSystemName          attribute.Key = "db.system.name"
	DBSystem              attribute.Key = "db.system"
	DBOperationName       attribute.Key = "db.operation.name"
	DBStoredProcedureName attribute.Key = "db.stored_procedure.name"
)

// Exception events: the exceptions conventions, stable.
const (
	EventException      string        = "exception"
	ExceptionType       attribute.Key = "exception.type"
	ExceptionMessage    attribute.Key = "exception.message"
	ExceptionStacktrace attribute.Key = "exception.stacktrace"
)

// The resource: the service, telemetry and k8s conventions, stable.
const (
	ServiceName          attribute.Key = "service.name"
	ServiceVersion       attribute.Key = "service.version"
	ServiceInstanceID    attribute.Key = "service.instance.id"
	TelemetrySDKName     attribute.Key = "telemetry.sdk.name"
	TelemetrySDKLanguage attribute.Key = "telemetry.sdk.language"
	TelemetrySDKVersion  attribute.Key = "telemetry.sdk.version"
	K8SPodName           attribute.Key = "k8s.pod.name"
	K8SPodUID            attribute.Key = "k8s.pod.uid"
	K8SNamespaceName     attribute.Key = "k8s.namespace.name"
	K8SNodeName          attribute.Key = "k8s.node.name"
	K8SContainerName     attribute.Key = "k8s.container.name"
)

// What no convention covers is spanway.*, ours. First what stands on the SERVER
// span; gen_ai.* never does.
const (
	SpanwayOutcome         attribute.Key = "spanway.outcome" // ok, refused, error, client_gone
	SpanwayUpstream        attribute.Key = "spanway.upstream"
	SpanwayRequestID       attribute.Key = "spanway.request_id"
	SpanwayKeyID           attribute.Key = "spanway.key.id" // the first 8 hex digits of the key's SHA-256
	SpanwayAPIVersion      attribute.Key = "spanway.api.version"
	SpanwayAttempts        attribute.Key = "spanway.attempts"
	SpanwayHedged          attribute.Key = "spanway.hedged"
	SpanwayCache           attribute.Key = "spanway.cache" // hit, miss, off
	SpanwayCostUSD         attribute.Key = "spanway.cost.usd"
	SpanwayCostUnknown     attribute.Key = "spanway.cost.unknown" // true where something was billed of which the cost is not known
	SpanwayCostSavedUSD    attribute.Key = "spanway.cost.saved_usd"
	SpanwayTokensInput     attribute.Key = "spanway.tokens.input"
	SpanwayTokensOutput    attribute.Key = "spanway.tokens.output"
	SpanwayRefusedBy       attribute.Key = "spanway.refused.by"
	SpanwayRefusedRule     attribute.Key = "spanway.refused.rule"
	SpanwayKept            attribute.Key = "spanway.kept" // why tail sampling kept the trace
	SpanwayConfigHash      attribute.Key = "spanway.config.hash"
	SpanwayStreamChunks    attribute.Key = "spanway.stream.chunks"
	SpanwayStreamDelivered attribute.Key = "spanway.stream.delivered" // where the client left, and the rest was read all the same
	SpanwayStreamMaxGap    attribute.Key = "spanway.stream.max_gap"   // s
	SpanwayStreamOutcome   attribute.Key = "spanway.stream.outcome"   // complete, truncated, stalled, client_gone, upstream_error
	SpanwayAttempt         attribute.Key = "spanway.attempt"
	SpanwayUpstreamKeyID   attribute.Key = "spanway.upstream.key.id" // where the upstream has several
	SpanwayAttemptOutcome  attribute.Key = "spanway.attempt.outcome" // won, cancelled
	SpanwayFault           attribute.Key = "spanway.fault"           // what was put in on purpose
	SpanwayBackoffReason   attribute.Key = "spanway.backoff.reason"
	SpanwayBackoffSource   attribute.Key = "spanway.backoff.source"
	SpanwaySettle          attribute.Key = "spanway.settle"
	SpanwayShadowDiff      attribute.Key = "spanway.shadow.diff"
	SpanwayShadowFields    attribute.Key = "spanway.shadow.fields"
	SpanwayFilledBy        attribute.Key = "filled_by" // of the event cache.hit
	SpanwayTraceID         attribute.Key = "trace_id"  // of the event shadow.started
	SpanwayTelemetrySignal attribute.Key = "signal"
	SpanwayTelemetryReason attribute.Key = "reason"
)

// Events, all of them ours: a decision, at the moment it was taken.
const (
	EventRouteDecided  = "route.decided"
	EventFallback      = "fallback"
	EventCacheHit      = "cache.hit"
	EventLimitRefused  = "limit.refused"
	EventShadowStarted = "shadow.started"
	EventFirstChunk    = "first_chunk"
)

// Metrics of the conventions.
const (
	MetricHTTPServerDuration = "http.server.request.duration" // s, stable
	MetricHTTPClientDuration = "http.client.request.duration" // s, stable
	MetricDBClientDuration   = "db.client.operation.duration" // s, stable
)

// Metrics of ours.
const (
	MetricOverheadDuration = "spanway.overhead.duration" // s: what the daemon itself added
	MetricAttempts         = "spanway.attempts"
	MetricBreakerState     = "spanway.breaker.state"
	MetricRefusals         = "spanway.refusals"
	MetricCacheLookups     = "spanway.cache.lookups"
	MetricCost             = "spanway.cost" // {usd}
	MetricCostUnknown      = "spanway.cost.unknown"
	MetricBudgetRemaining  = "spanway.budget.remaining"
	MetricStreamsActive    = "spanway.streams.active"
	MetricTelemetryDropped = "spanway.telemetry.dropped"
	MetricConfigReloaded   = "spanway.config.last_reload.successful" // 1 or 0
)
