package provider

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/llm"
)

// asking is a plain question in each dialect.
var asking = map[string]string{
	"openai":    `{"model":"smart","messages":[{"role":"user","content":"Hi"}]}`,
	"anthropic": `{"model":"smart","max_tokens":64,"messages":[{"role":"user","content":"Hi"}]}`,
	"responses": `{"model":"smart","input":"Hi"}`,
}

// Each file in testdata/outputs is a whole answer as a provider sends it, and what
// callers of other dialects get.
func TestOutputs(t *testing.T) {
	goldens(t, "outputs", func(t *testing.T, archive *txtar.Archive, file map[string]string) {
		for section, body := range file {
			from, ok := strings.CutPrefix(section, "from ")
			if !ok {
				continue
			}
			for to := range file {
				if to, ok := strings.CutPrefix(to, "to "); ok {
					golden(t, archive, "to "+to, answeredAs(t, to, llm.Dialect(from), body))
				}
			}
		}
	})
}

// answeredAs returns what a caller gets of a whole answer.
func answeredAs(t *testing.T, caller string, speaks llm.Dialect, body string) string {
	t.Helper()
	call := asks(t, byWord[caller], llm.Chat, asking[caller])
	sender := says(http.StatusOK, "application/json", int64(len(body)), strings.NewReader(body))
	reply, err := New(gateway.Target{Model: "gpt-5"}, Settings{Dialect: speaks}, sender).Handle(t.Context(), call)
	if err != nil {
		return fmt.Sprintf("%s: %v\n", gateway.AsError(err).Code, err)
	}
	got, err := io.ReadAll(reply.Body)
	if err != nil || int64(len(got)) != reply.Length || !llm.Valid(got) || reply.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %q of %d bytes, %v", got, reply.Length, err)
	}
	return fmt.Sprintf("%d %s\n", reply.Status, got)
}
