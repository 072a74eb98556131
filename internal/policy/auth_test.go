package policy_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/gatewaytest"
	"github.com/spanway/spanway/internal/llm"
	"github.com/spanway/spanway/internal/policy"
)

func hashOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

var keys = []policy.Key{
	{Name: "team-a", SHA256: hashOf("sk-a"), Models: []string{"smart"}},
	{Name: "team-b", SHA256: hashOf("sk-b")},
}

func codeOf(answer any) gateway.Code {
	if err, ok := answer.(error); ok {
		return gateway.AsError(err).Code
	}
	return ""
}

func TestAuthLetsInWhoShowsAKnownKey(t *testing.T) {
	for _, c := range []struct {
		name, shown string
		caller      string // "" is refused
	}{
		{"a key", "sk-a", "team-a"},
		{"another key", "sk-b", "team-b"},
		{"no key", "", ""},
		{"an unknown key", "sk-c", ""},
		{"the beginning of a key", "sk-", ""},
		{"a key and more", "sk-a ", ""},
		{"a key in another case", "SK-A", ""},
		{"the hash of a key, which the file shows", hashOf("sk-a"), ""},
		{"the id of a key, which traces show", hashOf("sk-a")[:8], ""},
		{"a long one", strings.Repeat("sk-a", 10000), ""},
		{"bytes that are no text", "\xff\x00", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			next := gatewaytest.Answers(http.StatusOK)
			on := &policy.Auth{On: true}
			h := gateway.Chain(next, on.Policy(policy.Tools{Callers: policy.NewCallers(keys)}))
			call := gateway.NewCall(http.MethodGet, "/", nil)
			call.Credential = c.shown
			answer := gatewaytest.DoCall(t.Context(), h, call)
			if c.caller == "" {
				if codeOf(answer) != gateway.Unauthenticated || next.Tries() != 0 {
					t.Errorf("answer %v, %d calls went on; want a 401", answer, next.Tries())
				}
				if notes := call.Notes(); len(notes) != 1 || notes[0].Policy != "auth" || notes[0].Decision != "refused" {
					t.Errorf("noted %v", notes)
				}
			} else if answer != http.StatusOK || call.Caller != c.caller || call.KeyID != hashOf(c.shown)[:8] {
				t.Errorf("answer %v, caller %q, key %q", answer, call.Caller, call.KeyID)
			}
			if call.Credential != "" {
				t.Error("the key goes on with the call")
			}
			if err, ok := answer.(error); ok && c.shown != "" && strings.Contains(err.Error(), c.shown) {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}

func TestScopeAsksForTheModelThatTheBodyNames(t *testing.T) {
	callers := policy.NewCallers(keys)
	for _, c := range []struct {
		caller, model string
		may           bool
	}{
		{"team-a", "smart", true},
		{"team-a", "Smart", false},
		{"team-a", "smarter", false},
		{"team-a", "openai/gpt-5", false},
		{"team-b", "anything", true}, // no list is all
		{"", "anything", true},       // no auth on this route
	} {
		call := gateway.NewCall(http.MethodPost, "/", nil)
		call.Caller, call.LLM = c.caller, &llm.Request{Model: c.model}
		answer := gatewaytest.DoCall(t.Context(), gateway.Chain(gatewaytest.Answers(http.StatusOK), policy.Scope(callers)), call)
		if c.may != (answer == http.StatusOK) || !c.may && codeOf(answer) != gateway.Forbidden {
			t.Errorf("%q asks for %q: %v", c.caller, c.model, answer)
		}
		if callers.May(c.caller, c.model) != c.may {
			t.Errorf("May(%q, %q) differs from what the policy does", c.caller, c.model)
		}
	}
}

// TestAuthStandsBeforeTheBodyIsRead makes sure that a stranger cannot make the
// gateway take in what they send.
func TestAuthStandsBeforeTheBodyIsRead(t *testing.T) {
	memory := policy.NewMemory(1 << 20)
	chat := &gateway.Route{Operation: llm.Chat}
	admit := policy.Admission{Auth: &policy.Auth{On: true}}.Admit(chat, policy.Tools{Callers: policy.NewCallers(keys), Memory: memory})
	call := gateway.NewCall(http.MethodPost, "/", nil)
	call.Body = gateway.Body{Reader: unreadable{t}, Length: 100, Limit: 1000}
	if answer := gatewaytest.DoCall(context.Background(), gateway.Chain(gatewaytest.Answers(http.StatusOK), admit...), call); codeOf(answer) != gateway.Unauthenticated {
		t.Errorf("answer %v, want a 401", answer)
	}
}

type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, context.Canceled
}
