package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/spanway/spanway/internal/config"
	"github.com/spanway/spanway/telemetry"
)

type runCommand struct {
	Config   string `help:"Configuration file; by default that of SPANWAY_CONFIG, else the built-in one." type:"path"`
	Data     string `help:"Data listener: host:port, or unix:///path; by default SPANWAY_DATA, else the file's." placeholder:"ADDRESS"`
	Probe    string `help:"Probe listener: host:port; by default SPANWAY_PROBE, else the file's." placeholder:"ADDRESS"`
	LogLevel string `help:"Log level: trace, debug, info, warn or error." default:"info" enum:"trace,debug,info,warn,error"`
}

// gcPercent is GOGC where it is not set. What a call leaves behind is small and
// dies with it, and what lives on is a few MiB: at Go's 100 the collector would
// run forty times a second under load, for 10 % of the CPU time. GOMEMLIMIT
// bounds the memory all the same.
const gcPercent = 400

// Run runs the daemon until its context ends, and then drains it.
func (c *runCommand) Run(w *world) error {
	if w.getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	level, err := zerolog.ParseLevel(c.LogLevel)
	if err != nil {
		return err
	}
	lines := telemetry.NewLogQueue(w.stdout)
	defer lines.Close(time.Second)
	log := telemetry.Logger(lines, level)
	d := &daemon{source: newSource(w, c.Config, c.Data, c.Probe), log: log, lines: lines, getenv: w.getenv}
	if file, ok := w.stderr.(*os.File); ok && isTerminal(file) {
		d.terminal = file
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // until the end: without it, a hangup ends the process
	defer signal.Stop(hangups)
	if err := d.start(w.ctx); err != nil {
		d.stop()
		return err
	}
	ctx, unfollow := context.WithCancel(w.ctx)
	var following sync.WaitGroup
	following.Go(func() { d.follow(ctx, hangups) })
	err = d.wait(w.ctx)
	unfollow()
	following.Wait() // a reload under way
	d.drain(context.Cause(w.ctx))
	d.stop()
	return err
}

// isTerminal reports whether a person is looking at f.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && info.Mode()&os.ModeDevice != 0 && f.Name() != os.DevNull
}

// follow reloads the configuration on SIGHUP and when its file changes.
func (d *daemon) follow(ctx context.Context, hangups <-chan os.Signal) {
	var changes <-chan struct{}
	if d.source.path != "" {
		changes = config.Watcher{Path: d.source.path, Also: func() []string { return d.live.Load().File.Files }}.Changes(ctx)
	}
	for {
		// Also at first: the file may have changed before it was watched. The reload
		// has logged what is wrong, and the last good one stays.
		_, _ = d.reload()
		select {
		case <-ctx.Done():
			return
		case <-hangups:
		case <-changes:
		}
	}
}
