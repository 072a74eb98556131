package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spanway/spanway/internal/check"
)

// Faults are the experiments that were started on the control listener, and the
// dice of all faults. They belong to the process: a reload ends none, a restart
// ends all.
type Faults struct {
	allowed atomic.Bool
	list    atomic.Pointer[[]Injection] // is replaced, never changed

	mu   sync.Mutex
	dice *rand.Rand
}

// NewFaults returns no experiments, and dice that fall alike for the same seed.
func NewFaults(seed uint64) *Faults {
	return &Faults{dice: rand.New(rand.NewPCG(seed, seed))} // nothing secret hangs on it
}

// Allow says whether any pipeline has the policy, without which an experiment
// would do nothing.
func (f *Faults) Allow(allowed bool) { f.allowed.Store(allowed) }

// longest bounds experiments: one that was forgotten ends by itself.
const longest = 24 * time.Hour

// Start starts an experiment that is written as JSON: an [Injection] with an end,
// as "until" or as "for". One of the same name is replaced.
func (f *Faults) Start(text []byte) error {
	asked := struct {
		Injection
		For string `json:"for"`
	}{Injection: DefaultInjection()}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil {
		return fmt.Errorf("it must be a JSON object that says what to do: %w", err)
	}
	experiment, now := asked.Injection, time.Now()
	if asked.For != "" {
		d, err := time.ParseDuration(asked.For)
		if err != nil || !experiment.Until.IsZero() {
			return errors.New(`it must say "until" or "for", which is a duration such as 10m`)
		}
		experiment.Until = now.Add(d).UTC()
	}
	problems := check.New()
	experiment.Check(problems)
	for _, problem := range problems.All() {
		return fmt.Errorf("%s: %s", check.Place(problem.Path), problem.Text)
	}
	switch {
	case !experiment.Until.After(now) || experiment.Until.After(now.Add(longest)):
		return fmt.Errorf("it must end within the next %s", longest)
	case !f.allowed.Load():
		return errors.New("no pipeline lets faults in: write `attempt: {fault: {}}` into the file")
	}
	f.change(func(list []Injection) []Injection { return append(without(list, experiment.Name), experiment) })
	return nil
}

// Stop ends an experiment, and reports whether it was running.
func (f *Faults) Stop(name string) (stopped bool) {
	f.change(func(list []Injection) []Injection {
		left := without(list, name)
		stopped = len(left) < len(list)
		return left
	})
	return stopped
}

// List returns the experiments that are running.
func (f *Faults) List() []Injection {
	f.change(func(list []Injection) []Injection { return list })
	return append([]Injection{}, f.running()...) // also in JSON an empty list, and not nothing
}

// change replaces the list, and leaves out what has ended.
func (f *Faults) change(to func([]Injection) []Injection) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	list := slices.DeleteFunc(slices.Clone(f.running()), func(i Injection) bool { return !now.Before(i.Until) })
	list = to(list)
	f.list.Store(&list)
}

func without(list []Injection, name string) []Injection {
	return slices.DeleteFunc(slices.Clone(list), func(i Injection) bool { return i.Name == name })
}

// running may hold some that have ended.
func (f *Faults) running() []Injection {
	if list := f.list.Load(); list != nil {
		return *list
	}
	return nil
}

// chance is true for this share of the times that it is asked.
func (f *Faults) chance(share float64) bool {
	if share >= 1 {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dice.Float64() < share
}
