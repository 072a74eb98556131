package telemetry

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// collectorServer is a collector that keeps what it gets.
type collectorServer struct {
	collector.UnimplementedTraceServiceServer
	answer func(context.Context) (*collector.ExportTraceServiceResponse, error)

	mu       sync.Mutex
	requests []*collector.ExportTraceServiceRequest
}

func (c *collectorServer) Export(ctx context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	c.requests = append(c.requests, r)
	c.mu.Unlock()
	if c.answer != nil {
		return c.answer(ctx)
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// serveGRPC starts c on a TCP port or, with a path, on a unix socket.
func serveGRPC(t *testing.T, c *collectorServer, network, address string) string {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, c)
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	t.Cleanup(func() { server.Stop(); <-served })
	return ln.Addr().String()
}

// openFor opens telemetry with these variables, for the stock exporters too.
func openFor(t *testing.T, variables map[string]string) *Telemetry {
	t.Helper()
	for name, value := range variables {
		t.Setenv(name, value)
	}
	tel, err := Open(context.Background(), Options{Service: "orders", Version: "1.2.3", Getenv: func(name string) string { return variables[name] }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = tel.Shutdown(ctx)
	})
	return tel
}

// makeSpans ends n spans in two scopes.
func makeSpans(tel *Telemetry, n int) {
	for i := range n {
		tracer := tel.Tracer()
		if i%2 == 1 {
			tracer = tel.TracerProvider().Tracer("library", trace.WithInstrumentationVersion("2"), trace.WithSchemaURL("https://example.org/1"), trace.WithInstrumentationAttributes(attribute.Bool("own", true)))
		}
		_, span := tracer.Start(context.Background(), "GET /orders/{id}", trace.WithSpanKind(trace.SpanKindServer))
		span.SetAttributes(HTTPResponseStatusCode.Int(200), attribute.StringSlice("list", []string{"a", "b"}))
		span.End()
	}
}

func checkReceived(t *testing.T, c *collectorServer) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.requests) != 1 || len(c.requests[0].ResourceSpans) != 1 {
		t.Fatalf("got %v, want one request with one resource", c.requests)
	}
	r := c.requests[0].ResourceSpans[0]
	facts := map[string]*commonpb.AnyValue{}
	for _, kv := range r.Resource.Attributes {
		facts[kv.Key] = kv.Value
	}
	if facts["service.name"].GetStringValue() != "orders" || facts["service.version"].GetStringValue() != "1.2.3" || facts["service.instance.id"].GetStringValue() == "" {
		t.Errorf("resource %v", r.Resource)
	}
	if len(r.ScopeSpans) != 2 || r.ScopeSpans[0].Scope.Name != scopeOfOurs || len(r.ScopeSpans[0].Spans) != 2 {
		t.Fatalf("scopes %v", r.ScopeSpans)
	}
	library := r.ScopeSpans[1]
	if library.Scope.Name != "library" || library.Scope.Version != "2" || library.SchemaUrl != "https://example.org/1" || len(library.Scope.Attributes) != 1 || len(library.Spans) != 1 {
		t.Errorf("scope %v", library)
	}
	s := r.ScopeSpans[0].Spans[0]
	if s.Name != "GET /orders/{id}" || len(s.TraceId) != 16 || len(s.Attributes) != 2 || len(s.Attributes[1].Value.GetArrayValue().Values) != 2 {
		t.Errorf("span %v", s)
	}
}

func TestSpansReachACollectorOverGRPC(t *testing.T) {
	c := &collectorServer{}
	tel := openFor(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + serveGRPC(t, c, "tcp", "127.0.0.1:0"), "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_METRICS_EXPORTER": "none"})
	makeSpans(tel, 3)
	if err := tel.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	checkReceived(t, c)
	if tel.State() != "otlp grpc ok" {
		t.Error(tel.State())
	}
}

func TestSpansReachACollectorOverAUnixSocket(t *testing.T) {
	c := &collectorServer{}
	path := filepath.Join(t.TempDir(), "otlp.sock")
	serveGRPC(t, c, "unix", path)
	tel := openFor(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "unix://" + path, "OTEL_METRICS_EXPORTER": "none"})
	makeSpans(tel, 3)
	if err := tel.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	checkReceived(t, c)
}

func TestSpansReachACollectorOverHTTP(t *testing.T) {
	for _, protocol := range []string{"http/protobuf", "http/json"} {
		t.Run(protocol, func(t *testing.T) {
			c := &collectorServer{}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				request := new(collector.ExportTraceServiceRequest)
				var err error
				if protocol == "http/json" {
					// OTLP's JSON has ids in hex, which protobuf's reads as base64: 24 and 12 bytes.
					if err = protojson.Unmarshal(body, request); err == nil && len(request.ResourceSpans[0].ScopeSpans[0].Spans[0].TraceId) == 24 {
						for _, scope := range request.ResourceSpans[0].ScopeSpans {
							for _, s := range scope.Spans {
								s.TraceId = s.TraceId[:16]
							}
						}
					}
				} else {
					err = proto.Unmarshal(body, request)
				}
				if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("X-Tenant") != "a" {
					t.Errorf("%s %v: %v", r.URL, r.Header, err)
				}
				_, _ = c.Export(r.Context(), request)
			}))
			defer server.Close()
			tel := openFor(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL, "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=a",
				"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_METRICS_EXPORTER": "none",
			})
			makeSpans(tel, 3)
			if err := tel.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
			checkReceived(t, c)
		})
	}
}

func TestSpansThatACollectorRefusesAreCounted(t *testing.T) {
	c := &collectorServer{answer: func(context.Context) (*collector.ExportTraceServiceResponse, error) {
		return &collector.ExportTraceServiceResponse{PartialSuccess: &collector.ExportTracePartialSuccess{RejectedSpans: 2, ErrorMessage: "too (very) old"}}, nil
	}}
	tel := openFor(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + serveGRPC(t, c, "tcp", "127.0.0.1:0"), "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_METRICS_EXPORTER": "none"})
	makeSpans(tel, 3)
	if err := tel.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if got := tel.Dropped()[reasonRejected]; got != 2 {
		t.Errorf("%d spans counted as rejected, want 2", got)
	}
}

// A collector may be gone, hang, answer 503 or 100 MB: no caller waits, memory is
// bounded, each span is accounted for, and shutdown keeps its deadline.
func TestABrokenCollectorHurtsNobody(t *testing.T) {
	hung := make(chan struct{})
	refused, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = refused.Close()
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // accepts (the kernel does) and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })

	huge := strings.Repeat("x", 1<<20)
	overHTTP := func(handler http.HandlerFunc) string {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		return server.URL
	}
	overGRPC := func(answer func(context.Context) (*collector.ExportTraceServiceResponse, error)) string {
		return "http://" + serveGRPC(t, &collectorServer{answer: answer}, "tcp", "127.0.0.1:0")
	}
	hang := overHTTP(func(http.ResponseWriter, *http.Request) { <-hung })
	t.Cleanup(func() { close(hung) }) // before the server is closed, which waits for its handlers
	for _, test := range []struct{ name, endpoint, protocol string }{
		{"refused, gRPC", "http://" + refused.Addr().String(), "grpc"},
		{"refused, HTTP", "http://" + refused.Addr().String(), "http/protobuf"},
		{"silent, gRPC", "http://" + silent.Addr().String(), "grpc"},
		{"silent, HTTP", "http://" + silent.Addr().String(), "http/protobuf"},
		{"hung, HTTP", hang, "http/protobuf"},
		{"hung, gRPC", overGRPC(func(ctx context.Context) (*collector.ExportTraceServiceResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}), "grpc"},
		{"unavailable, HTTP", overHTTP(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }), "http/protobuf"},
		{"unavailable, gRPC", overGRPC(func(context.Context) (*collector.ExportTraceServiceResponse, error) {
			return nil, status.Error(codes.Unavailable, "later")
		}), "grpc"},
		{"100 MB, HTTP", overHTTP(func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				if _, err := io.WriteString(w, huge); err != nil {
					return
				}
			}
		}), "http/protobuf"},
		{"100 MB of error, HTTP", overHTTP(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			for range 100 {
				if _, err := io.WriteString(w, huge); err != nil {
					return
				}
			}
		}), "http/protobuf"},
		{"100 MB, gRPC", overGRPC(func(context.Context) (*collector.ExportTraceServiceResponse, error) {
			return &collector.ExportTraceServiceResponse{PartialSuccess: &collector.ExportTracePartialSuccess{ErrorMessage: strings.Repeat(huge, 100)}}, nil
		}), "grpc"},
	} {
		t.Run(test.name, func(t *testing.T) {
			const spans = 3000
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			tel := openFor(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": test.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": test.protocol,
				"OTEL_METRICS_EXPORTER": "none", "OTEL_BSP_MAX_QUEUE_SIZE": "1000", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "100",
			})
			began := time.Now()
			makeSpans(tel, spans)
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("making spans took %s", took)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			began = time.Now()
			_ = tel.Shutdown(ctx)
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("shutdown took %s", took)
			}
			lost := int64(0)
			for _, n := range tel.Dropped() {
				lost += n
			}
			if lost != spans {
				t.Errorf("%d of %d spans are accounted for: %v", lost, spans, tel.Dropped())
			}
			runtime.ReadMemStats(&after)
			allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
			if allocated > 64 && test.name != "100 MB, gRPC" { // there the server, in this process, makes the 100 MB
				t.Errorf("%d MiB were allocated", allocated)
			}
		})
	}
}

func TestMetricsForASilentCollectorDoNotHoldUpShutdown(t *testing.T) {
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	for _, protocol := range []string{"grpc", "http/protobuf"} {
		tel := openFor(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + silent.Addr().String(), "OTEL_EXPORTER_OTLP_PROTOCOL": protocol})
		attempts, err := tel.Meter().Int64Counter(MetricAttempts)
		if err != nil {
			t.Fatal(err)
		}
		attempts.Add(t.Context(), 1)
		makeSpans(tel, 3)
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		began := time.Now()
		err = tel.Shutdown(ctx)
		cancel()
		if took := time.Since(began); took > 2*time.Second || err == nil {
			t.Errorf("%s: took %s, %v", protocol, took, err)
		}
	}
}

func TestALineIsLoggedWhenExportingFailsAndWhenItWorksAgain(t *testing.T) {
	var b strings.Builder
	report := outcomes(zerolog.New(&b), "otlp")
	for _, err := range []error{nil, io.EOF, io.EOF, io.EOF, nil, nil} {
		report(err)
	}
	if got := strings.Count(b.String(), "\n"); got != 2 {
		t.Errorf("%d lines, want 2:\n%s", got, b.String())
	}
}
