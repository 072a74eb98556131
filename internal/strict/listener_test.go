package strict_test

import (
	"bufio"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/spanway/spanway/internal/strict"
)

func TestAConnectionTooManyIsAnswered503AtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, strict.Options{Connections: 3})
		for range 50 { // places come back, however a connection ends
			var open []net.Conn
			for i := range 3 {
				c := s.dial()
				open = append(open, c)
				if i == 1 {
					continue // silent
				}
				write(t, c, get("/"))
				if got := read(t, bufio.NewReader(c)); got != "200 GET /" {
					t.Fatalf("connection %d: got %q", i, got)
				}
			}
			for range 5 {
				if got := s.say(); !slices.Equal(got, []string{"503 overloaded"}) {
					t.Fatalf("got %q", got)
				}
			}
			write(t, open[0], "bad\n")
			if got := answers(bufio.NewReader(open[0])); !slices.Equal(got, []string{"400 bare_lf"}) {
				t.Fatalf("got %q", got)
			}
			synctest.Wait()
			if got := s.say([]byte(good)); !slices.Equal(got, []string{"200 GET /good"}) {
				t.Fatalf("got %q", got)
			}
			for _, c := range open {
				_ = c.Close()
			}
			synctest.Wait()
		}
	})
}

func TestClosingTwiceGivesOnePlaceBack(t *testing.T) {
	pipes := newPipes()
	ln := strict.Listener(pipes, func() strict.Limits { return limits }, strict.Options{Connections: 1})
	accept := func() net.Conn {
		t.Helper()
		_, there := net.Pipe()
		go func() { pipes.conns <- there }()
		c, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	isRefused := func(c net.Conn) bool {
		_ = c.(*strict.Conn).NetConn().Close()
		b, _ := io.ReadAll(io.LimitReader(c, int64(len("REFUSED"))))
		return string(b) == "REFUSED"
	}
	first := accept()
	_, _ = first.Close(), first.Close()
	second, third := accept(), accept()
	if isRefused(second) {
		t.Error("the place did not come back")
	}
	if !isRefused(third) {
		t.Error("one place came back twice")
	}
}
