package upstream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/spanway/spanway/internal/gateway"
)

func TestAKeyIsShownAsTheUpstreamWantsIt(t *testing.T) {
	for _, test := range []struct {
		name     string
		settings Settings
		query    string
		header   http.Header
		want     string
	}{
		{"as a bearer token", Settings{Dialect: "openai"}, "", nil, "GET /v1/x HTTP/1.1\nAuthorization: Bearer k+1\nHost: orders:8080"},
		{"in Anthropic's field", Settings{Dialect: "anthropic"}, "", http.Header{"X-Api-Key": {"the caller's"}}, "GET /v1/x HTTP/1.1\nHost: orders:8080\nX-Api-Key: k+1"},
		{
			"in a field of its own", Settings{Auth: Auth{Header: "x-token"}}, "", http.Header{"X-Token": {"the caller's"}, "X-Other": {"1"}},
			"GET /v1/x HTTP/1.1\nHost: orders:8080\nX-Other: 1\nx-token: k+1",
		},
		{"in the query", Settings{Auth: Auth{Query: "key"}}, "", nil, "GET /v1/x?key=k%2B1 HTTP/1.1\nHost: orders:8080"},
		{
			"in the query, in place of the caller's own, however it is written", Settings{Auth: Auth{Query: "key"}},
			"a=1&key=x&KEY=x&%6bey=x&b=2;key=x&c=%zz&%zz=x&d=4", nil, "GET /v1/x?a=1&c=%zz&d=4&key=k%2B1 HTTP/1.1\nHost: orders:8080",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{play: says(nothing)}
				test.settings.Keys = secrets("k+1")
				u := open(t, s, test.settings)
				defer u.Close()
				call := newCall("GET")
				call.Query = test.query
				if test.header != nil {
					call.Header = test.header
				}
				reply, err := u.Handle(t.Context(), call)
				if err != nil {
					t.Fatal(err)
				}
				reply.Close()
				if got := s.requests[0]; got != test.want {
					t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
				}
			})
		})
	}
}

// signer signs what is sent, as those of cloud providers do.
type signer struct{ err error }

func (s signer) Authorize(_ context.Context, out Outgoing) (Credentials, error) {
	body, ok := out.Body()
	if !ok {
		return Credentials{}, errors.New("a body that streams cannot be signed")
	}
	sum := sha256.Sum256([]byte(out.Call.Method + out.Host + out.Path() + out.Call.Query + out.Call.Header.Get("Content-Type") + string(body)))
	return Credentials{Fields: []gateway.Fact{{Key: "Authorization", Value: "Signed " + hex.EncodeToString(sum[:4])}, {Key: "X-Date", Value: "today"}}}, s.err
}

func TestAnAuthorizerSeesWhatIsSentAndMaySignIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{play: says(nothing)}
		u := open(t, s, Settings{URL: "http://orders/base"})
		defer u.Close()
		call := newCall("POST")
		call.Query, call.Body = "a=1", gateway.Body{Bytes: []byte("{}"), Length: 2}
		call.Header = http.Header{"Content-Type": {"application/json"}, "X-Date": {"the caller's"}}
		u.keys = &keyring{keys: []key{{authorizer: signer{}}}}
		reply, err := u.Handle(t.Context(), call)
		if err != nil {
			t.Fatal(err)
		}
		reply.Close()
		sum := sha256.Sum256([]byte("POST" + "orders" + "/base/v1/x" + "a=1" + "application/json" + "{}"))
		want := "POST /base/v1/x?a=1 HTTP/1.1\nAuthorization: Signed " + hex.EncodeToString(sum[:4]) +
			"\nContent-Length: 2\nContent-Type: application/json\nHost: orders\nX-Date: today"
		if got := s.requests[0]; got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
		broken := errors.New("no token today")
		u.keys.keys[0].authorizer = signer{broken}
		if _, err := u.Handle(t.Context(), call); !errors.Is(err, broken) || len(s.requests) != 1 {
			t.Errorf("got %v, and %d requests were sent", err, len(s.requests))
		}
	})
}
