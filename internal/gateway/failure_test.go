package gateway_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/spanway/spanway/internal/gateway"
)

func TestAnOutcomeHasOneKindOfFailure(t *testing.T) {
	said := gateway.NewReply(http.StatusTooManyRequests, nil, nil, 0, nil)
	said.Failure = gateway.FailBilling
	told := gateway.Errorf(gateway.UpstreamFailed, "closed")
	told.Failure = gateway.FailTransport
	reply := func(status int) *gateway.Reply { return gateway.NewReply(status, nil, nil, 0, nil) }
	for _, c := range []struct {
		name  string
		reply *gateway.Reply
		err   error
		want  gateway.Failure
	}{
		{"an answer", reply(200), nil, ""},
		{"a redirect", reply(302), nil, ""},
		{"a call that is wrong", reply(404), nil, gateway.FailBadRequest},
		{"a key that is not taken", reply(401), nil, gateway.FailAuth},
		{"a key that may not", reply(403), nil, gateway.FailAuth},
		{"an account that cannot pay", reply(402), nil, gateway.FailBilling},
		{"too much for now", reply(429), nil, gateway.FailRateLimited},
		{"no room", reply(503), nil, gateway.FailOverloaded},
		{"no room, as Anthropic says it", reply(529), nil, gateway.FailOverloaded},
		{"a failure inside", reply(500), nil, gateway.FailServer},
		{"a gateway behind", reply(504), nil, gateway.FailServer},
		{"what the upstream cannot do", reply(501), nil, gateway.FailBadRequest},
		{"what the body said", said, nil, gateway.FailBilling},
		{"what the wire said", nil, told, gateway.FailTransport},
		{"a provider that makes no sense", nil, gateway.Errorf(gateway.UpstreamFailed, "no JSON"), gateway.FailProtocol},
		{"time that is up", nil, context.DeadlineExceeded, gateway.FailTotal},
		{"a client that left", nil, context.Canceled, gateway.FailClientGone},
		{"a gateway that ends", nil, gateway.Errorf(gateway.Draining, "ends"), gateway.FailClientGone},
		{"an open breaker", nil, gateway.Errorf(gateway.BreakerOpen, "open"), gateway.FailRefused},
		{"a broken body of the client", nil, gateway.Errorf(gateway.ClientTimeout, "slow"), gateway.FailBadRequest},
		{"our own mistake", nil, errors.New("unforeseen"), ""},
	} {
		if got := gateway.FailureOf(c.reply, c.err); got != c.want {
			t.Errorf("%s is %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAReplyThatIsKeptSaysTheSameAndHoldsNothing(t *testing.T) {
	closed, done := false, 0
	reply := gateway.NewReply(503, http.Header{"Retry-After": {"3"}}, strings.NewReader("no room"), -1, closer(func() { closed = true }))
	reply.Attempt, reply.Failure = &gateway.Attempt{Number: 2}, gateway.FailServer
	reply.OnDone(func(*gateway.Reply) { done++ })
	kept := reply.Keep(7)
	if kept == nil || !closed || done != 1 {
		t.Fatalf("kept %v, closed %t, told %d times", kept, closed, done)
	}
	body, err := io.ReadAll(kept.Body)
	if string(body) != "no room" || err != nil || kept.Length != 7 || kept.Status != 503 || kept.Header.Get("Retry-After") != "3" ||
		kept.Attempt.Number != 2 || kept.Failure != gateway.FailServer {
		t.Errorf("kept is %+v with %q, %v", kept, body, err)
	}
	kept.Close()
	if done != 1 {
		t.Error("the attempt has ended twice")
	}
}

func TestAReplyThatIsTooLongIsNotKept(t *testing.T) {
	done := false
	reply := gateway.NewReply(500, nil, strings.NewReader("far too long"), 12, nil)
	reply.OnDone(func(*gateway.Reply) { done = true })
	if reply.Keep(11) != nil || !done {
		t.Error("it was kept, or has not ended")
	}
}

type closer func()

func (c closer) Close() error {
	c()
	return nil
}
