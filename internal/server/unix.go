package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// removeDead removes a socket file that nobody answers on. One that answers
// belongs to somebody, and listening will then fail.
func removeDead(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if conn, err := new(net.Dialer).DialContext(ctx, "unix", path); err == nil {
		_ = conn.Close()
		return fmt.Errorf("listen on %s: another process answers there", path)
	}
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("listen on %s: there is a file that is no socket", path)
	}
	return os.Remove(path)
}
