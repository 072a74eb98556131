package main

import (
	"fmt"

	"github.com/spanway/spanway/internal/config"
)

type validateCommand struct {
	Config string `arg:"" optional:"" help:"The file; by default that of SPANWAY_CONFIG." type:"path"`
}

// Run checks a file.
func (c *validateCommand) Run(w *world) error {
	s := newSource(w, c.Config, "", "")
	if _, err := s.read(); err != nil {
		fmt.Fprintln(w.stderr, err)
		return exit(1)
	}
	name := s.path
	if name == "" {
		name = "the built-in configuration"
	}
	_, err := fmt.Fprintf(w.stdout, "%s is valid\n", name)
	return err
}

type configCommand struct {
	Schema    schemaCommand    `cmd:"" help:"Print the JSON Schema of the file."`
	Default   defaultCommand   `cmd:"" help:"Print the configuration that is used where no file is given."`
	Effective effectiveCommand `cmd:"" help:"Print a file with all defaults filled in, without secrets."`
}

type schemaCommand struct{}

// Run prints the schema.
func (schemaCommand) Run(w *world) error {
	_, err := w.stdout.Write(config.Schema())
	return err
}

type defaultCommand struct{}

// Run prints the built-in configuration.
func (defaultCommand) Run(w *world) error {
	_, text := config.Embedded(w.getenv)
	_, err := w.stdout.Write(text)
	return err
}

type effectiveCommand struct {
	Config string `arg:"" optional:"" help:"The file; by default that of SPANWAY_CONFIG." type:"path"`
}

// Run prints a file as it is understood.
func (c *effectiveCommand) Run(w *world) error {
	file, err := newSource(w, c.Config, "", "").read()
	if err != nil {
		fmt.Fprintln(w.stderr, err)
		return exit(1)
	}
	_, err = w.stdout.Write(config.Effective(file))
	return err
}
