//go:build e2e

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/spanway/spanway/internal/gatewaytest"
	"github.com/spanway/spanway/telemetry/telemetrytest"
)

// TestJaegerShowsTheGoldenTraces sends what the scenarios send, through the real
// binary, a real Collector and a real Jaeger, and reads the traces back. They
// are the scenarios' own, but for the addresses of the upstreams.
// hack/e2e-jaeger.sh starts all three and says in the environment where they are.
func TestJaegerShowsTheGoldenTraces(t *testing.T) {
	for _, name := range []string{"chat", "chat_streamed", "http_service", "client_gone", "provider_429", "stream_cut"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(filepath.Join("../../internal/assemble/testdata", name+".txtar"))
			if err != nil {
				t.Fatal(err)
			}
			upstream := bridge(t, gatewaytest.NewProvider(t, section(archive, "upstream")))
			yaml := section(archive, "spanway.yaml")
			for _, host := range []string{"api.openai.com", "orders:8080"} {
				yaml = strings.ReplaceAll(yaml, "http://"+host, "http://"+upstream)
			}
			id := ask(t, startBinary(t, yaml), archive)
			want := strings.NewReplacer("server.address=api.openai.com", "server.address=127.0.0.1", "server.address=orders", "server.address=127.0.0.1").
				Replace(section(archive, "trace"))
			got := ""
			for range 150 { // what was sent a moment ago may be on its way
				if got = fromJaeger(t, id); got == want {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
			t.Errorf("Jaeger shows of trace %s\n%s\nwant\n%s", id, got, want)
		})
	}
}

// section returns the section whose name begins so.
func section(archive *txtar.Archive, name string) string {
	for _, file := range archive.Files {
		if strings.HasPrefix(file.Name, name) {
			return string(file.Data)
		}
	}
	return ""
}

// bridge opens a port in front of a scripted provider.
func bridge(t *testing.T, provider *gatewaytest.Provider) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := provider.Dial(context.Background(), "tcp", ln.Addr().String())
			if err != nil {
				t.Errorf("a script that refuses cannot be played on an open port: %v", err)
				return
			}
			go func() { _, _ = io.Copy(far, conn); _ = far.Close() }()
			go func() { _, _ = io.Copy(conn, far); _ = conn.Close() }()
		}
	}()
	return ln.Addr().String()
}

// startBinary runs SPANWAY with a configuration and returns its address.
func startBinary(t *testing.T, yaml string) (address string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "spanway.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	binary := os.Getenv("SPANWAY")
	if binary == "" {
		t.Fatal("run hack/e2e-jaeger.sh: it sets SPANWAY, JAEGER_URL and OTEL_EXPORTER_OTLP_ENDPOINT")
	}
	cmd := exec.Command(binary, "run", "--config", file, "--data", "127.0.0.1:0", "--probe", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "OPENAI_API_KEY=sk-upstream")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("spanway: %v", err)
		}
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var line struct{ Listener, Address string }
		if err := json.Unmarshal(lines.Bytes(), &line); err == nil && line.Listener == "data" {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return line.Address
		}
	}
	t.Fatal("spanway ended before it listened")
	return ""
}

// ask sends the scenario's request and returns the id of its trace.
func ask(t *testing.T, address string, archive *txtar.Archive) (traceID string) {
	t.Helper()
	parsed, err := http.ReadRequest(bufio.NewReader(strings.NewReader(section(archive, "request"))))
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(section(archive, "request"), "\n\n")
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	r, err := http.NewRequestWithContext(ctx, parsed.Method, "http://"+address+parsed.URL.String(), strings.NewReader(strings.TrimSpace(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Host, r.Header = parsed.Host, parsed.Header
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	for _, file := range archive.Files {
		if strings.Contains(file.Name, "gone after") {
			time.AfterFunc(time.Second, leave) // in the middle of a stream
		}
	}
	_, _ = io.Copy(io.Discard, answer.Body) // the scenarios say what must be in it
	parts := strings.Split(answer.Header.Get("traceresponse"), "-")
	if len(parts) != 4 {
		t.Fatalf("traceresponse is %q", answer.Header.Get("traceresponse"))
	}
	return parts[1]
}

// fromJaeger reads a trace back and prints it; "" where it is not there yet.
func fromJaeger(t *testing.T, id string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, os.Getenv("JAEGER_URL")+"/api/v3/traces/"+id, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		return ""
	}
	tree, err := telemetrytest.FromJSON(body)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}
