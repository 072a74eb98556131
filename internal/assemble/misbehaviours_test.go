package assemble_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	ok      = "HTTP/1.1 200 OK\r\n"
	isJSON  = ok + "Content-Type: application/json\r\n"
	isSSE   = ok + "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	hints   = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
	good    = `{"id":"c","model":"gpt-5","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}]}`
	role    = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
	token   = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n"
	endMark = "data: [DONE]\n\n"
	mixed   = "\xef\xbb\xbf: a comment\r\n\r\ndata: {\"choices\":[{\"index\":0,\rdata: \"delta\":{\"content\":\"a\"}}]}\n\r\rdata\n\ndata:[DONE]\r\n\r\n"
)

// large is an event of a little more than 16 MiB, with its framing.
var large = `data: {"choices":[{"index":0,"delta":{"content":"` + strings.Repeat("a", 16<<20) + "\"}}]}\n"

// long is the length of the good answer, and so many bytes more.
func long(more int) string { return fmt.Sprintf("Content-Length: %d\r\n", len(good)+more) }

func bytewise(text string) []string { return strings.Split(text, "") }

// chunk frames a piece of a body.
func chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

const end = "0\r\n\r\n"

func blackHole(ctx context.Context) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func dialError(err error) func(context.Context) (net.Conn, error) {
	return func(context.Context) (net.Conn, error) { return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err} }
}

// only is what one client is told; the others do not ask for such a thing.
func only(one shape, told string, after time.Duration, fault bool) map[shape]seen {
	return map[shape]seen{one: {told, after, fault}}
}

// misbehaviours are those of the list of hardening: U of the wire, E of streams.
// What is not here needs real sockets, and stands in package upstream.
var misbehaviours = []misbehaviour{
	{name: "U1 refuses", dial: dialError(syscall.ECONNREFUSED), want: failed()},
	{name: "U2 resets at once", play: sends(""), reset: true, want: failed()},
	{name: "U3 resets amid the head", play: sends(ok + "Content-Le"), reset: true, want: failed()},
	{name: "U4 closes without a word", play: sends(""), want: failed()},
	{name: "U5 is a black hole", dial: blackHole, want: all("504 upstream_timeout", 2*time.Second, true)},
	{name: "U6 says nothing of TLS", tls: true, play: sendsAndHangs(""), want: all("504 upstream_timeout", 2*time.Second, true)},
	{name: "U6 speaks no TLS", tls: true, play: hears(sends("HTTP/1.1 400 Bad Request\r\n\r\n")), want: failed()},
	{name: "U7 hangs before the head", play: sendsAndHangs(""), want: all("504 upstream_timeout", 5*time.Second, true)},
	{name: "U7 hangs amid the head", play: sendsAndHangs(ok), want: all("504 upstream_timeout", 5*time.Second, true)},
	{name: "U9 drips its head", play: drips("", bytewise(isJSON)...), want: all("504 upstream_timeout", 5*time.Second, true)},
	{name: "U14 length and chunks", play: sends(ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + end), want: failed()},
	{name: "U15 two lengths", play: sends(ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"), want: failed()},
	{name: "U16 status 99", play: sends("HTTP/1.1 099 X\r\n\r\n"), want: failed()},
	{name: "U16 status 999", play: sends("HTTP/1.1 999 X\r\n\r\n"), want: failed()},
	{name: "U16 no HTTP", play: sendsAndHangs("SSH-2.0-OpenSSH_9.2\r\n"), want: failed()},
	{name: "U17 NUL in a field", play: sends(ok + "A: b\x00c\r\nContent-Length: 0\r\n\r\n"), want: failed()},
	{name: "U17 CR in a field", play: sends(ok + "A: b\rc\r\nContent-Length: 0\r\n\r\n"), want: failed()},
	{name: "U17 bare LF", play: sendsAndHangs("HTTP/1.1 200 OK\nContent-Length: 0\n\n"), want: failed()},
	{name: "U18 a field of 64 KiB and 1", play: sends(ok + "A: " + strings.Repeat("b", 64<<10+1) + "\r\n\r\n"), want: failed()},
	{name: "U19 1000 fields", play: sends(isJSON + strings.Repeat("X-A: b\r\n", 1000) + long(0) + "\r\n" + good), want: map[shape]seen{
		whole: {"200", 0, false}, service: {"200", 0, false},
	}},
	{name: "U20 one interim answer", play: sends(hints + isJSON + long(0) + "\r\n" + good), want: map[shape]seen{
		whole: {"200", 0, false}, service: {"200", 0, false},
	}},
	{name: "U20 six interim answers", play: sends(strings.Repeat(hints, 6) + isJSON + "Content-Length: 0\r\n\r\n"), want: failed()},
	{name: "U20 interim answers without an end", play: drips(strings.Repeat(hints, 3), bytewise(hints)...), want: all("504 upstream_timeout", 5*time.Second, true)},
	{name: "U21 switches protocols unasked", play: sendsAndHangs("HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), want: failed()},
	{name: "U23 204 with a body", play: sends("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"), want: map[shape]seen{
		whole: {"502 upstream_failed", 0, false}, streamed: {"502 upstream_failed", 0, false}, service: {"204", 0, false},
	}},
	{name: "U25 503 that says when", play: sends("HTTP/1.1 503 X\r\nRetry-After: 9999999999\r\nContent-Length: 0\r\n\r\n"), want: all("503", 0, false)},
	{name: "U28 redirects to a secret place", play: sends("HTTP/1.1 307 X\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"), want: map[shape]seen{
		whole: {"502 upstream_failed", 0, false}, streamed: {"502 upstream_failed", 0, false}, service: {"307", 0, false},
	}},
	{name: "U30 no such name", dial: dialError(&net.DNSError{Err: "no such host", Name: "api.openai.com", IsNotFound: true}), want: failed()},
	{name: "U30 the name server fails", dial: dialError(&net.DNSError{Err: "server misbehaving", Name: "api.openai.com", IsTemporary: true}), want: failed()},
	{name: "U30 the name server is silent", dial: dialError(&net.DNSError{Err: "i/o timeout", Name: "api.openai.com", IsTimeout: true}), want: failed()},

	// Of a whole answer of a model there is no reply before it is whole.
	{name: "U8 hangs amid the body", play: sendsAndHangs(isJSON + long(0) + "\r\n" + good[:50]), want: map[shape]seen{
		whole: {"504 upstream_timeout", 3 * time.Second, true}, service: {"cut", 3 * time.Second, true},
	}},
	{name: "U9 drips its body", play: drips(isJSON+long(0)+"\r\n", bytewise(good)...), want: map[shape]seen{
		whole: {"504 upstream_timeout", 30 * time.Second, true}, service: {"cut", 30 * time.Second, true},
	}},
	{name: "U10 its body is shorter than it says", play: sends(isJSON + long(1) + "\r\n" + good), want: map[shape]seen{
		whole: {"502 upstream_failed", 0, true}, service: {"cut", 0, true},
	}},
	{name: "U11 its body is longer than it says", play: sends(isJSON + long(0) + "\r\n" + good + "HTTP/1.1 200 OK\r\n"), want: map[shape]seen{
		whole: {"200", 0, false}, service: {"200", 0, false},
	}},
	{name: "U12 a chunk is cut off", play: sends(isJSON + "Transfer-Encoding: chunked\r\n\r\n" + chunk(good)[:60]), want: map[shape]seen{
		whole: {"502 upstream_failed", 0, true}, service: {"cut", 0, true},
	}},
	{name: "U12 the last chunk is missing", play: sends(isJSON + "Transfer-Encoding: chunked\r\n\r\n" + chunk(good)), want: map[shape]seen{
		whole: {"502 upstream_failed", 0, true}, service: {"cut", 0, true},
	}},
	{name: "U13 a chunk's size is none", play: sends(isJSON + "Transfer-Encoding: chunked\r\n\r\n" + chunk(good) + "xyz\r\n"), want: map[shape]seen{
		whole: {"502 upstream_failed", 0, true}, service: {"cut", 0, true},
	}},
	{name: "U24 it calls plain text gzip", play: sends(isJSON + "Content-Encoding: gzip\r\n" + long(0) + "\r\n" + good), want: map[shape]seen{
		whole: {"502 upstream_failed", 0, false}, service: {"200", 0, false},
	}},
	{name: "E6 a page instead of an answer", play: sends(ok + "Content-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"), want: map[shape]seen{
		whole: {"502 upstream_failed", 0, false}, streamed: {"502 upstream_failed", 0, false},
	}},
	{name: "E6 a page that is called JSON", play: sends(isJSON + "Content-Length: 6\r\n\r\n<html>"), want: only(whole, "502 upstream_failed", 0, false)},

	// Of a stream there is none before its first token, and after it only an event.
	{name: "U8 hangs before the first token", play: sendsAndHangs(isSSE + chunk(role)), want: only(streamed, "504 upstream_timeout", 5*time.Second, true)},
	{name: "U9 drips comments before the first token", play: drips(isSSE+chunk(role), slices.Repeat([]string{chunk(":\n\n")}, 100)...), want: only(streamed, "504 upstream_timeout", 5*time.Second, true)},
	{name: "U12 cut before the first token", play: sends(isSSE + chunk(role)), want: only(streamed, "502 upstream_failed", 0, true)},
	{name: "U13 a bad chunk before the first token", play: sends(isSSE + chunk(role) + "xyz\r\n"), want: only(streamed, "502 upstream_failed", 0, true)},
	{name: "E1 ends before the first token", play: sends(isSSE + chunk(role) + end), want: only(streamed, "502 upstream_failed", 0, false)},
	{name: "E6 a page that is called a stream", play: sends(isSSE + chunk("<html>") + end), want: only(streamed, "502 upstream_failed", 0, false)},
	{name: "E7 an error that is called a stream", play: sends(isSSE + chunk(`{"error":{"message":"slow down","code":"rate_limit_exceeded"}}`) + end), want: only(streamed, "429 rate_limit_exceeded", 0, false)},
	{name: "E7 an error in place of a stream", play: sends(isJSON + "Content-Length: 62\r\n\r\n" + `{"error":{"message":"slow down","code":"rate_limit_exceeded"}}`), want: only(streamed, "429 rate_limit_exceeded", 0, false)},
	{name: "E7 an error in the first event", play: sends(isSSE + chunk(role+"data: "+`{"error":{"message":"full","code":503}}`+"\n\n") + end), want: map[shape]seen{
		streamed: {"503", 0, false},
	}},
	{name: "U8 hangs after a token", play: sendsAndHangs(isSSE + chunk(token)), want: only(streamed, "200 and an error event", 3*time.Second, true)},
	{name: "U9 drips without an end", play: drips(isSSE, bytewise(chunk(token))...), want: only(streamed, "504 upstream_timeout", 5*time.Second, true)},
	{name: "U9 drips tokens", play: drips(isSSE+chunk(token), slices.Repeat([]string{chunk(token)}, 100)...), want: only(streamed, "200 and an error event", 30*time.Second, true)},
	{name: "U2 resets after a token", play: sends(isSSE + chunk(token)), reset: true, want: only(streamed, "200 and an error event", 0, true)},
	{name: "U12 cut after a token", play: sends(isSSE + chunk(token)), want: only(streamed, "200 and an error event", 0, true)},
	{name: "U12 cut amid an event", play: sends(isSSE + chunk(token+token[:20])), want: only(streamed, "200 and an error event", 0, true)},
	{name: "U13 a bad chunk after a token", play: sends(isSSE + chunk(token) + "xyz\r\n"), want: only(streamed, "200 and an error event", 0, true)},
	{name: "E1 ends without its end mark", play: sends(isSSE + chunk(token) + end), want: only(streamed, "200 and an error event", 0, false)},
	{name: "E1 closes without its end mark", play: sends(ok + "Content-Type: text/event-stream\r\n\r\n" + token), want: only(streamed, "200 and an error event", 0, false)},
	{name: "E2 an event of 16 MiB", play: sends(isSSE + chunk(large+"\n") + chunk(endMark) + end), body: large + "\n" + endMark, want: only(streamed, "200", 0, false)},
	{name: "E2 an event that has no end", play: sends(isSSE + chunk(token) + chunk(large) + chunk(large)), want: only(streamed, "200 and an error event", 0, false)},
	{name: "E3 every end of a line there is", play: sends(isSSE + chunk(mixed) + end), body: mixed, want: only(streamed, "200", 0, false)},
	{name: "E4 an event that is no JSON", play: sends(isSSE + chunk(token+"data: {nonsense\n\n"+token+endMark) + end), want: only(streamed, "200", 0, false)},
	{name: "E5 what is no UTF-8, in two chunks", play: sends(isSSE + chunk(token[:len(token)-5]+"\xe2\x82") + chunk("\xac\xff"+token[len(token)-5:]+endMark) + end), want: only(streamed, "200", 0, false)},
	{name: "E7 an error after a token", play: sends(isSSE + chunk(token+"data: "+`{"error":{"message":"full"}}`+"\n\n") + end), want: only(streamed, "200 and an error event", 0, false)},
}
