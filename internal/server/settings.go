package server

import (
	"time"

	"github.com/spanway/spanway/internal/check"
)

// Listen says where the daemon listens. Changing it needs a restart.
type Listen struct {
	Data    string       `yaml:"data"`    // host:port, or unix:///path; calls
	Probe   string       `yaml:"probe"`   // host:port; /healthz, /readyz, /metrics
	Control string       `yaml:"control"` // unix:///path, or loopback host:port with a token; "" is off
	Token   check.Secret `yaml:"token"`   // bearer token of the control listener; needed on TCP
}

// Limits bound what one client, and all of them together, may take.
type Limits struct {
	Body        check.Size `yaml:"body"`        // bytes of one request's body, decoded
	Upload      check.Size `yaml:"upload"`      // the same, where it passes through to a provider unread
	Head        check.Size `yaml:"head"`        // bytes of one request's line and headers
	URI         check.Size `yaml:"uri"`         // bytes of a request target
	Headers     int        `yaml:"headers"`     // header lines of one request
	Buffered    check.Size `yaml:"buffered"`    // bytes of request bodies held in memory, by all calls
	Connections int        `yaml:"connections"` // open client connections
}

// Drain says how the daemon ends.
type Drain struct {
	Notice time.Duration `yaml:"notice"` // /readyz is 503, calls are still taken
	Calls  time.Duration `yaml:"calls"`  // time for calls under way
	Flush  time.Duration `yaml:"flush"`  // time for telemetry
}

// DefaultListen, DefaultLimits and DefaultDrain are what an empty file means.
func DefaultListen() Listen { return Listen{Data: "127.0.0.1:8080", Probe: ":9090"} }

// DefaultLimits are the limits of an empty file.
func DefaultLimits() Limits {
	return Limits{Body: 10 << 20, Upload: 512 << 20, Head: 64 << 10, URI: 8 << 10, Headers: 100, Buffered: 256 << 20, Connections: 20000}
}

// DefaultDrain is the drain of an empty file.
func DefaultDrain() Drain {
	return Drain{Notice: 5 * time.Second, Calls: 60 * time.Second, Flush: 5 * time.Second}
}
