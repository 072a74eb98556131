package main

import (
	"cmp"
	"fmt"
	"os"

	"github.com/spanway/spanway/internal/config"
)

// source is where the configuration comes from: a file, or the one built in.
type source struct {
	path      string // "" is the built-in one
	getenv    func(string) string
	overrides []func(*config.File)
}

// newSource takes what the flags do not say from the environment.
func newSource(w *world, path, data, probe string) source {
	s := source{path: cmp.Or(path, w.getenv("SPANWAY_CONFIG")), getenv: w.getenv}
	data = cmp.Or(data, w.getenv("SPANWAY_DATA"))
	probe = cmp.Or(probe, w.getenv("SPANWAY_PROBE"))
	if data != "" {
		s.overrides = append(s.overrides, func(f *config.File) { f.Listen.Data = data })
	}
	if probe != "" {
		s.overrides = append(s.overrides, func(f *config.File) { f.Listen.Probe = probe })
	}
	return s
}

// text returns the configuration as it stands now.
func (s source) text() (name string, text []byte, err error) {
	if s.path == "" {
		name, text = config.Embedded(s.getenv)
		return name, text, nil
	}
	text, err = os.ReadFile(s.path)
	if err != nil {
		return s.path, nil, fmt.Errorf("read the configuration: %w", err)
	}
	return s.path, text, nil
}

// read reads the configuration and checks it.
func (s source) read() (*config.File, error) {
	name, text, err := s.text()
	if err != nil {
		return nil, err
	}
	return config.Parse(name, text, s.getenv, s.overrides...)
}
