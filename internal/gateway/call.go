package gateway

import (
	"io"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/spanway/spanway/internal/llm"
)

// Call is one client request on its way. The server makes it, policies fill in
// what they find out, and it ends with the reply. It belongs to the goroutine
// that serves it; only its notes may be written from others.
type Call struct {
	// What the client asked, after the server's checks.
	Method string
	Path   string // escaped, as it is matched and forwarded; begins with "/"
	Query  string // raw, without "?"
	Host   string // lower case, without a port
	Header http.Header
	Body   Body

	// What the server knows of it.
	ID         string // x-request-id: the caller's, if it may set one, else ours
	Received   time.Time
	Deadline   time.Time      // until when the caller waits for the reply to begin; zero where they did not say
	Peer       netip.AddrPort // who is connected; zero on a unix socket
	Trusted    bool           // the peer is on loopback, a unix socket, or in trusted_proxies
	Proto      string         // "1.0" or "1.1"
	Explain    bool           // they ask to be told what was decided
	Credential string         // what the caller presented: taken out of Header by the server, emptied by auth

	// Refused is why the server will not have it, found before it was a call;
	// nil as a rule. Such a call is traced and answered like any other.
	Refused *Error

	// What was found out on the way.
	Route    *Route
	Params   map[string]string // the variables of the route's path
	Dialect  Dialect           // how the caller speaks; never nil once routed
	Caller   string            // the name of the caller's key; "" where there is no auth
	Insight  bool              // they may be told what was decided
	KeyID    string            // first 8 hex digits of the key's SHA-256
	LLM      *llm.Request      // what the body asks; nil on ordinary routes and before it was read
	Timeouts Timeouts          // for the attempts to come
	Attempt  *Attempt          // the sending under way; nil outside one
	Trace    string            // the call's span as traceparent writes it, once it has begun; "" without tracing
	TraceID  string            // 32 hex digits of that
	SpanID   string            // 16 hex digits of that

	shared *shared
}

// Route names which calls go together.
type Route struct {
	Name       string        // as configured, or the path of an LLM route
	Template   string        // http.route: low in cardinality
	Idempotent bool          // whatever its method, a call does no harm when it is executed twice
	Operation  llm.Operation // what is asked of a model; "" on ordinary routes
	Dialect    Dialect
	Speaks     llm.Dialect // how its bodies are spelled; "" is as OpenAI's
}

// Body is what the client sent. It streams, until a policy has read it in.
type Body struct {
	Reader io.Reader // nil where there is no body, or once it has been read in
	Bytes  []byte    // the whole of it, once it has been read in
	Length int64     // -1 where it is not known beforehand
	Limit  int64     // at most so many bytes may be read
}

// Replayable reports whether the body can be sent more than once.
func (b *Body) Replayable() bool { return b.Reader == nil }

// Extend lets the client send a larger body than most routes take.
func (b *Body) Extend(limit int64) {
	if reader, ok := b.Reader.(interface{ Extend(limit int64) }); ok {
		reader.Extend(limit)
		b.Limit = limit
	}
}

// shared is what a call and its copies for attempts have in common.
type shared struct {
	mu       sync.Mutex
	notes    []Note
	first    [2]Note // where most calls' notes fit
	attempts int
	last     *Target
	waited   time.Duration
	cost     Cost
	owed     int // attempts whose cost is still to come
}

// NewCall returns a call with all that must not be nil.
func NewCall(method, path string, header http.Header) *Call {
	if header == nil {
		header = http.Header{}
	}
	made := &struct { // together: one allocation
		call   Call
		shared shared
	}{call: Call{Method: method, Path: path, Header: header, Received: time.Now()}}
	made.call.shared = &made.shared
	return &made.call
}

// Note is what a policy decided, in a word from a small set, with the facts
// that explain it.
type Note struct {
	At       time.Time
	Policy   string
	Decision string
	Facts    []Fact
}

// Name is the note as it is shown: its policy, and the decision where there is
// more than one to take.
func (n Note) Name() string {
	if n.Decision == "" {
		return n.Policy
	}
	return n.Policy + "." + n.Decision
}

// Fact is one detail of a note. Values are short.
type Fact struct{ Key, Value string }

// Note records a decision. It becomes an event on the call's span.
func (c *Call) Note(policy, decision string, facts ...Fact) {
	c.shared.mu.Lock()
	if c.shared.notes == nil {
		c.shared.notes = c.shared.first[:0]
	}
	c.shared.notes = append(c.shared.notes, Note{time.Now(), policy, decision, facts})
	c.shared.mu.Unlock()
}

// Notes returns what was noted so far, in order.
func (c *Call) Notes() []Note {
	c.shared.mu.Lock()
	defer c.shared.mu.Unlock()
	return c.shared.notes
}

// Attempts returns how many attempts have begun.
func (c *Call) Attempts() int {
	c.shared.mu.Lock()
	defer c.shared.mu.Unlock()
	return c.shared.attempts
}

// Last returns the target of the attempt that began last; nil before the first.
func (c *Call) Last() *Target {
	c.shared.mu.Lock()
	defer c.shared.mu.Unlock()
	return c.shared.last
}

// Waited adds time spent waiting for an upstream, until its reply began.
func (c *Call) Waited(d time.Duration) {
	c.shared.mu.Lock()
	c.shared.waited += d
	c.shared.mu.Unlock()
}

// Wait returns how long upstreams have been waited for. What is left of a
// call's time is the gateway's own.
func (c *Call) Wait() time.Duration {
	c.shared.mu.Lock()
	defer c.shared.mu.Unlock()
	return c.shared.waited
}

// To returns a copy of the call for one attempt at a target. Attempts are
// numbered from 1, across retries and fallbacks.
func (c *Call) To(target *Target) *Call {
	c.shared.mu.Lock()
	c.shared.attempts++
	n := c.shared.attempts
	c.shared.last = target
	c.shared.mu.Unlock()
	made := &struct { // together: one allocation
		call    Call
		attempt Attempt
	}{*c, Attempt{Number: n, Target: target, Timeouts: c.Timeouts}}
	made.call.Attempt = &made.attempt
	return &made.call
}
