package assemble_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// What upstreams do wrong, as three clients see it: one that wants a whole
// answer of a model, one that wants a stream, and one of a service. Each must be
// told the right thing at the right time, and none may take a failure for a
// success.

const misbehaving = `
attempt: {timeout: {connect: 2s, first_token: 5s, idle: 3s, total: 30s}}
upstreams:
  openai: {url: "SCHEME://api.openai.com/v1", dialect: openai, default: true, health: {fail_after: 1, revive_in: 1h}}
  files: {url: "SCHEME://files", health: {fail_after: 1, revive_in: 1h}}
routes:
  - {name: files, prefix: /files, targets: [{upstream: files}]}
`

// shape is a client.
type shape string

const (
	whole    shape = "whole"
	streamed shape = "streamed"
	service  shape = "service"
)

var asked = map[shape]string{
	whole:    chatHead + "Content-Length: 31\r\n\r\n" + chatBody,
	streamed: chatHead + "Content-Length: 45\r\n\r\n" + `{"model":"gpt-5","stream":true,"messages":[]}`,
	service:  getFile + "\r\n",
}

// conduct is what an upstream does on a connection, once a request has come whole.
type conduct func(conn net.Conn)

func sends(text string) conduct {
	return func(conn net.Conn) {
		if text != "" { // a pipe passes nothing on, too
			_, _ = io.WriteString(conn, text) // it may be closed already
		}
	}
}

// hears reads a little, whatever it is, before it goes on.
func hears(next conduct) conduct {
	return func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4<<10))
		next(conn)
	}
}

// sendsAndHangs keeps the connection open.
func sendsAndHangs(text string) conduct {
	return func(conn net.Conn) {
		sends(text)(conn)
		_, _ = io.Copy(io.Discard, conn)
	}
}

// drips sends the first part at once, and then a piece each second.
func drips(first string, pieces ...string) conduct {
	return func(conn net.Conn) {
		sends(first)(conn)
		for _, piece := range pieces {
			time.Sleep(time.Second)
			if _, err := io.WriteString(conn, piece); err != nil {
				return
			}
		}
		_, _ = io.Copy(io.Discard, conn)
	}
}

// resetting is the gateway's end of a connection that the upstream resets where
// a polite one would close.
type resetting struct{ net.Conn }

func (r resetting) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	if err == io.EOF {
		err = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	return n, err
}

// seen is what a client was told: a status, then how the body ended.
type seen struct {
	told  string // "200", "504 upstream_timeout", "200 and an error event", "cut"
	after time.Duration
	fault bool // it counts against the upstream
}

// misbehaviour is one thing that goes wrong.
type misbehaviour struct {
	name  string
	tls   bool
	play  conduct
	reset bool
	dial  func(context.Context) (net.Conn, error)
	want  map[shape]seen
	body  string // what the client gets of it, where that is the point
}

// all is what every client is told alike.
func all(told string, after time.Duration, fault bool) map[shape]seen {
	return map[shape]seen{whole: {told, after, fault}, streamed: {told, after, fault}, service: {told, after, fault}}
}

// failed is a failure of the upstream before any answer, at once.
func failed() map[shape]seen { return all("502 upstream_failed", 0, true) }

func TestUpstreamsThatMisbehave(t *testing.T) {
	for _, m := range misbehaviours {
		for _, shape := range []shape{whole, streamed, service} {
			want, ok := m.want[shape]
			if !ok {
				continue
			}
			t.Run(m.name+"/"+string(shape), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { misbehave(t, m, shape, want) })
			})
		}
	}
}

func misbehave(t *testing.T, m misbehaviour, shape shape, want seen) {
	t.Helper()
	scheme := "http"
	if m.tls {
		scheme = "https"
	}
	w := newWorld(t, strings.ReplaceAll(misbehaving, "SCHEME", scheme), "", func(string) string { return "" }, zerolog.InfoLevel)
	requests, dials := 0, 0
	w.dial = func(ctx context.Context) (net.Conn, error) {
		dials++
		if m.dial != nil {
			return m.dial(ctx)
		}
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			if m.tls {
				m.play(far)
				return
			}
			r, err := http.ReadRequest(bufio.NewReader(far))
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			requests++
			m.play(far)
		}()
		if m.reset {
			return resetting{near}, nil
		}
		return near, nil
	}

	start := time.Now()
	told, body := tell(t, w, shape)
	got := seen{told: told, after: time.Since(start)}
	synctest.Wait()
	for _, d := range w.generation.Dependencies() {
		got.fault = got.fault || !d.OK
	}
	if got != want {
		t.Errorf("told %+v; want %+v", got, want)
	}
	if m.body != "" && m.body != body {
		t.Errorf("the client got %d bytes, and not the %d that it should", len(body), len(m.body))
	}
	if dials != 1 || requests > 1 {
		t.Errorf("%d connections were made, and %d requests sent", dials, requests)
	}
	checkTrace(t, w, want)
	time.Sleep(time.Hour) // until whoever drips or hangs has noticed
}

// checkTrace sees that the failure stands where an operator looks for it: on two
// spans, and in one line.
func checkTrace(t *testing.T, w *world, want seen) {
	t.Helper()
	if spans := w.recorder.Spans(); len(spans) != 2 {
		t.Errorf("there are %d spans", len(spans))
	}
	lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
	var line struct {
		Outcome   string `json:"outcome"`
		ErrorType string `json:"error_type"`
	}
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil || len(lines) != 1 {
		t.Fatalf("the log is %q (%v)", lines, err)
	}
	if good := want.told[0] < '4' && !strings.Contains(want.told, " and "); good != (line.Outcome == "ok") || want.fault && line.ErrorType == "" {
		t.Errorf("told %q, and the line says %+v", want.told, line)
	}
}

// tell sends the request of a client, and says what it was told.
func tell(t *testing.T, w *world, shape shape) (told, text string) {
	t.Helper()
	conn, err := w.listener.Dial(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, asked[shape]); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "cut", ""
	}
	body, err := io.ReadAll(resp.Body)
	told = fmt.Sprint(resp.StatusCode)
	var failure struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	_, event, isEvent := strings.Cut(string(body), `data: {"error":`)
	switch {
	case err != nil:
		return "cut", ""
	case isEvent && !strings.Contains(event, "[DONE]"):
		told += " and an error event"
	case json.Unmarshal(body, &failure) == nil && failure.Error.Code != "":
		told += " " + failure.Error.Code
	}
	return told, string(body)
}
