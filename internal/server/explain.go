package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/spanway/spanway/internal/gateway"
)

// By this header a caller asks what was decided on their call, and in it is told.
const explain = "X-Spanway-Explain"

// takeExplain takes the question out of the headers. Whether it is answered is
// known only when the caller is.
func takeExplain(call *gateway.Call) {
	if values, ok := call.Header[explain]; ok {
		delete(call.Header, explain)
		call.Explain = len(values) == 1 && values[0] == "1"
	}
}

// maxExplanation bounds the header: clients and proxies refuse long heads.
const maxExplanation = 4 << 10

// explanation is the notes of a call until now, as JSON that a header can hold.
func explanation(call *gateway.Call) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"trace_id":%s,"attempts":%d,"notes":[`, quoted(call.TraceID), call.Attempts())
	const end, cut = `]}`, `],"more":true}`
	for i, note := range call.Notes() {
		begin := b.Len()
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"note":%s,"ms":%.1f`, quoted(note.Name()), float64(note.At.Sub(call.Received).Microseconds())/1000)
		for _, fact := range note.Facts {
			b.WriteString("," + quoted(fact.Key) + ":" + quoted(fact.Value))
		}
		b.WriteByte('}')
		if b.Len()+len(cut) > maxExplanation {
			return b.String()[:begin] + cut
		}
	}
	return b.String() + end
}

// quoted is a JSON string in ASCII alone.
func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return `""` // a string is always JSON
	}
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case r < 0x80 && r != 0x7f:
			b.WriteRune(r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
	}
	return b.String()
}
