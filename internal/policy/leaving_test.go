package policy_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/policy"
)

// A handler that answers after ten seconds, with a body that takes ten more, and
// what becomes of it when its client leaves.
func TestWhatBecomesOfACallWhoseClientLeaves(t *testing.T) {
	shutdown := errors.New("the gateway shuts down")
	for _, test := range []struct {
		name  string
		mode  policy.Leaving
		after time.Duration
		why   error         // of its context's end; nil is that the client left
		took  time.Duration // until the reply was closed, or there was an error
		err   bool
		gone  bool // the reply says that the client has gone
	}{
		{"drain, before the answer", policy.LeavingDrains, 5 * time.Second, nil, 5 * time.Second, true, false},
		{"drain, amid the answer", policy.LeavingDrains, 15 * time.Second, nil, 20 * time.Second, false, true},
		{"drain, after the answer", policy.LeavingDrains, 25 * time.Second, nil, 20 * time.Second, false, false},
		{"finish, before the answer", policy.LeavingFinishes, 5 * time.Second, nil, 20 * time.Second, false, true},
		{"finish, amid the answer", policy.LeavingFinishes, 15 * time.Second, nil, 20 * time.Second, false, true},
		{"a shutdown cuts all", policy.LeavingFinishes, 15 * time.Second, shutdown, 15 * time.Second, false, false},
		{"a shutdown cuts all, before the answer", policy.LeavingFinishes, 5 * time.Second, shutdown, 5 * time.Second, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(test.after, func() { cancel(test.why) })
				start := time.Now()
				reply, err := test.mode.Policy()(slow(10*time.Second, 10*time.Second)).Handle(ctx, gateway.NewCall(http.MethodPost, "/", nil))
				if (err != nil) != test.err {
					t.Fatalf("got %v", err)
				}
				if err == nil {
					_, _ = io.Copy(untilGone{ctx}, reply.Body)
					reply.Close()
					if (reply.Outcome == gateway.ClientGone) != test.gone {
						t.Errorf("its outcome is %q", reply.Outcome)
					}
				}
				if took := time.Since(start); took != test.took {
					t.Errorf("it took %s, not %s", took, test.took)
				}
				time.Sleep(time.Hour)
			})
		})
	}
}

// untilGone takes what is written until the context ends, as a client does.
type untilGone struct{ context.Context } //nolint:containedctx // it is all there is to it

func (u untilGone) Write(p []byte) (int, error) { return len(p), u.Err() }

func TestACallGoesOnWithoutItsClientForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := policy.LeavingFinishes.Policy()(slow(time.Hour, 0)).Handle(ctx, gateway.NewCall(http.MethodPost, "/", nil))
		if took := time.Since(start); gateway.AsError(err).Code != gateway.Canceled || took != time.Minute+time.Second {
			t.Errorf("after %s got %v", took, err)
		}
	})
}
