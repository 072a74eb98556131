// Command spanway is one way to every model provider and every HTTP service
// that an application calls, with one complete trace of each call.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set when the program is built: -ldflags "-X main.version=v1.2.3".
var version = "dev"

func main() {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		first := <-signals
		signal.Stop(signals) // from here on a second signal ends the process at once
		cancel(stopped{first})
	}()
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	var status exit
	switch {
	case errors.As(err, &status):
		os.Exit(int(status))
	case err != nil:
		fmt.Fprintln(os.Stderr, "spanway:", err)
		os.Exit(1)
	}
}

// stopped is why the program ends: somebody sent it a signal.
type stopped struct{ os.Signal }

// Error implements error.
func (s stopped) Error() string { return "stopped by " + s.String() }

// exit is an exit code whose reason has been printed.
type exit int

// Error implements error.
func (e exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// commands are the verbs of the program.
type commands struct {
	Run         runCommand         `cmd:"" help:"Run the daemon."`
	Validate    validateCommand    `cmd:"" help:"Check a configuration file and say everything that is wrong with it."`
	Config      configCommand      `cmd:"" help:"Show the configuration or its schema."`
	Healthcheck healthcheckCommand `cmd:"" help:"Ask a running daemon whether it is alive; for container health checks."`
	Smoke       smokeCommand       `cmd:"" help:"Send one chat through a running daemon, and find its trace."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
}

// world is what the program is given from outside.
type world struct {
	ctx    context.Context //nolint:containedctx // of the program as a whole
	getenv func(string) string
	stdout io.Writer
	stderr io.Writer
}

// run is the whole program, with the outside world handed in, so that a test can
// start it and stop it.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	var cli commands
	code := -1
	parser, err := kong.New(&cli,
		kong.Name("spanway"),
		kong.Description("One way to every model provider and HTTP service, and one complete trace of each call."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(status int) { code = status }),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		return err
	}
	chosen, err := parser.Parse(args)
	if code >= 0 { // help was asked for, and printed
		return exitOf(code)
	}
	if err != nil {
		fmt.Fprintln(stderr, "spanway:", err)
		return exit(2)
	}
	return chosen.Run(&world{ctx, getenv, stdout, stderr})
}

func exitOf(code int) error {
	if code == 0 {
		return nil
	}
	return exit(code)
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(w *world) error {
	_, err := fmt.Fprintln(w.stdout, "spanway", version)
	return err
}
