package assemble_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/spanway/spanway/internal/assemble"
	"github.com/spanway/spanway/internal/config"
	"github.com/spanway/spanway/internal/gatewaytest"
	"github.com/spanway/spanway/internal/observe"
	"github.com/spanway/spanway/internal/policy"
	"github.com/spanway/spanway/internal/server"
	"github.com/spanway/spanway/internal/upstream"
	"github.com/spanway/spanway/telemetry"
	"github.com/spanway/spanway/telemetry/telemetrytest"
)

// world is the whole program but its edge: clients and upstreams are connected
// by pipes, so that it runs in a bubble of testing/synctest.
type world struct {
	t          testing.TB
	file       *config.File
	generation *assemble.Generation
	server     *server.Server
	listener   *gatewaytest.Listener
	upstream   *gatewaytest.Provider
	dial       func(context.Context) (net.Conn, error) // in place of the upstream's, where it is set
	recorder   *telemetrytest.Recorder
	memory     *policy.Memory
	log        text
}

// newWorld starts the program with a configuration and an upstream that does as
// its script says.
func newWorld(t testing.TB, yaml, script string, getenv func(string) string, level zerolog.Level) *world {
	t.Helper()
	file, err := config.Parse("spanway.yaml", []byte(yaml), getenv)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, file: file, listener: gatewaytest.NewListener(), upstream: gatewaytest.NewProvider(t, script)}
	measured, recorder := telemetrytest.New(t)
	w.recorder = recorder
	log := telemetry.Logger(&w.log, level)
	observer := observe.New(observe.Options{
		Telemetry: measured, Log: log, Names: telemetry.GenAI(file.Telemetry.GenAIConventions),
		Incoming: func() observe.Incoming { return observe.Incoming(file.Telemetry.Incoming) },
		Prices:   func() observe.Prices { return file.LLM.Table },
	})
	w.memory = policy.NewMemory(int64(file.Limits.Buffered))
	seed := rand.Uint64()
	t.Logf("the seed of the faults is %d", seed)
	pools := upstream.NewPools(upstream.Options{Dial: w.dialUpstream})
	w.generation, err = assemble.New(file, &assemble.Process{Observer: observer, Pools: pools, Memory: w.memory, Faults: policy.NewFaults(seed),
		Budgets: new(policy.Budgets), Jitter: half, Breakers: new(policy.Breakers), Limiters: new(policy.Limiters), Paces: new(policy.Paces)})
	if err != nil {
		t.Fatal(err)
	}
	w.server = server.New(func() *server.Live { return w.generation.Live }, log)
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(w.listener) }()
	t.Cleanup(func() {
		w.server.Drain(0, time.Millisecond)
		_ = w.listener.Close() // Drain has closed it, if all went well
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		w.generation.Close()
		pools.Close()
	})
	return w
}

// half is chance in scenarios: a backoff is half of what it may be.
func half(most time.Duration) time.Duration { return most / 2 }

// dialUpstream gives the upstream's connections an address, as sockets have one.
func (w *world) dialUpstream(ctx context.Context, network, address string) (net.Conn, error) {
	if w.dial != nil {
		return w.dial(ctx)
	}
	conn, err := w.upstream.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return gatewaytest.Addressed(conn, netip.MustParseAddrPort("127.0.0.1:8000")), nil
}

// text is a log that several goroutines write.
type text struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buffer.Write(p)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buffer.String()
}
