package policy

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/gateway"
)

// Fault lets attempts fail on purpose, so that all that reacts to failures can be
// tried out. Where it is not written, nothing can make an attempt fail: no
// header, and no experiment of the control listener.
type Fault struct {
	Secret check.Secret `yaml:"secret"` // signs the header x-spanway-fault; without it the header is ignored
	Inject []Injection  `yaml:"inject"`
}

// Injection is one fault, and which attempts it is put into. An empty list is
// all. It is written in the file, and sent as JSON to the control listener.
type Injection struct {
	Name      string    `yaml:"name" json:"name"`
	Do        string    `yaml:"do" json:"do"`       // such as "latency 2s"
	Share     float64   `yaml:"share" json:"share"` // of the attempts
	Routes    []string  `yaml:"routes" json:"routes,omitempty"`
	Models    []string  `yaml:"models" json:"models,omitempty"` // as callers or providers name them
	Upstreams []string  `yaml:"upstreams" json:"upstreams,omitempty"`
	Until     time.Time `yaml:"until" json:"until"` // zero, in the file only, is for ever
}

// DefaultInjection is what a fault that says nothing of itself is put into: every
// attempt.
func DefaultInjection() Injection { return Injection{Share: 1} }

// Check reports what is wrong with the settings.
func (i Injection) Check(p check.Problems) {
	if !callerForm.MatchString(i.Name) {
		p.Addf("name", "must be letters, digits, dots, dashes and underscores, such as slow-model, is %q", i.Name)
	}
	if _, err := parseTrouble(i.Do); err != nil {
		p.Addf("do", "must be one of %s, is %q", troubles, i.Do)
	}
	if !(i.Share > 0 && i.Share <= 1) { // not the other way round: it may be no number
		p.Addf("share", "must be more than 0 and at most 1, is %v", i.Share)
	}
}

// hits reports whether the fault goes into this attempt, but for chance.
func (i *Injection) hits(call *gateway.Call, now time.Time) bool {
	target := call.Attempt.Target
	switch {
	case !i.Until.IsZero() && !now.Before(i.Until):
		return false
	case len(i.Routes) > 0 && (call.Route == nil || !slices.Contains(i.Routes, call.Route.Name)):
		return false
	case len(i.Upstreams) > 0 && !slices.Contains(i.Upstreams, target.Upstream):
		return false
	case len(i.Models) == 0 || slices.Contains(i.Models, target.Model):
		return true
	}
	return call.LLM != nil && slices.Contains(i.Models, call.LLM.Model)
}

const faultHeader = "X-Spanway-Fault"

// Policy chooses the fault of an attempt. It stands within the joint, where the
// attempt is known and the caller's headers can still be read; [Fault.Wire] does
// what it has chosen.
func (f *Fault) Policy(tools Tools) gateway.Policy {
	return func(next gateway.Handler) gateway.Handler {
		return gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
			name, do := f.choose(tools.Faults, call)
			if do != "" {
				call.Attempt.Fault = do
				call.Note("fault", "injected", gateway.Fact{Key: "fault", Value: do}, gateway.Fact{Key: "by", Value: name})
			}
			if call.Header[faultHeader] != nil { // it is for us, and not for the upstream
				own := *call
				own.Header = call.Header.Clone()
				own.Header.Del(faultHeader)
				call = &own
			}
			return next.Handle(ctx, call)
		})
	}
}

// choose gives the first fault that hits: the caller's own, then those of the
// file, then the experiments that are running.
func (f *Fault) choose(experiments *Faults, call *gateway.Call) (name, do string) {
	running := experiments.running()
	if len(f.Inject)+len(running) == 0 && call.Header[faultHeader] == nil {
		return "", ""
	}
	now := time.Now()
	if do := f.asked(call.Header, now); do != "" {
		return "header", do
	}
	for _, list := range [][]Injection{f.Inject, running} {
		for i := range list {
			if list[i].hits(call, now) && experiments.chance(list[i].Share) {
				return list[i].Name, list[i].Do
			}
		}
	}
	return "", ""
}

// asked gives the fault that a caller asks for. A header that was not signed, or
// whose time is over, asks for nothing.
func (f *Fault) asked(header http.Header, now time.Time) string {
	values := header[faultHeader]
	if len(values) != 1 || f.Secret.Empty() {
		return ""
	}
	parts := strings.Split(values[0], ";")
	if len(parts) != 3 {
		return ""
	}
	until, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return ""
	}
	shown, err := hex.DecodeString(parts[2])
	if err != nil || !hmac.Equal(shown, f.sign(parts[0], until)) || now.Unix() >= until {
		return ""
	}
	if _, err := parseTrouble(parts[0]); err != nil {
		return ""
	}
	return parts[0]
}

// sign is the signature of a header, as docs/faults.md makes it with openssl.
func (f *Fault) sign(do string, until int64) []byte {
	mac := hmac.New(sha256.New, []byte(f.Secret.Reveal()))
	_, _ = mac.Write([]byte(do + ";" + strconv.FormatInt(until, 10))) // a hash takes everything
	return mac.Sum(nil)
}

// Wire does what Policy has chosen, right in front of the wire: to the dialect,
// and to all that stands before it, the upstream itself has failed.
func (f *Fault) Wire() gateway.Policy {
	return func(wire gateway.Handler) gateway.Handler {
		return gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
			if call.Attempt.Fault == "" {
				return wire.Handle(ctx, call)
			}
			t, err := parseTrouble(call.Attempt.Fault)
			if err != nil {
				return nil, err // Check, or whoever started it, has seen it
			}
			return t.make(ctx, call, wire)
		})
	}
}
