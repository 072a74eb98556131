package gatewaytest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// block is what happens at one request.
type block struct {
	line  int
	head  *head // nil: there is none, only steps
	steps []step
}

type head struct {
	status int
	header http.Header
	body   string
	stream bool
}

type step struct {
	verb string
	text string        // of data, comment and raw: the bytes
	wait time.Duration // of after
}

// parse reads a script.
func parse(script string) ([]block, error) {
	var blocks []block
	open := false
	for i, line := range strings.Split(script, "\n") {
		line = strings.TrimRight(line, " \t\r")
		switch {
		case strings.HasPrefix(line, "#"):
			continue
		case line == "":
			open = false
			continue
		}
		h, s, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("script, line %d: %w", i+1, err)
		}
		if !open || h != nil && blocks[len(blocks)-1].head != nil {
			blocks = append(blocks, block{line: i + 1})
			open = true
		}
		now := &blocks[len(blocks)-1]
		if h != nil {
			now.head, s = h, step{verb: "head"}
		}
		now.steps = append(now.steps, s)
	}
	return blocks, nil
}

func parseLine(line string) (*head, step, error) {
	verb, rest, _ := strings.Cut(line, " ")
	if status, err := strconv.Atoi(verb); err == nil {
		header, body := headers(rest)
		return &head{status: status, header: header, body: body}, step{}, nil
	}
	switch verb {
	case "stream":
		header, extra := headers(rest)
		if extra != "" {
			return nil, step{}, fmt.Errorf("%q is no header", extra)
		}
		if header.Get("Content-Type") == "" {
			header.Set("Content-Type", "text/event-stream")
		}
		return &head{status: http.StatusOK, header: header, stream: true}, step{}, nil
	case "data:":
		return nil, step{verb: "send", text: line + "\n\n"}, nil
	case "comment":
		return nil, step{verb: "send", text: ": " + rest + "\n\n"}, nil
	case "raw":
		text, err := strconv.Unquote(rest)
		return nil, step{verb: "send", text: text}, err
	case "after":
		wait, err := time.ParseDuration(rest)
		return nil, step{verb: verb, wait: wait}, err
	case "hang", "cut", "reset", "garbage", "refuse":
		return nil, step{verb: verb}, nil
	}
	return nil, step{}, fmt.Errorf("%q is no step", line)
}

// headers takes name=value words off the front of a line.
func headers(text string) (header http.Header, rest string) {
	header = http.Header{}
	for {
		word, after, _ := strings.Cut(text, " ")
		name, value, ok := strings.Cut(word, "=")
		if !ok || name == "" || strings.ContainsAny(name, `{}[]<>":`) {
			return header, text
		}
		header.Add(name, value)
		text = after
	}
}
