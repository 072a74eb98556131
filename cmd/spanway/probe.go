package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spanway/spanway/internal/server"
)

type healthcheckCommand struct {
	Config string `help:"The daemon's configuration file; by default that of SPANWAY_CONFIG." type:"path"`
	Probe  string `help:"The probe listener; by default that of SPANWAY_PROBE, else the configuration's."`
	Ready  bool   `help:"Ask whether it is ready, not just alive."`
}

// Run asks the daemon on this machine, within two seconds.
func (c *healthcheckCommand) Run(w *world) error {
	address := cmp.Or(c.Probe, w.getenv("SPANWAY_PROBE"))
	if address == "" {
		// A file that has been broken since the daemon read it must not make the
		// daemon look dead.
		address = server.DefaultListen().Probe
		if file, err := newSource(w, c.Config, "", "").read(); err == nil {
			address = file.Listen.Probe
		}
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("the probe listener %q is no host:port", address)
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	path := "/healthz"
	if c.Ready {
		path = "/readyz"
	}
	ctx, cancel := context.WithTimeout(w.ctx, 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err != nil {
		return err
	}
	fmt.Fprint(w.stdout, string(body))
	if response.StatusCode != http.StatusOK {
		return exit(1)
	}
	return nil
}
