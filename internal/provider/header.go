package provider

import (
	"net/http"
	"slices"
	"strings"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// asked lists the headers of a caller that go to a provider. All others stay
// here: keys and cookies, the caller's organisation and project (the account
// is ours), addresses, and what the caller's library says of itself.
var asked = []string{
	"Accept", "User-Agent", "Idempotency-Key", "X-Client-Request-Id",
	"Http-Referer", "X-Title", // by which OpenRouter names an application
}

// requestHeader returns the headers that a provider gets.
func requestHeader(call *gateway.Call) http.Header {
	header := make(http.Header, 8) // more would make it a large map, and few callers send them all
	for _, name := range asked {
		if values := call.Header[name]; len(values) > 0 {
			header[name] = values
		}
	}
	if call.Route.Operation != llm.Models {
		header["Content-Type"] = contentJSON // the body has been read, and is that
	}
	header["Accept-Encoding"] = plainly // answers are read as they pass
	if call.ID != "" {
		header["X-Request-Id"] = []string{call.ID}
	}
	return header
}

// Header values that are always the same. Nobody writes to them.
var contentJSON, plainly = []string{"application/json"}, []string{"identity"}

// private lists the headers of a provider that stay here: they speak of our
// account, set state in the caller's client, or speak for a server that is us.
var private = []string{
	"Content-Length", "Server", "Via", "Date", "Alt-Svc", "Set-Cookie", "Strict-Transport-Security", "Clear-Site-Data",
	"Openai-Organization", "Openai-Project", "Anthropic-Organization-Id", "Server-Timing", "Traceresponse", "Traceparent", "Tracestate",
	"Report-To", "Reporting-Endpoints", "Nel", "Www-Authenticate", "Location", "Refresh",
}

// requestIDs are where a provider tells its own id for a request.
var requestIDs = []string{"X-Request-Id", "Request-Id"}

// answerHeader leaves in a provider's answer the headers that its caller gets.
// The provider's own request id is worth having in a support case; it stands
// beside ours under another name.
func answerHeader(header http.Header) http.Header {
	for name := range header {
		if strings.HasPrefix(name, "Access-Control-") || slices.Contains(private, name) {
			delete(header, name)
		}
	}
	for _, name := range requestIDs {
		if id, ok := header[name]; ok {
			header["X-Upstream-Request-Id"] = id
			delete(header, name)
		}
	}
	return header
}
