package provider

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/spanway/spanway/internal/llm"
)

// responsesEventTypes are those that we write. OpenAI's library for Node throws on
// any that it does not know.
var responsesEventTypes = map[string]bool{
	"response.created": true, "response.in_progress": true, "response.completed": true, "response.incomplete": true, "response.failed": true, "error": true,
	"response.output_item.added": true, "response.output_item.done": true, "response.content_part.added": true, "response.content_part.done": true,
	"response.output_text.delta": true, "response.output_text.done": true, "response.refusal.delta": true, "response.refusal.done": true,
	"response.function_call_arguments.delta": true, "response.function_call_arguments.done": true,
	"response.reasoning_summary_part.added": true, "response.reasoning_summary_part.done": true,
	"response.reasoning_summary_text.delta": true, "response.reasoning_summary_text.done": true,
}

// wellFormed reads a stream as strictly as OpenAI's libraries do: numbers without
// a gap, items in order and told of by the id that they were announced with, and
// pieces that make up what is said whole. It returns the type of the last event.
func wellFormed(t *testing.T, stream string) (last string) {
	t.Helper()
	r := &responsesReading{t: t, ids: map[string]bool{}}
	watch := llm.NewWatch(r.event)
	if err := watch.Write([]byte(stream)); err != nil {
		t.Fatal(err)
	}
	watch.End()
	return r.last
}

// responsesReading is a stream as it is read.
type responsesReading struct {
	t     *testing.T
	next  float64
	last  string
	ids   map[string]bool
	items []object // as they were announced
	told  []string // what their pieces make up
	done  []any    // as they were told whole
}

func (r *responsesReading) event(e llm.Event) {
	var event object
	if err := json.Unmarshal(e.Data, &event); err != nil {
		r.t.Errorf("%s: %v", e.Data, err)
		return
	}
	kind, _ := event["type"].(string)
	switch {
	case !responsesEventTypes[kind] || string(e.Name) != kind:
		r.t.Errorf("the event %q has the type %q", e.Name, kind)
	case event["sequence_number"] == nil && kind == "error": // the server's, which does not know it
	case event["sequence_number"] != r.next:
		r.t.Errorf("%s has the number %v, want %v", kind, event["sequence_number"], r.next)
	case r.last == "response.completed" || r.last == "response.incomplete" || r.last == "response.failed":
		r.t.Errorf("%s comes after the end", kind)
	}
	r.next++
	r.last = kind
	if response, ok := event["response"].(object); ok {
		r.response(kind, response)
	}
	at, ok := event["output_index"].(float64)
	switch {
	case !ok:
	case kind == "response.output_item.added":
		r.added(int(at), event["item"].(object))
	case int(at) >= len(r.items):
		r.t.Errorf("%s is about item %v, which was not announced", kind, at)
	case kind == "response.output_item.done":
		item := event["item"].(object)
		if item["id"] != r.items[int(at)]["id"] || item["type"] != r.items[int(at)]["type"] || item["call_id"] != r.items[int(at)]["call_id"] {
			r.t.Errorf("item %v was announced as %v, and ended as %v", at, r.items[int(at)], item)
		}
		if text := itemText(item); text != r.told[int(at)] && text != "{}" {
			r.t.Errorf("item %v was told as %q, and ended as %q", at, r.told[int(at)], text)
		}
		r.done[int(at)] = item
	case event["item_id"] != r.items[int(at)]["id"]:
		r.t.Errorf("%s is about %v, want %v", kind, event["item_id"], r.items[int(at)]["id"])
	case strings.HasSuffix(kind, ".delta"):
		r.told[int(at)] += event["delta"].(string)
	}
}

func (r *responsesReading) added(at int, item object) {
	if at != len(r.items) {
		r.t.Errorf("item %d was announced, want %d", at, len(r.items))
	}
	for _, name := range []string{"id", "call_id"} {
		id, there := item[name].(string)
		if r.ids[name+id] && there || there && id == "" || name == "id" && !there {
			r.t.Errorf("item %d has the %s %q, which is used or empty", at, name, id)
		}
		r.ids[name+id] = true
	}
	r.items, r.told, r.done = append(r.items, item), append(r.told, ""), append(r.done, nil)
}

// response looks at the Response in an event: the last one has all that was told.
func (r *responsesReading) response(kind string, response object) {
	for _, name := range []string{"id", "object", "created_at", "model", "output", "tools", "tool_choice", "parallel_tool_calls", "text", "metadata", "instructions"} {
		if _, ok := response[name]; !ok {
			r.t.Errorf("%s has no %s", kind, name)
		}
	}
	if kind != "response.completed" && kind != "response.incomplete" {
		return
	}
	if output, _ := response["output"].([]any); len(output) != len(r.done) || len(output) > 0 && !reflect.DeepEqual(output, r.done) {
		r.t.Errorf("the Response has\n%v\nand told was\n%v", output, r.done)
	}
}

// itemText joins all that an item says.
func itemText(item object) (text string) {
	text, _ = item["arguments"].(string)
	for _, name := range []string{"content", "summary"} {
		list, _ := item[name].([]any)
		for _, part := range list {
			said, _ := part.(object)["text"].(string)
			refused, _ := part.(object)["refusal"].(string)
			text += said + refused
		}
	}
	return text
}
