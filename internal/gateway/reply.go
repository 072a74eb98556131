package gateway

import (
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

	closer io.Closer
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

// OnDone runs f once, when the reply has been closed, in the order of
// registration: the innermost policy first. Budgets settle and spans end there,
// because a stream's usage is known only at its end.
func (r *Reply) OnDone(f func(*Reply)) {
	if r.done == nil {
		r.done = r.first[:0]
	}
	r.done = append(r.done, f)
}

// Close ends the reply: it gives its connection back or closes it, then runs
// what OnDone has registered. Closing again does nothing.
func (r *Reply) Close() {
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
