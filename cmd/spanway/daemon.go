package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/attribute"

	"github.com/spanway/spanway/internal/admin"
	"github.com/spanway/spanway/internal/assemble"
	"github.com/spanway/spanway/internal/config"
	"github.com/spanway/spanway/internal/observe"
	"github.com/spanway/spanway/internal/policy"
	"github.com/spanway/spanway/internal/server"
	"github.com/spanway/spanway/internal/upstream"
	"github.com/spanway/spanway/telemetry"
)

// daemon owns what lives as long as the process, and the generation in force.
type daemon struct {
	source   source
	log      zerolog.Logger
	lines    *telemetry.LogQueue // behind log
	getenv   func(string) string
	terminal *os.File // where traces are drawn for a person; nil is nowhere

	telemetry *telemetry.Telemetry
	process   *assemble.Process
	server    *server.Server
	listeners []net.Listener
	admins    []*http.Server
	failed    chan error // a listener gave up

	started *config.File // what the listeners, limits and exporters were made from
	live    atomic.Pointer[assemble.Generation]
	reason  atomic.Pointer[string] // why the last reload failed; nil if it did not

	reloading sync.Mutex
}

// start brings up everything, in the order in which it is needed.
func (d *daemon) start(ctx context.Context) error {
	file, err := d.source.read()
	if err != nil {
		return err
	}
	d.started, d.failed = file, make(chan error, 3)
	options := telemetry.Options{
		Service: "spanway", Version: version, Getenv: d.getenv, Log: d.log, Prometheus: true, LinesDropped: d.lines.Dropped,
		Resource: []attribute.KeyValue{telemetry.SpanwayConfigHash.String(file.Hash)},
	}
	if d.terminal != nil {
		options.Terminal = d.terminal
	}
	if d.telemetry, err = telemetry.Open(ctx, options); err != nil {
		return err
	}
	observer := observe.New(observe.Options{
		Telemetry: d.telemetry, Log: d.log, Names: telemetry.GenAI(file.Telemetry.GenAIConventions),
		Incoming: func() observe.Incoming { return observe.Incoming(d.live.Load().File.Telemetry.Incoming) },
		Prices:   func() observe.Prices { return d.live.Load().File.LLM.Table },
	})
	d.process = &assemble.Process{
		Observer: observer,
		Pools:    upstream.NewPools(upstream.Options{Proxy: upstream.EnvironmentProxy(d.getenv)}),
		Memory:   policy.NewMemory(int64(file.Limits.Buffered)),
		Faults:   policy.NewFaults(rand.Uint64()),
		Budgets:  new(policy.Budgets),
		Jitter:   policy.Jitter,
		Breakers: new(policy.Breakers),
		Limiters: new(policy.Limiters),
		Paces:    new(policy.Paces),
	}
	generation, err := assemble.New(file, d.process)
	if err != nil {
		return err
	}
	d.live.Store(generation)
	if err := d.watchItself(); err != nil {
		return err
	}
	return d.listen(ctx, file)
}

// listen opens the listeners. The data listener comes last: whoever reaches it
// can be answered.
func (d *daemon) listen(ctx context.Context, file *config.File) error {
	probe := &admin.Probe{
		Unready: d.unready, Dependencies: d.dependencies, Metrics: d.telemetry.MetricsHandler(),
		Seen: func(r *http.Request, status int) {
			d.log.Debug().Str("path", r.URL.Path).Str("user_agent", r.UserAgent()).Int("status", status).Msg("probe")
		},
	}
	d.server = server.New(func() *server.Live { return d.live.Load().Live }, d.log)
	if err := d.serveAdmin(ctx, "probe", file.Listen.Probe, probe.Handler()); err != nil {
		return err
	}
	if file.Listen.Control != "" {
		control := &admin.Control{
			Token: file.Listen.Token.Reveal(), Reload: d.reload,
			Config: func() []byte { return config.Effective(d.live.Load().File) },
			Faults: func() any { return d.process.Faults.List() }, StartFault: d.process.Faults.Start, StopFault: d.process.Faults.Stop,
		}
		if err := d.serveAdmin(ctx, "control", file.Listen.Control, control.Handler()); err != nil {
			return err
		}
	}
	ln, err := server.Bind(ctx, file.Listen.Data)
	if err != nil {
		return err
	}
	d.listeners = append(d.listeners, ln)
	go func() {
		if err := d.server.Serve(ln); err != nil {
			d.failed <- err
		}
	}()
	d.announce(file, ln.Addr())
	return nil
}

func (d *daemon) serveAdmin(ctx context.Context, name, address string, h http.Handler) error {
	ln, err := server.Bind(ctx, address)
	if err != nil {
		return err
	}
	d.listeners = append(d.listeners, ln)
	s := admin.Server(h)
	d.admins = append(d.admins, s)
	go func() {
		if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			d.failed <- err
		}
	}()
	d.log.Info().Str("listener", name).Str("address", ln.Addr().String()).Msg("listening")
	return nil
}

// announce says where calls are taken and, to a newcomer, how to make one.
func (d *daemon) announce(file *config.File, address net.Addr) {
	line := d.log.Info().Str("listener", "data").Str("address", address.String()).Str("version", version).
		Str("config", file.Hash).Str("telemetry", d.telemetry.State())
	if d.source.path != "" {
		line.Str("file", d.source.path)
	}
	line.Msg("listening")
	for name, u := range file.Upstreams {
		if u.URL != "mock:" {
			continue
		}
		d.log.Warn().Str("upstream", name).Msg("the built-in mock provider answers here, and no model")
		if d.source.path == "" && address.Network() == "tcp" {
			d.log.Info().Str("try", fmt.Sprintf(tryIt, address)).Msg("no file and no provider's key were given")
		}
	}
}

const tryIt = `curl -s http://%s/v1/chat/completions -H 'Content-Type: application/json' -d '{"model":"any","messages":[{"role":"user","content":"Hello"}]}'`

// unready says why no calls should be sent here.
func (d *daemon) unready() string {
	if d.server.Draining() {
		return "draining"
	}
	return ""
}

// dependencies tells what the daemon has seen of what it needs. None of it makes
// the daemon unready: another replica would see the same.
func (d *daemon) dependencies() []admin.Dependency {
	list := d.live.Load().Dependencies()
	state := d.telemetry.State()
	list = append(list, admin.Dependency{Name: "telemetry", OK: !strings.Contains(state, "fail"), State: state})
	reload := admin.Dependency{Name: "configuration", OK: true, State: d.live.Load().File.Hash}
	if why := d.reason.Load(); why != nil {
		reload.OK, reload.State = false, "the last reload failed, "+reload.State+" stays in force"
	}
	return append(list, reload)
}

// reload reads the configuration, builds a generation of it beside the one in
// force, and swaps them. If any of it fails, nothing has changed. The same bytes
// and secrets again are no reload.
func (d *daemon) reload() (changed bool, err error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	old, failed := d.live.Load(), d.reason.Load()
	file, err := d.source.read()
	if err == nil && failed == nil && reflect.DeepEqual(file, old.File) {
		return false, nil
	}
	var generation *assemble.Generation
	if err == nil {
		generation, err = assemble.New(file, d.process)
	}
	if err != nil {
		why := err.Error()
		d.reason.Store(&why)
		if failed == nil || *failed != why { // an editor saves more than once
			d.log.Error().Str("in_force", old.File.Hash).Str("error", why).Msg("the configuration was not reloaded")
		}
		return false, err
	}
	d.live.Store(generation)
	old.Close()
	d.reason.Store(nil)
	line := d.log.Info().Str("config", file.Hash).Str("before", old.File.Hash)
	if needs := restart(d.started, file); len(needs) > 0 {
		line.Strs("needs_restart", needs)
	}
	line.Msg("the configuration was reloaded")
	return true, nil
}

// restart names what differs from the start and holds only from the next one on.
func restart(started, now *config.File) (names []string) {
	if started.Listen != now.Listen {
		names = append(names, "listen")
	}
	if started.Limits.Connections != now.Limits.Connections {
		names = append(names, "limits.connections")
	}
	if started.Telemetry.GenAIConventions != now.Telemetry.GenAIConventions {
		names = append(names, "telemetry.genai_conventions")
	}
	return names
}

// wait returns when the program is to end, or an error when it cannot go on.
func (d *daemon) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-d.failed:
		return err
	}
}

// drain lets calls under way end. A person at a terminal need not wait for load
// balancers to notice.
func (d *daemon) drain(why error) {
	settings := d.live.Load().File.Drain
	var signalled stopped
	if errors.As(why, &signalled) && signalled.Signal == os.Interrupt {
		settings.Notice = 0
	}
	d.log.Info().Int64("calls", d.server.Active()).Dur("notice_ms", settings.Notice).Dur("calls_ms", settings.Calls).Msg("draining")
	d.server.Drain(settings.Notice, settings.Calls)
}

// stop ends what is left, telemetry last, so that it has told everything.
func (d *daemon) stop() {
	flush := server.DefaultDrain().Flush
	if generation := d.live.Load(); generation != nil {
		flush = generation.File.Drain.Flush
		generation.Close()
		d.process.Pools.Close()
	}
	if d.telemetry != nil {
		ctx, cancel := context.WithTimeout(context.Background(), max(flush, time.Millisecond))
		if err := d.telemetry.Shutdown(ctx); err != nil {
			d.log.Warn().Str("error", err.Error()).Msg("some telemetry was not delivered")
		}
		cancel()
	}
	for _, s := range d.admins {
		_ = s.Close()
	}
	for _, ln := range d.listeners {
		_ = ln.Close() // again, for those that never served
	}
	d.log.Info().Msg("stopped")
}
