package policy

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

const (
	firstPiece   = 64 << 10 // taken before any of a body has come; then it doubles, so that a promise takes no room
	unknownPiece = 4 << 10  // the same, where its length is not known: most are small
	ratioCap     = 100      // a gzipped body may grow by this factor; JSON rarely passes 20
	ratioFloor   = 1 << 20  // a body this small may grow by any factor

	retrySoon = time.Second
)

// Read takes in the body of a call to a model and finds what it asks for. It
// builds no tree: llm scans the bytes, which go on as they came.
func Read(operation llm.Operation, memory *Memory) gateway.Policy {
	return func(next gateway.Handler) gateway.Handler {
		return gateway.HandlerFunc(func(ctx context.Context, call *gateway.Call) (*gateway.Reply, error) {
			if operation == llm.Models {
				call.Body = gateway.Body{}
				return next.Handle(ctx, call)
			}
			room := &room{memory: memory}
			if err := take(call, operation, room); err != nil {
				room.giveBack()
				if gateway.AsError(err).Code != gateway.Canceled {
					call.Note("read", "refused")
				}
				return nil, err
			}
			reply, err := next.Handle(ctx, call)
			if err != nil {
				room.giveBack()
				return nil, err
			}
			reply.OnDone(func(*gateway.Reply) { room.giveBack() })
			return reply, nil
		})
	}
}

// take reads the body in and scans it.
func take(call *gateway.Call, operation llm.Operation, room *room) error {
	if err := readBody(call, room); err != nil {
		return err
	}
	var dialect llm.Dialect
	if call.Route != nil {
		dialect = call.Route.Speaks
	}
	request, err := llm.Scan(dialect, operation, call.Body.Bytes)
	if err != nil {
		return invalid(err)
	}
	call.LLM = request
	return nil
}

// invalid names the field of the body that is to blame.
func invalid(err error) error {
	e := gateway.Errorf(gateway.Invalid, "the body makes no sense").Because(err)
	if field, ok := errors.AsType[*llm.FieldError](err); ok {
		e = gateway.Errorf(gateway.Invalid, "%s", field.Message)
		e.Param = field.Param
	}
	return e
}

// room is what one call has taken of the memory.
type room struct {
	memory *Memory
	taken  int64
}

// expect refuses what would not fit even if nothing else were there.
func (r *room) expect(n int64) error {
	if n > r.memory.limit.Load() {
		return noRoom()
	}
	return nil
}

func (r *room) take(n int64) error {
	if !r.memory.take(n) {
		return noRoom()
	}
	r.taken += n
	return nil
}

func noRoom() error {
	e := gateway.Errorf(gateway.Overloaded, "too many large requests are under way; try again shortly")
	e.RetryAfter = retrySoon
	return e
}

func (r *room) giveBack() {
	r.memory.give(r.taken)
	r.taken = 0
}

// readBody reads the body in, decoded.
func readBody(call *gateway.Call, room *room) error {
	body := call.Body
	if body.Reader == nil {
		return nil // there is none, and the scanner will say so
	}
	switch encoding := strings.ToLower(call.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		counted := &counting{Reader: body.Reader}
		unzipped, err := gzip.NewReader(counted)
		if err != nil {
			return gzipError(err)
		}
		body.Reader, body.Length = &inflating{in: counted, out: unzipped}, -1
	default:
		return gateway.Errorf(gateway.UnsupportedMedia, "the content encoding %q is not read; send gzip or none", encoding)
	}
	call.Header.Del("Content-Encoding")
	bytes, err := readAll(body, room)
	if err != nil {
		return err
	}
	call.Body = gateway.Body{Bytes: bytes, Length: int64(len(bytes)), Limit: body.Limit}
	return nil
}

// readAll reads a body to its end, and takes room before it allocates.
func readAll(body gateway.Body, room *room) ([]byte, error) {
	if body.Length > body.Limit {
		return nil, tooLarge(body.Limit)
	}
	most := body.Limit
	size := min(unknownPiece, most)
	if body.Length >= 0 {
		most = body.Length
		size = min(firstPiece, most)
	}
	if err := room.expect(body.Length); err != nil {
		return nil, err
	}
	if err := room.take(size); err != nil {
		return nil, err
	}
	buf := make([]byte, 0, size)
	for {
		if len(buf) == cap(buf) {
			if int64(len(buf)) == most {
				return buf, drained(body.Reader, body.Limit)
			}
			more := min(int64(cap(buf)), most-int64(cap(buf)))
			if err := room.take(more); err != nil {
				return nil, err
			}
			buf = append(make([]byte, 0, int64(cap(buf))+more), buf...)
		}
		n, err := body.Reader.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > body.Limit:
			return nil, tooLarge(body.Limit)
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return nil, err
		}
	}
}

// drained lets the reader give its io.EOF, by which the server knows that the
// client has said all.
func drained(r io.Reader, limit int64) error {
	var one [1]byte
	for {
		n, err := r.Read(one[:])
		switch {
		case n > 0:
			return tooLarge(limit)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

func tooLarge(limit int64) error {
	return gateway.Errorf(gateway.TooLarge, "the body is over the limit of %d bytes", limit)
}

// counting counts what is read.
type counting struct {
	io.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// inflating refuses a body that grows too much as it is unzipped.
type inflating struct {
	in  *counting
	out *gzip.Reader
	n   int64
}

func (i *inflating) Read(p []byte) (int, error) {
	n, err := i.out.Read(p)
	i.n += int64(n)
	if i.n > ratioFloor && i.n > ratioCap*i.in.n {
		return n, gateway.Errorf(gateway.TooLarge, "the gzipped body grows more than %d times", ratioCap)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, gzipError(err)
	}
	return n, err
}

// gzipError tells bad gzip from a body that did not arrive.
func gzipError(err error) error {
	if e, ok := errors.AsType[*gateway.Error](err); ok {
		return e
	}
	return gateway.Errorf(gateway.Invalid, "the body is not valid gzip").Because(err)
}
