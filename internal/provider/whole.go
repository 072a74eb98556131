package provider

import (
	"bytes"
	"errors"
	"io"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// The sizes of whole answers.
const (
	readWhole = 1 << 20 // up to here an answer is taken in before it is a Reply, so that a cut is an ordinary error
	readTail  = 4 << 10 // of larger ones, the end in which the usage stands
)

// whole makes a Reply of an answer that is no stream. What it reads of a larger
// one than [readWhole] comes first; the rest passes through.
func (x *exchange) whole(reply *gateway.Reply) (*gateway.Reply, error) {
	if x.asked != nil {
		return x.rewritten(reply)
	}
	call := x.call
	stream := call.LLM != nil && call.LLM.Stream
	body, err := take(reply)
	if err != nil {
		return reply, broken(err)
	}
	attempt := call.Attempt
	if len(body) > readWhole && !stream {
		attempt.Answer, _ = x.speaks.answer(body) // id and model stand in front
		reply.Body = &long{Reader: io.MultiReader(bytes.NewReader(body), reply.Body), reply: reply, answer: &attempt.Answer}
		return reply, nil
	}
	start := bytes.TrimLeft(body, " \t\r\n")
	if len(start) == 0 || start[0] != '{' && start[0] != '[' {
		return reply, gateway.Errorf(gateway.UpstreamFailed, "the provider answered with something that is not JSON")
	}
	answer, failure := x.speaks.answer(body)
	attempt.Answer = answer
	switch {
	case failure != nil:
		return x.failed(reply, failure), nil
	case stream:
		return reply, gateway.Errorf(gateway.UpstreamFailed, "the provider answered a call for a stream with a whole answer")
	}
	reply.Body, reply.Length, reply.Outcome = bytes.NewReader(body), int64(len(body)), gateway.Complete
	return reply, nil
}

// take reads the body, or a little more of it than [readWhole].
func take(reply *gateway.Reply) ([]byte, error) {
	if reply.Length < 0 || reply.Length > readWhole {
		return io.ReadAll(io.LimitReader(reply.Body, readWhole+1))
	}
	body := make([]byte, reply.Length)
	_, err := io.ReadFull(reply.Body, body)
	return body, err
}

// broken is the error of a body that will not come to its end.
func broken(err error) error {
	if _, ok := errors.AsType[*gateway.Error](err); ok {
		return err
	}
	return gateway.Errorf(gateway.UpstreamFailed, "the provider's answer broke off").Because(err)
}

// long passes on a large answer and remembers its end, to read the usage there.
type long struct {
	io.Reader
	reply  *gateway.Reply
	answer *llm.Answer
	tail   []byte
}

// Read implements io.Reader.
func (l *long) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	l.tail = append(l.tail, p[max(0, n-readTail):n]...)
	if over := len(l.tail) - readTail; over > 0 {
		l.tail = append(l.tail[:0], l.tail[over:]...)
	}
	switch {
	case err == io.EOF:
		l.answer.Tail(l.tail)
		l.reply.Outcome = gateway.Complete
	case err != nil:
		l.reply.Outcome = gateway.UpstreamError
		err = broken(err)
	}
	return n, err
}
