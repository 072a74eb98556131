package config

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watcher tells when a file may have changed. It watches the file's directory:
// an editor renames a new file over the old one, and Kubernetes swaps the
// symlink ..data beside it; the file that was there first sees neither.
type Watcher struct {
	Path string
	Poll time.Duration // how often to look where no event comes, as on network file systems; 0 is 10s

	// Also names files that are looked at as often, though no event tells of
	// them; nil is none.
	Also func() []string
}

// settleTime gives a writer the time to end, and makes one change of several events.
const settleTime = 100 * time.Millisecond

// Changes returns a channel that gets a value each time the file may have
// changed, is gone or is back, until ctx ends. Values do not pile up. Whether
// anything did change, the reader finds out by reading.
func (w Watcher) Changes(ctx context.Context) <-chan struct{} {
	changes := make(chan struct{}, 1)
	seen := w.look()
	notifier, err := fsnotify.NewWatcher()
	if err != nil { // the system gives no more of them; polling is left
		go w.run(ctx, changes, seen, nil, nil, func() {})
		return changes
	}
	follow := func() { _ = notifier.Add(filepath.Dir(w.Path)) } // where it fails, each poll tries again
	follow()
	go func() {
		defer notifier.Close()
		w.run(ctx, changes, seen, notifier.Events, notifier.Errors, follow)
	}()
	return changes
}

// run ends with ctx. It calls follow now and then: the folder may be a new one.
func (w Watcher) run(
	ctx context.Context, changes chan<- struct{}, seen map[string]fs.FileInfo,
	events <-chan fsnotify.Event, lost <-chan error, follow func(),
) {
	if w.Poll == 0 {
		w.Poll = 10 * time.Second
	}
	poll := time.NewTicker(w.Poll)
	defer poll.Stop()
	var settled <-chan time.Time
	touched := false // the file itself was named: what it looks like now proves nothing
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-events:
			touched = touched || filepath.Base(event.Name) == filepath.Base(w.Path)
			if settled == nil {
				settled = time.After(settleTime)
			}
			continue
		case <-lost:
			touched = true // some events were lost
			if settled == nil {
				settled = time.After(settleTime)
			}
			continue
		case <-settled:
			settled = nil
		case <-poll.C:
			follow()
		}
		now := w.look()
		if touched || !maps.EqualFunc(seen, now, same) {
			select {
			case changes <- struct{}{}:
			default: // one is waiting already
			}
		}
		touched, seen = false, now
	}
}

// look looks at all files that are watched.
func (w Watcher) look() map[string]fs.FileInfo {
	seen := map[string]fs.FileInfo{w.Path: look(w.Path)}
	if w.Also != nil {
		for _, path := range w.Also() {
			seen[path] = look(path)
		}
	}
	return seen
}

// look follows symlinks; nil is a file that is not there.
func look(path string) fs.FileInfo {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	return info
}

func same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
