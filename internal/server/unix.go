package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// removeDead removes a socket file that nobody answers on. One that answers
// belongs to somebody, and listening will then fail.
func removeDead(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("listen on %s: another process answers there", path)
	}
	info, statErr := os.Lstat(path)
	switch {
	case errors.Is(statErr, os.ErrNotExist):
		return nil
	case statErr != nil || info.Mode()&os.ModeSocket == 0:
		return fmt.Errorf("listen on %s: there is a file that is no socket", path)
	case !errors.Is(err, syscall.ECONNREFUSED): // it may be alive, and busy
		return fmt.Errorf("listen on %s: nobody can tell whether another process listens there: %w", path, err)
	}
	return os.Remove(path)
}
