package telemetry_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"go.opentelemetry.io/otel/trace"

	"github.com/spanway/spanway/telemetry"
)

// A service of ten lines, traced: with OTEL_EXPORTER_OTLP_ENDPOINT its spans go
// to a collector; without, they are drawn on the terminal.
func Example() {
	tel, err := telemetry.Open(context.Background(), telemetry.Options{
		Service: "greeter", // a real service hands in Terminal: os.Stderr, if that is one
	})
	if err != nil {
		panic(err)
	}
	defer func() { _ = tel.Shutdown(context.Background()) }()

	greet := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, span := tel.Tracer().Start(tel.Extract(r.Context(), r.Header), "GET /hello", trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		span.SetAttributes(telemetry.HTTPRequestMethod.String(r.Method), telemetry.HTTPRoute.String("/hello"))
		_, _ = fmt.Fprintln(w, "hello, in trace", trace.SpanContextFromContext(ctx).TraceID())
	})

	call := httptest.NewRequest(http.MethodGet, "/hello", http.NoBody)
	call.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	answer := httptest.NewRecorder()
	greet.ServeHTTP(answer, call)
	fmt.Print(answer.Body)
	// Output: hello, in trace 4bf92f3577b34da6a3ce929d0e0e4736
}
