//go:build prove

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"testing"
	"time"
)

// faults are collectors that do harm. Each returns an address.
var faults = []struct {
	name, protocol string
	start          func(t *testing.T) string
	drops          bool
}{
	{"refuses", "http/protobuf", refusing, true},
	{"refuses", "grpc", refusing, true},
	{"hangs", "http/protobuf", hanging, true},
	{"hangs", "grpc", hanging, true},
	{"answers 503", "http/protobuf", answering(func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }), true},
	{"answers with 100 MB", "http/protobuf", answering(flood), false},
	{"answers 400 with 100 MB", "http/protobuf", answering(func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadRequest); flood(w) }), true},
	{"speaks garbage", "grpc", garbage, true},
}

func refusing(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func hanging(t *testing.T) string {
	t.Helper()
	return accepting(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
}

func garbage(t *testing.T) string {
	t.Helper()
	return accepting(t, func(c net.Conn) {
		piece := make([]byte, 1<<20)
		for i := range piece {
			piece[i] = byte(i * 7)
		}
		for range 100 {
			if _, err := c.Write(piece); err != nil {
				return
			}
		}
	})
}

func accepting(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			go serve(c)
		}
	}()
	return ln.Addr().String()
}

func answering(answer func(http.ResponseWriter)) func(*testing.T) string {
	return func(t *testing.T) string {
		t.Helper()
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			_, _ = io.Copy(io.Discard, q.Body)
			answer(w)
		}))
		t.Cleanup(s.CloseClientConnections)
		return s.Listener.Addr().String()
	}
}

func flood(w http.ResponseWriter) {
	piece := make([]byte, 1<<20)
	for range 100 {
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}

// TestProveCollector: whatever the collector does, clients do not see it. Two
// daemons take turns under the same load, one with a collector that works.
func TestProveCollector(t *testing.T) {
	const rate = 300
	turns, turn := 8, length(2*time.Second, 500*time.Millisecond)
	if testing.Short() {
		turns = 3
	}
	const flush = time.Second
	settings := mocked + "drain: {flush: " + flush.String() + "}\n"
	for _, fault := range faults {
		t.Run(fault.name+" "+fault.protocol, func(t *testing.T) {
			well, _ := sink(t)
			common := []string{"OTEL_BSP_EXPORT_TIMEOUT=1000", "OTEL_BSP_SCHEDULE_DELAY=1000", "OTEL_BSP_MAX_QUEUE_SIZE=1024", "OTEL_METRIC_EXPORT_INTERVAL=1000"}
			daemons := [2]*process{
				spawn(t, settings, append(common, "OTEL_EXPORTER_OTLP_ENDPOINT="+well)...),
				spawn(t, settings, append(common, "OTEL_EXPORTER_OTLP_PROTOCOL="+fault.protocol, "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+fault.start(t))...),
			}
			var all [2]tally
			var p50s, p99s [2][]time.Duration
			for i := range 2 * (turns + 1) {
				p := daemons[i%2]
				pool := &client{address: p.data}
				var load tally
				load.drive(rate, after(turn), func(int) error { return pool.call(shortChat(), `"chat.completion"`) })
				pool.close()
				all[i%2].calls += load.calls
				for text, n := range load.failures {
					for range n {
						all[i%2].count(0, fmt.Errorf("%s", text))
					}
				}
				if i > 1 { // the first turn warms up
					p50s[i%2] = append(p50s[i%2], load.quantile(.5))
					p99s[i%2] = append(p99s[i%2], load.quantile(.99))
				}
			}
			sick := daemons[1]
			dropped := sick.metric("spanway_telemetry_dropped_total", "")
			grown := sick.peak() - daemons[0].peak()
			for _, list := range [][]time.Duration{p50s[0], p50s[1], p99s[0], p99s[1]} {
				slices.Sort(list)
			}
			middle := func(list []time.Duration) time.Duration { return list[len(list)/2] }
			// Noise is what the same daemon shows from turn to turn.
			noise := max(p99s[0][len(p99s[0])-1]-p99s[0][0], length(time.Millisecond, 4*time.Millisecond))
			sick.signal(os.Interrupt)
			how, took := sick.exit(3 * patience)
			name := "a collector that " + fault.name + " (" + fault.protocol + ")"
			provef(t, all[1].failed() == 0 && middle(p99s[1]) <= middle(p99s[0])+noise, name+" is not seen by clients",
				"%d of %d calls failed; p50 %s and p99 %s, with a good one %s and %s ± %s%s", all[1].failed(), all[1].calls,
				middle(p50s[1]), middle(p99s[1]), middle(p50s[0]), middle(p99s[0]), noise, all[1].why())
			provef(t, grown <= 32 && (dropped > 0 || !fault.drops) && how == "exit status 0" && took < flush+time.Second, name+" costs little",
				"%+.1f MiB at the peak, %.0f spans dropped and counted, the end took %s of %s: %s", grown, dropped, took.Round(time.Millisecond), flush, how)
		})
	}
}
