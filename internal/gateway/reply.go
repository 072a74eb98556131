package gateway

import (
	"bytes"
	"io"
	"net/http"
)

// Reply is the answer to a call; its body may still be arriving.
type Reply struct {
	Status  int
	Header  http.Header // without hop-by-hop headers
	Body    io.Reader   // never nil; gives an [Error] where the rest will not come
	Length  int64       // of the body (after HEAD: of the body that GET would have); -1 where it is not known
	Stream  bool        // of events, whose first has come: an error event may end it. What has no known Length is passed on at once in any case
	Trailer http.Header // complete once Body has given io.EOF
	Attempt *Attempt    // the attempt that answered; nil where none was needed
	Outcome Outcome     // set by who finds out, before Close; "" is Complete
	Err     *Error      // why it broke off after it had begun; set with Outcome
	Failure Failure     // what kind of failure it tells of, where more is known than its status says

	closer io.Closer
	before []func(*Reply)
	done   []func(*Reply)
	first  [4]func(*Reply) // where those of most replies fit
}

// NewReply returns a reply whose body is closed with it. closer may be nil.
func NewReply(status int, header http.Header, body io.Reader, length int64, closer io.Closer) *Reply {
	if header == nil {
		header = http.Header{}
	}
	if body == nil {
		body = http.NoBody
	}
	return &Reply{Status: status, Header: header, Body: body, Length: length, closer: closer}
}

// BeforeClose runs f once, when the reply is about to be closed: its body can
// still be read.
func (r *Reply) BeforeClose(f func(*Reply)) { r.before = append(r.before, f) }

// OnDone runs f once, when the reply has been closed, in the order of
// registration: the innermost policy first. Budgets settle and spans end there,
// because a stream's usage is known only at its end.
func (r *Reply) OnDone(f func(*Reply)) {
	if r.done == nil {
		r.done = r.first[:0]
	}
	r.done = append(r.done, f)
}

// Keep closes a reply of which no more is wanted than what it says, and returns
// one that says the same and holds nothing: no connection, no span. It is nil
// where more than most bytes would be to keep, or they do not come.
func (r *Reply) Keep(most int64) *Reply {
	defer r.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	if err != nil || int64(len(body)) > most {
		return nil
	}
	length := int64(len(body))
	if length == 0 {
		length = r.Length // that of the body which GET would have
	}
	kept := NewReply(r.Status, r.Header, bytes.NewReader(body), length, nil)
	kept.Attempt, kept.Outcome, kept.Failure, kept.Trailer = r.Attempt, r.Outcome, r.Failure, r.Trailer
	return kept
}

// Close ends the reply: it runs what BeforeClose has registered, gives its
// connection back or closes it, then runs what OnDone has registered. Closing again does nothing.
func (r *Reply) Close() {
	before := r.before
	r.before = nil
	for _, f := range before {
		f(r)
	}
	if r.closer != nil {
		_ = r.closer.Close() // the connection is not used again; there is no one to tell
		r.closer = nil
	}
	done := r.done
	r.done = nil
	for _, f := range done {
		f(r)
	}
}
