package config

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// must fails the test on an error of the file system.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// changed waits until a change is told and the file holds text: what came
// before the last write may be told, too.
func changed(t *testing.T, changes <-chan struct{}, path, text string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case <-changes:
			if now, err := os.ReadFile(path); err == nil && string(now) == text {
				return
			}
		case <-deadline:
			t.Fatalf("no change was told; wanted %q", text)
		}
	}
}

func TestTheWatcherSeesAWriteInPlaceARenameAndAReturn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spanway.yaml")
	must(t, os.WriteFile(path, []byte("one"), 0o600))
	changes := Watcher{Path: path, Poll: time.Hour}.Changes(t.Context())

	must(t, os.WriteFile(path, []byte("two"), 0o600)) // as long as before
	changed(t, changes, path, "two")

	must(t, os.WriteFile(path+".new", []byte("three"), 0o600))
	must(t, os.Rename(path+".new", path))
	changed(t, changes, path, "three")

	must(t, os.Remove(path))
	must(t, os.WriteFile(path, []byte("four"), 0o600))
	changed(t, changes, path, "four")
}

// As the kubelet writes a volume: the file is a link through ..data, and ..data
// is a link to a folder that a rename replaces.
func TestTheWatcherSeesAConfigMapSwap(t *testing.T) {
	volume := t.TempDir()
	version := func(name, text string) {
		must(t, os.Mkdir(filepath.Join(volume, name), 0o700))
		must(t, os.WriteFile(filepath.Join(volume, name, "spanway.yaml"), []byte(text), 0o600))
		must(t, os.Symlink(name, filepath.Join(volume, "..data_tmp")))
		must(t, os.Rename(filepath.Join(volume, "..data_tmp"), filepath.Join(volume, "..data")))
	}
	version("..v1", "one")
	path := filepath.Join(volume, "spanway.yaml")
	must(t, os.Symlink(filepath.Join("..data", "spanway.yaml"), path))
	changes := Watcher{Path: path, Poll: time.Hour}.Changes(t.Context())
	for _, text := range []string{"two", "six"} {
		version("..v-"+text, text)
		changed(t, changes, path, text)
	}
}

func TestTheWatcherPollsWhereNoEventComes(t *testing.T) {
	folder := t.TempDir()
	target := filepath.Join(t.TempDir(), "elsewhere.yaml") // in a folder that is not watched
	must(t, os.WriteFile(target, []byte("one"), 0o600))
	path := filepath.Join(folder, "spanway.yaml")
	must(t, os.Symlink(target, path))
	changes := Watcher{Path: path, Poll: time.Millisecond}.Changes(t.Context())
	must(t, os.WriteFile(target, []byte("longer"), 0o600))
	changed(t, changes, path, "longer")
}

func TestTheWatcherLooksAtFilesThatAreReadBesideIt(t *testing.T) {
	path, beside := filepath.Join(t.TempDir(), "spanway.yaml"), filepath.Join(t.TempDir(), "prices.json")
	must(t, os.WriteFile(path, []byte("one"), 0o600))
	must(t, os.WriteFile(beside, []byte("one"), 0o600))
	changes := Watcher{Path: path, Poll: time.Millisecond, Also: func() []string { return []string{beside} }}.Changes(t.Context())
	must(t, os.WriteFile(beside, []byte("longer"), 0o600))
	changed(t, changes, beside, "longer")
}

func TestTheWatcherOutlivesItsFolder(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "etc")
	must(t, os.Mkdir(folder, 0o700))
	path := filepath.Join(folder, "spanway.yaml")
	must(t, os.WriteFile(path, []byte("one"), 0o600))
	changes := Watcher{Path: path, Poll: time.Millisecond}.Changes(t.Context())
	must(t, os.RemoveAll(folder))
	must(t, os.Mkdir(folder, 0o700))
	must(t, os.WriteFile(path, []byte("back again"), 0o600))
	changed(t, changes, path, "back again")
}

func TestEventsOfOneChangeAreToldOnceAndThoseOfOtherFilesNever(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spanway.yaml")
	must(t, os.WriteFile(path, []byte("one"), 0o600))
	synctest.Test(t, func(t *testing.T) {
		events, changes := make(chan fsnotify.Event), make(chan struct{}, 10)
		w := Watcher{Path: path}
		go w.run(t.Context(), changes, w.look(), events, nil, func() {})

		events <- fsnotify.Event{Name: filepath.Join(filepath.Dir(path), "other")}
		time.Sleep(time.Second)
		if len(changes) != 0 {
			t.Error("another file's event was told")
		}
		events <- fsnotify.Event{Name: path}
		events <- fsnotify.Event{Name: path}
		time.Sleep(time.Second)
		if len(changes) != 1 {
			t.Errorf("one change was told %d times", len(changes))
		}
	})
}
