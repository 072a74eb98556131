package strict_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/spanway/spanway/internal/strict"
)

// good is sent behind every case: it is answered if, and only if, the
// connection survived.
const good = "GET /good HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n"

// get and post are heads but for what the case adds.
func get(target string) string { return "GET " + target + " HTTP/1.1\r\nHost: gw\r\n\r\n" }

func with(headers string) string { return "GET / HTTP/1.1\r\nHost: gw\r\n" + headers + "\r\n" }

func post(headers, body string) string {
	return "POST /v1 HTTP/1.1\r\nHost: gw\r\n" + headers + "\r\n" + body
}

func chunked(body string) string { return post("Transfer-Encoding: chunked\r\n", body) }

type framingCase struct {
	name, bytes, answer string
	goesOn              bool
}

var framingCases = slices.Concat(passing, heads, lengths, targets, bodies)

var passing = []framingCase{
	{"a GET", get("/v1/x?a=1&b=%2f%0a"), "200 GET /v1/x?a=1&b=%2f%0a", true},
	{"a path of all its characters", get("/a-_~!$&'()*+,=:@.b/..c/...%C3%A9%20/"), "200 GET /a-_~!$&'()*+,=:@.b/..c/...%C3%A9%20/", true},
	{"a query as browsers write it", get("/?a[]=x|y&q={\"b\"}?/\\"), "200 GET /?a[]=x|y&q={\"b\"}?/\\", true},
	{"a body of known length", post("Content-Length: 5\r\n", "hello"), "200 POST /v1 \"hello\"", true},
	{"an empty body", post("Content-Length: 0\r\n", ""), "200 POST /v1", true},
	{"a GET with a body", "GET /v1 HTTP/1.1\r\nHost: gw\r\nContent-Length: 2\r\n\r\nhi", "200 GET /v1 \"hi\"", true},
	{"a chunked body", chunked("5\r\nhello\r\n00a\r\n, my world\r\n0\r\n\r\n"), "200 POST /v1 \"hello, my world\"", true},
	{"the coding in capitals", post("Transfer-Encoding: Chunked\r\n", "1\r\nx\r\n0\r\n\r\n"), "200 POST /v1 \"x\"", true},
	{"chunk extensions", chunked("1;a;b=c;d=\"e \\\" ;f\"\r\nx\r\n0;last\r\n\r\n"), "200 POST /v1 \"x\"", true},
	{"a trailer", chunked("1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n"), "200 POST /v1 \"x\" X-Sum=[\"1\"]", true},
	{"an announced trailer", post("Trailer: x-sum\r\nTransfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n"), "200 POST /v1 \"x\" X-Sum=[\"1\"]", true},
	{"one empty line ahead", "\r\n" + get("/"), "200 GET /", true},
	{"OPTIONS of the whole server", "OPTIONS * HTTP/1.1\r\nHost: gw\r\n\r\n", "200 OPTIONS *", true},
	{"absolute form for Host becomes origin form", "GET http://gw:80/v1?x HTTP/1.1\r\nHost: gw:80\r\n\r\n", "200 GET /v1?x", true},
	{"an IPv6 host", "GET / HTTP/1.1\r\nHost:\t[::1]:8080 \r\n\r\n", "200 GET /", true},
	{"opaque bytes in a value", with("X: \xff\tb\r\n"), "200 GET /", true},
	{"an empty value", with("X:\r\n"), "200 GET /", true},
	{"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", "200 GET /", false},
	{"an unknown expectation", with("Expect: x\r\n"), "417 ", false},
	{"a request line and 20 headers", "GET / HTTP/1.1\r\nHost: gw\r\n" + strings.Repeat("X: y\r\n", 19) + "\r\n", "200 GET /", true},
	{"a target as long as may be", get("/" + strings.Repeat("x", 1<<10-1)), "200 GET /" + strings.Repeat("x", 1<<10-1), true},
	{"a head as large as may be", with("X: " + strings.Repeat("x", 16<<10-33) + "\r\n"), "200 GET /", true},
	{"an unasked upgrade", with("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"), "200 GET /", true},
}

var heads = []framingCase{
	{"HTTP/0.9", "GET /\r\n", "400 bad_request_line", false},
	{"TLS", "\x16\x03\x01\x02\x00", "400 bad_request_line", false},
	{"two empty lines ahead", "\r\n\r\n" + get("/"), "400 bad_request_line", false},
	{"a leading space", " " + get("/"), "400 bad_request_line", false},
	{"two spaces", "GET  / HTTP/1.1\r\nHost: gw\r\n\r\n", "400 bad_request_line", false},
	{"a space in the target", get("/a b"), "400 bad_request_line", false},
	{"a tab for a space", "GET\t/ HTTP/1.1\r\nHost: gw\r\n\r\n", "400 bad_request_line", false},
	{"a space behind the version", "GET / HTTP/1.1 \r\nHost: gw\r\n\r\n", "400 bad_request_line", false},
	{"NUL in the target", get("/a\x00b"), "400 bad_request_line", false},
	{"NUL behind a bad path", get("//a\x00b"), "400 bad_request_line", false},
	{"a method that is no token", "G(T / HTTP/1.1\r\nHost: gw\r\n\r\n", "400 bad_request_line", false},
	{"http in small letters", "GET / http/1.1\r\nHost: gw\r\n\r\n", "400 bad_request_line", false},
	{"a version of letters", "GET / HTTP/1.x\r\nHost: gw\r\n\r\n", "400 bad_request_line", false},
	{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: gw\r\n\r\n", "505 bad_version", false},
	{"HTTP/2.0", "GET / HTTP/2.0\r\nHost: gw\r\n\r\n", "505 bad_version", false},
	{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400 http2_preface", false},
	{"PRI on HTTP/1.1", "PRI * HTTP/1.1\r\nHost: gw\r\n\r\n", "400 http2_preface", false},
	{"CONNECT", "CONNECT evil:443 HTTP/1.1\r\nHost: evil:443\r\n\r\n", "405 tunnel", false},
	{"TRACE", "TRACE / HTTP/1.1\r\nHost: gw\r\n\r\n", "405 bad_method", true},
	{"gEt!", "gEt! / HTTP/1.1\r\nHost: gw\r\n\r\n", "405 bad_method", true},
	{"get in small letters", "get / HTTP/1.1\r\nHost: gw\r\n\r\n", "405 bad_method", true},
	{"our own stand-in", "REFUSED /overloaded HTTP/1.1\r\nHost: refused\r\n\r\n", "405 bad_method", true},
	{"an unknown method with a body", "SEARCH / HTTP/1.1\r\nHost: gw\r\nContent-Length: 2\r\n\r\nhi", "405 bad_method", false},
	{"an unknown method on HTTP/1.0", "SEARCH / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "405 bad_method", false},
	{"an unknown method and Connection: close", "SEARCH / HTTP/1.1\r\nHost: gw\r\nConnection: x , Close\r\n\r\n", "405 bad_method", false},
	{"HEAD of a bad path", "HEAD //x HTTP/1.1\r\nHost: gw\r\n\r\n", "400 bad_target", false},
	{"a head of bare LFs", "GET / HTTP/1.1\nHost: gw\n\n", "400 bare_lf", false},
	{"one bare LF", "GET / HTTP/1.1\r\nHost: gw\nX: y\r\n\r\n", "400 bare_lf", false},
	{"a bare LF at the end of the head", "GET / HTTP/1.1\r\nHost: gw\r\n\n", "400 bare_lf", false},
	{"a bare LF ahead", "\n" + get("/"), "400 bare_lf", false},
	{"a bare CR in a value", with("X: a\rb\r\n"), "400 bare_cr", false},
	{"a bare CR in a name", with("X\rY: b\r\n"), "400 bare_cr", false},
	{"a bare CR in the target", get("/a\rb"), "400 bare_cr", false},
	{"two CRs", with("X: a\r\r\n"), "400 bare_cr", false},
	{"obs-fold", with("X: a\r\n b\r\n"), "400 obs_fold", false},
	{"obs-fold by tab", with("X: a\r\n\tb\r\n"), "400 obs_fold", false},
	{"a fold before the first header", "GET / HTTP/1.1\r\n Host: gw\r\n\r\n", "400 obs_fold", false},
	{"NUL in a value", with("X: a\x00b\r\n"), "400 bad_header", false},
	{"ESC in a value", with("X: a\x1bb\r\n"), "400 bad_header", false},
	{"DEL in a value", with("X: a\x7fb\r\n"), "400 bad_header", false},
	{"a space before the colon", with("X : a\r\n"), "400 bad_header", false},
	{"a space in a name", with("X Y: a\r\n"), "400 bad_header", false},
	{"a name beyond ASCII", with("X\xe9: a\r\n"), "400 bad_header", false},
	{"no name", with(": a\r\n"), "400 bad_header", false},
	{"no colon", with("X\r\n"), "400 bad_header", false},
	{"no Host", "GET / HTTP/1.1\r\n\r\n", "400 bad_host", false},
	{"two Hosts", with("Host: gw\r\n"), "400 bad_host", false},
	{"two Hosts on HTTP/1.0", "GET / HTTP/1.0\r\nHost: gw\r\nhost: gw\r\n\r\n", "400 bad_host", false},
	{"21 headers", "GET / HTTP/1.1\r\nHost: gw\r\n" + strings.Repeat("X: y\r\n", 20) + "\r\n", "431 too_many_headers", false},
	{"a head one byte too large", with("X: " + strings.Repeat("x", 16<<10-32) + "\r\n"), "431 head_too_large", false},
	{"a line that does not end", "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 32<<10), "431 head_too_large", false},
	{"a target one byte too long", get("/" + strings.Repeat("x", 1<<10)), "414 uri_too_long", false},
	{"a target that does not end", "GET /" + strings.Repeat("x", 32<<10), "414 uri_too_long", false},
	{"an announced Content-Length", post("Trailer: a, content-length\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "400 bad_trailer", false},
}

var lengths = []framingCase{
	{"both lengths", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "400 both_lengths", false},
	{"both lengths the other way round", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), "400 both_lengths", false},
	{"a coding on HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 te_on_http10", false},
	{"the coding twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "400 bad_coding", false},
	{"the coding twice in a list", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), "400 bad_coding", false},
	{"a list with a hole", post("Transfer-Encoding: , chunked\r\n", "0\r\n\r\n"), "400 bad_coding", false},
	{"no coding", post("Transfer-Encoding:\r\n", "0\r\n\r\n"), "400 bad_coding", false},
	{"a coding that is no token", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), "400 bad_coding", false},
	{"xchunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), "501 unknown_coding", false},
	{"identity", post("Transfer-Encoding: identity\r\n", ""), "501 unknown_coding", false},
	{"chunked, identity", post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), "501 unknown_coding", false},
	{"gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), "501 unknown_coding", false},
	{"a coding with a space before the colon", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), "400 bad_header", false},
	{"two lengths that differ", post("Content-Length: 1\r\nContent-Length: 2\r\n", "hi"), "400 bad_length", false},
	{"two lengths alike", post("Content-Length: 2\r\ncontent-length: 2\r\n", "hi"), "400 bad_length", false},
	{"a list of lengths", post("Content-Length: 2, 2\r\n", "hi"), "400 bad_length", false},
	{"a length with a sign", post("Content-Length: +2\r\n", "hi"), "400 bad_length", false},
	{"a negative length", post("Content-Length: -1\r\n", "hi"), "400 bad_length", false},
	{"a length in hex", post("Content-Length: 0x2\r\n", "hi"), "400 bad_length", false},
	{"a length of 20 digits", post("Content-Length: 10000000000000000002\r\n", "hi"), "400 bad_length", false},
	{"no length", post("Content-Length: \r\n", ""), "400 bad_length", false},
}

var targets = slices.Concat(
	each("400 bad_host", false, func(host string) string { return "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n" },
		"", "gw/#@evil", "a b", "user@gw", "gw#", "gw?", "gw,evil", "gw:", "gw:x", "gw:65536", "gw:1:2", ":80", "[::1", "[::1]x", "[::1%25eth0]",
		"[1.2.3.4]", "::1", "gw\\evil", "g%77", "gw;", "\xc3\xa9"),
	each("400 bad_target", true, get,
		"v1", "//v1/x", "/v1//x", "/v1/x//", "/.", "/..", "/./v1", "/v1/../admin", "/v1/..", "/v1/%2e%2E/x", "/v1/.%2e", "/%2e/x", "/..%2fadmin",
		"/a%2Fb", "/a%5cb", "/a\\b", "/\\..\\b", "/a%25b", "/a%252e", "/a%3fb", "/a%23b", "/a#frag", "/a;x/..", "/a;x=1", "/a%3bx", "/a%00", "/a%0d%0aX",
		"/a%1f", "/a%7f", "/%zz", "/%", "/%4", "/\xc3\xa9", "/a\"b", "/a<b", "/a{b", "/a|b", "/a^b", "/a`b", "/a[b", "*", "/*/%u0041",
		"http:///v1", "http://gw", "http://gw?x", "http://gw//x", "ftp://gw/", "gw:80", "evil:443", "?x", "#"),
	each("421 misdirected", true, get, "http://evil/", "http://gw:80/", "http://GW/", "http://user@gw/", "https://gw.evil/x"),
	each("400 bad_query", true, get, "/?a=1;b=2", "/?a=%zz", "/?a=%", "/?a#b", "/?a=\xff"),
)

var bodies = slices.Concat(
	each("400 bad_chunk after \"\"", false, chunked,
		"zz\r\nhello\r\n", "5\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n", " 5\r\nhello\r\n", "5\r\r\nhello", "-5\r\n", "+5\r\n", "0x5\r\n", "\r\n", ";a\r\n",
		"1000000000000000\r\n", "5;\r\nhello", "5;a=\r\nhello", "5;a\nhello\r\n", "5;a\rb\r\nhello", "5;a=\"b\r\nhello", "5;a=\"b\\\r\nhello", "5; a\r\nhello",
		"5;a=\x01\r\n", "5,a\r\nhello", "0\n\r\n", "1;"+strings.Repeat("a", 300), "1;"+strings.Repeat("a", 300)+"\r\nx\r\n"),
	each("400 bad_chunk after \"hello\"", false, chunked,
		"5\r\nhello0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello\r0\r\n\r\n", "5\r\nhello!\r\n0\r\n\r\n", "5\r\nhello\r\nx", "3\r\nhel\r\n2\r\nlo\r\nG\r\n"),
	each("400 bad_trailer after \"x\"", false, func(trailer string) string { return chunked("1\r\nx\r\n0\r\n" + trailer) },
		"A: b\n\r\n", "A: b\r\n\n", "\n", "A : b\r\n\r\n", " A: b\r\n\r\n", "A: b\r\n c\r\n\r\n", "A\r\n\r\n", "A: \x00\r\n\r\n", "A: b\rc\r\n\r\n", ": b\r\n\r\n",
		"Content-Length: 1\r\n\r\n", "transfer-encoding: chunked\r\n\r\n", "Host: evil\r\n\r\n", "Authorization: x\r\n\r\n",
		strings.Repeat("A: b\r\n", 21)+"\r\n", "A: "+strings.Repeat("b", 5000)+"\r\n\r\n", "A: "+strings.Repeat("b", 5000), "GET / HTTP/1.1\r\n\r\n"),
	[]framingCase{
		{"a bad chunk that follows good ones", chunked("1\r\na\r\n1\r\nb\r\nq"), "400 bad_chunk after \"ab\"", false},
		{"much extension and little data", chunked(strings.Repeat("1;"+strings.Repeat("a", 200)+"\r\nx\r\n", 44)), "400 bad_chunk after \"" + strings.Repeat("x", 44) + "\"", false},
		{"single bytes", chunked(strings.Repeat("1\r\nx\r\n", 2000) + "0\r\n\r\n"), "200 POST /v1 \"" + strings.Repeat("x", 2000) + "\"", true},
	},
)

// each makes cases that differ in one thing only.
func each(answer string, goesOn bool, request func(string) string, things ...string) (all []framingCase) {
	for _, thing := range things {
		all = append(all, framingCase{answer + " " + thing[:min(len(thing), 20)], request(thing), answer, goesOn})
	}
	return all
}

// TestFraming says, for bytes of a client, what the handler's client reads, and
// whether the next request on the connection is answered. It must not matter
// in which pieces the bytes come.
func TestFraming(t *testing.T) {
	cuts := []struct {
		name string
		cut  func([]byte) [][]byte
	}{
		{"whole", func(b []byte) [][]byte { return [][]byte{b} }},
		{"in halves", func(b []byte) [][]byte { return [][]byte{b[:len(b)/2], b[len(b)/2:]} }},
		{"byte by byte", func(b []byte) [][]byte { return slices.Collect(slices.Chunk(b, 1)) }},
	}
	for _, c := range framingCases {
		for _, cut := range cuts {
			t.Run(c.name+"/"+cut.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					want := []string{c.answer}
					passed := int64(0)
					if c.goesOn {
						want = append(want, "200 GET /good")
						passed++
					}
					if strings.HasPrefix(c.answer, "200") || strings.Contains(c.answer, " after ") {
						passed++
					}
					s := start(t, strict.Options{})
					if got := s.say(cut.cut([]byte(c.bytes + good))...); !slices.Equal(got, want) {
						t.Errorf("%.200q\n got %q\nwant %q", c.bytes, got, want)
					}
					if got := s.passed.Load(); got != passed {
						t.Errorf("%d requests passed, want %d", got, passed)
					}
				})
			})
		}
	}
}
