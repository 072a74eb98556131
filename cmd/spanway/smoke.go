package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

type smokeCommand struct {
	URL    string        `help:"The daemon's data listener." default:"http://127.0.0.1:8080"`
	Model  string        `help:"The model to ask." default:"smoke"`
	KeyEnv string        `help:"The environment variable that holds a caller's key." placeholder:"NAME"`
	Jaeger string        `help:"Jaeger's query API; there the chat's trace must be found." placeholder:"URL"`
	Wait   time.Duration `help:"How long the trace may take to get there." default:"30s"`
}

// Run sends one chat, and looks its trace up.
func (c *smokeCommand) Run(w *world) error {
	traceID, err := c.chat(w)
	if err != nil {
		return err
	}
	fmt.Fprintln(w.stdout, "the chat was answered; its trace is", traceID)
	if c.Jaeger == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(w.ctx, c.Wait)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		spans, err := c.spans(ctx, traceID)
		if err == nil && spans >= 2 {
			fmt.Fprintf(w.stdout, "Jaeger has it, with %d spans\n", spans)
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the trace %s was not found in %s: %d spans, %w", traceID, c.Wait, spans, errors.Join(err, ctx.Err()))
		case <-tick.C:
		}
	}
}

// chat returns the id of the chat's trace.
func (c *smokeCommand) chat(w *world) (string, error) {
	ctx, cancel := context.WithTimeout(w.ctx, 30*time.Second)
	defer cancel()
	question, err := json.Marshal(map[string]any{
		"model": c.Model, "messages": []map[string]string{{"role": "user", "content": "Are you there?"}},
	})
	if err != nil {
		return "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.URL, "/")+"/v1/chat/completions", strings.NewReader(string(question)))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/json")
	if key := w.getenv(c.KeyEnv); c.KeyEnv != "" && key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the chat was answered with %s: %s", response.Status, body)
	}
	parts := strings.Split(response.Header.Get("Traceresponse"), "-")
	if len(parts) < 3 {
		return "", errors.New("the answer has no traceresponse header")
	}
	return parts[1], nil
}

// spans counts the spans that Jaeger has of a trace.
func (c *smokeCommand) spans(ctx context.Context, traceID string) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(c.Jaeger, "/")+"/api/traces/"+traceID, nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var found struct {
		Data []struct {
			Spans []json.RawMessage `json:"spans"`
		} `json:"data"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 16<<20)).Decode(&found); err != nil || len(found.Data) == 0 {
		return 0, err
	}
	return len(found.Data[0].Spans), nil
}
