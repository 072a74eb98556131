package server_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/spanway/spanway/internal/server"
)

func TestASocketFileIsTakenOverFromTheDeadOnly(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, path string)
		taken   bool
	}{
		{"nothing is there", func(*testing.T, string) {}, true},
		{"a dead process left it", func(t *testing.T, path string) {
			t.Helper()
			ln, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			ln.(*net.UnixListener).SetUnlinkOnClose(false)
			_ = ln.Close()
		}, true},
		{"another process answers", func(t *testing.T, path string) {
			t.Helper()
			ln, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = ln.Close() })
		}, false},
		{"a file that is no socket", func(t *testing.T, path string) {
			t.Helper()
			if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"a link to such a file", func(t *testing.T, path string) {
			t.Helper()
			if err := os.WriteFile(path+".real", []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(path+".real", path); err != nil {
				t.Fatal(err)
			}
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder, err := os.MkdirTemp("", "s") //nolint:usetesting // the path of a socket must be short
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(folder) })
			path := filepath.Join(folder, "data.sock")
			c.prepare(t, path)
			before, _ := os.ReadFile(path)
			ln, err := server.Bind(t.Context(), "unix://"+path)
			if (err == nil) != c.taken {
				t.Errorf("bind: %v", err)
			}
			if err == nil {
				_ = ln.Close()
			} else if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Errorf("the file holds %q, held %q", after, before)
			}
		})
	}
}
