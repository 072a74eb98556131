package provider

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// The sizes of answers that are read to be written anew.
const (
	maxOutput  = 32 << 20 // of a whole one
	maxFailure = 64 << 10 // of an error
)

// read reads what was asked into the middle.
func (x *exchange) read() (err error) {
	x.asked, err = x.caller.prompt(x.call.Body.Bytes)
	if field, ok := errors.AsType[*llm.FieldError](err); ok {
		e := gateway.Errorf(gateway.Invalid, "%s", field.Message)
		e.Param = field.Param
		return e
	}
	return err
}

// translated is the body in the provider's dialect. What the provider cannot do
// is an error, or left out and noted, as the upstream's settings say.
func (x *exchange) translated() ([]byte, error) {
	if err := x.read(); err != nil {
		return nil, err
	}
	p := x.asked
	p.Model, p.Stream = x.call.LLM.Model, x.call.LLM.Stream
	if x.target.Model != "" {
		p.Model = x.target.Model
	}
	body, cannot := x.speaks.appendPrompt(make([]byte, 0, len(x.call.Body.Bytes)+512), p)
	p.Model = x.call.LLM.Model
	facts := []gateway.Fact{{Key: "from", Value: string(x.caller.word())}, {Key: "to", Value: string(x.speaks.word())}}
	if len(cannot) == 0 {
		x.call.Note("dialect", "translated", facts...)
		return body, nil
	}
	for i := range cannot {
		cannot[i] = x.caller.spelling(cannot[i])
	}
	fields := strings.Join(slices.Compact(cannot), ",")
	if !x.settings.DropUnsupported {
		x.call.Note("dialect", "refused", append(facts, gateway.Fact{Key: "fields", Value: fields})...)
		return nil, x.incapable(fields, cannot[0])
	}
	x.call.Note("dialect", "translated", append(facts, gateway.Fact{Key: "dropped", Value: fields})...)
	return body, nil
}

// incapable is the error of a call that this provider cannot answer. Another one
// may.
func (x *exchange) incapable(of, param string) error {
	e := gateway.Errorf(gateway.Invalid, "the provider of the model %q cannot do %s", x.call.LLM.Model, of)
	e.Param, e.Reason, e.Failure = param, "no_capability", gateway.FailRefused
	return e
}

// rewritten makes the Reply of a whole answer in another dialect.
func (x *exchange) rewritten(reply *gateway.Reply) (*gateway.Reply, error) {
	body, err := io.ReadAll(io.LimitReader(reply.Body, maxOutput+1))
	switch {
	case err != nil:
		return reply, broken(err)
	case len(body) > maxOutput:
		return reply, gateway.Errorf(gateway.UpstreamFailed, "the provider's answer is larger than %d MiB", maxOutput>>20)
	case !llm.Valid(body):
		return reply, gateway.Errorf(gateway.UpstreamFailed, "the provider answered with something that is not JSON")
	}
	answer, failure := x.speaks.answer(body)
	x.call.Attempt.Answer = answer
	if failure != nil {
		return x.failed(reply, failure), nil
	}
	if x.call.LLM.Stream {
		return reply, gateway.Errorf(gateway.UpstreamFailed, "the provider answered a call for a stream with a whole answer")
	}
	out, err := x.speaks.output(body)
	if err != nil {
		return reply, gateway.Errorf(gateway.UpstreamFailed, "the provider's answer makes no sense").Because(err)
	}
	written := x.caller.appendOutput(make([]byte, 0, len(body)+512), x.asked, out)
	reply.Header["Content-Type"] = contentJSON
	reply.Body, reply.Length, reply.Outcome = bytes.NewReader(written), int64(len(written)), gateway.Complete
	return reply, nil
}

// refused passes on a provider's error: as it came, or in the caller's dialect.
func (x *exchange) refused(reply *gateway.Reply) (*gateway.Reply, error) {
	if x.speaks.native(x.call.Dialect, x.call.Route.Operation) {
		return reply, nil
	}
	body, err := io.ReadAll(io.LimitReader(reply.Body, maxFailure))
	if err != nil {
		reply.Close()
		return nil, broken(err)
	}
	var failure *llm.Failure
	if llm.Valid(body) {
		_, failure = x.speaks.answer(body)
	}
	if failure == nil {
		failure = &llm.Failure{Message: "the provider answered with status " + strconv.Itoa(reply.Status)}
	}
	return x.retold(reply, reply.Status, failure), nil
}

// failed makes of a failure with status 200 the reply that it should have been,
// with the status that goes with it. Whoever retries or falls back then needs to
// know one kind of failure only.
func (x *exchange) failed(reply *gateway.Reply, failure *llm.Failure) *gateway.Reply {
	reply.Failure = inside(failure) // before it is closed: its key is judged by it
	if x.asked != nil {
		reply = x.retold(reply, failure.Status(), failure)
		reply.Outcome = gateway.UpstreamError
		return reply
	}
	header := reply.Header
	header["Content-Type"] = contentJSON
	reply.Close()
	again := gateway.NewReply(failure.Status(), header, bytes.NewReader(failure.Body), int64(len(failure.Body)), nil)
	again.Attempt, again.Outcome, again.Failure = reply.Attempt, gateway.UpstreamError, reply.Failure
	return again
}

// statusOverloaded is Anthropic's word for [http.StatusServiceUnavailable].
const statusOverloaded = 529

// retold is a failure in the caller's dialect.
func (x *exchange) retold(reply *gateway.Reply, status int, failure *llm.Failure) *gateway.Reply {
	if _, ok := x.caller.(anthropic); !ok && status == statusOverloaded {
		status = http.StatusServiceUnavailable
	}
	header := reply.Header
	header["Content-Type"] = contentJSON
	delete(header, "Content-Encoding")
	reply.Close()
	body := x.caller.appendFailure(nil, status, failure)
	again := gateway.NewReply(status, header, bytes.NewReader(body), int64(len(body)), nil)
	again.Attempt, again.Failure = reply.Attempt, reply.Failure
	return again
}
