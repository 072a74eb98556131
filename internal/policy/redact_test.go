package policy_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/gatewaytest"
	"github.com/spanway/spanway/internal/llm"
	"github.com/spanway/spanway/internal/policy"
)

func TestSetsFindWhatTheyAreNamedFor(t *testing.T) {
	for _, c := range []struct{ set, text, want string }{
		{"email", "to a.b+c@mail.example.org.", "to [X]."},
		{"phone", "call +49 30 901820 or (212) 555-0100", "call [X] or [X]"},
		{"credit_card", "12 4111-1111-1111-1111 x", "12 [X] x"},
		{"credit_card", "order 4111111111111112", "order 4111111111111112"},
		{"iban", "IBAN DE89 3704 0044 0532 0130 00 AND", "IBAN [X] AND"},
		{"iban", "DE88370400440532013000", "DE88370400440532013000"},
		{"us_ssn", "078-05-1120 000-12-3456 912-12-3456", "[X] 000-12-3456 912-12-3456"},
		{"ip", "10.0.0.1 300.0.0.1 fe80::1 at 12:30:45", "[X] 300.0.0.1 [X] at 12:30:45"},
		{"api_key", "key sk-proj-abcdefghijklmnop end", "key [X] end"},
		{"private_key", "a -----BEGIN RSA PRIVATE KEY-----\\nMII\\n-----END RSA PRIVATE KEY----- b", "a [X] b"},
	} {
		redact := policy.Redact{Rules: []policy.Redaction{{Find: c.set, Replace: "[X]"}}}
		target := gatewaytest.Answers(http.StatusOK)
		call := gateway.NewCall(http.MethodPost, "/v1/chat/completions", nil)
		call.Route = &gateway.Route{Operation: llm.Chat, Speaks: llm.OpenAI}
		call.Body.Bytes = []byte(`{"content":"` + c.text + `","model":"m"}`)
		call.LLM, _ = llm.ScanRequest(call.Body.Bytes, llm.Chat)
		reply, err := redact.Policy(llm.Chat)(target).Handle(context.Background(), call)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, reply.Body)
		reply.Close()
		sent := target.Calls()[0]
		if got, want := string(sent.LLM.Patch(sent.Body.Bytes, "other")), `{"content":"`+c.want+`","model":"other"}`; got != want {
			t.Errorf("%s leaves %s, want %s", c.set, got, want)
		}
	}
}
