package gateway

// Dialect is how a caller's API spells what the gateway itself has to say. The
// rest of a dialect, translation, belongs to package provider.
type Dialect interface {
	// Error gives the content type and the body of an error's answer.
	Error(e *Error, traceID string) (contentType string, body []byte)
	// StreamError gives the bytes that end a stream which broke after it had
	// begun; nil where the dialect cannot say it, and the connection must be cut.
	StreamError(e *Error, traceID string) []byte
}
