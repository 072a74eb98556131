package policy_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/spanway/spanway/internal/gateway"
	"github.com/spanway/spanway/internal/gatewaytest"
	"github.com/spanway/spanway/internal/llm"
	"github.com/spanway/spanway/internal/policy"
)

const limit = 64 << 10

func zip(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text) // a buffer takes all
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func chat(filling int) string {
	return `{"model":"m","x":"` + strings.Repeat("a", filling) + `"}`
}

// chatOf is a chat of so many bytes.
func chatOf(size int) string { return chat(size - len(chat(0))) }

func noise(n int) string {
	letters := []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/")
	random, b := rand.New(rand.NewPCG(1, 2)), make([]byte, n) // the same each time
	for i := range b {
		b[i] = letters[random.IntN(len(letters))]
	}
	return string(b)
}

func readCall(body io.Reader, length int64, encoding string) *gateway.Call {
	call := gateway.NewCall(http.MethodPost, "/v1/chat/completions", nil)
	call.Body = gateway.Body{Reader: body, Length: length, Limit: limit}
	if encoding != "" {
		call.Header.Set("Content-Encoding", encoding)
	}
	return call
}

func TestReadTakesInWhatIsWithinTheLimit(t *testing.T) {
	for _, c := range []struct {
		name, body, encoding, decoded string
		code                          gateway.Code
	}{
		{name: "a small body", body: chatOf(30)},
		{name: "as large as may be", body: chatOf(limit)},
		{name: "one byte more", body: chatOf(limit + 1), code: gateway.TooLarge},
		{name: "identity", body: chatOf(30), encoding: "identity"},
		{name: "gzip", body: zip(t, chatOf(5000)), encoding: "gzip", decoded: chatOf(5000)},
		{name: "gzip in capitals", body: zip(t, chatOf(5000)), encoding: "GZIP", decoded: chatOf(5000)},
		{name: "gzip, as large as may be", body: zip(t, chatOf(limit)), encoding: "gzip", decoded: chatOf(limit)},
		{name: "gzip of one byte more", body: zip(t, chatOf(limit+1)), encoding: "gzip", code: gateway.TooLarge},
		{name: "gzip of two parts", body: zip(t, `{"model":`) + zip(t, `"m"}`), encoding: "gzip", decoded: `{"model":"m"}`},
		{name: "gzip that is none", body: chatOf(30), encoding: "gzip", code: gateway.Invalid},
		{name: "gzip that is cut", body: zip(t, noise(9000))[:4000], encoding: "gzip", code: gateway.Invalid},
		{name: "two encodings", body: chatOf(30), encoding: "gzip, gzip", code: gateway.UnsupportedMedia},
		{name: "br", body: chatOf(30), encoding: "br", code: gateway.UnsupportedMedia},
		{name: "no JSON", body: "model=m", code: gateway.Invalid},
		{name: "nothing", body: "", code: gateway.Invalid},
	} {
		for framing, length := range map[string]int64{"by length": int64(len(c.body)), "in chunks": -1} {
			for pace, paced := range map[string]func(io.Reader) io.Reader{
				"at once": func(r io.Reader) io.Reader { return r }, "by bytes": iotest.OneByteReader, "with the end": iotest.DataErrReader,
			} {
				t.Run(c.name+" "+framing+" "+pace, func(t *testing.T) {
					memory := policy.NewMemory(4 * limit)
					call := readCall(paced(strings.NewReader(c.body)), length, c.encoding)
					var got []byte
					held := int64(0)
					next := gatewaytest.Answers(gateway.HandlerFunc(func(_ ctx, call *gateway.Call) (*gateway.Reply, error) {
						got, held = call.Body.Bytes, memory.Used()
						if !call.Body.Replayable() || call.LLM.Model != "m" || call.Header.Get("Content-Encoding") != "" || call.Body.Length != int64(len(got)) {
							t.Errorf("the call goes on as %+v, its body as %+v", call.LLM, call.Body)
						}
						return gateway.NewReply(http.StatusOK, nil, nil, 0, nil), nil
					}))
					answer := gatewaytest.DoCall(t.Context(), gateway.Chain(next, policy.Read(llm.Chat, memory)), call)
					want := c.decoded
					if want == "" {
						want = c.body
					}
					switch {
					case c.code != "":
						if codeOf(answer) != c.code || next.Tries() > 0 {
							t.Errorf("answer %v, want %s", answer, c.code)
						}
					case answer != http.StatusOK || string(got) != want:
						t.Errorf("answer %v, %d bytes went on, want %d", answer, len(got), len(want))
					case held < int64(len(got)):
						t.Errorf("%d bytes are held, and %d are counted", len(got), held)
					}
					if memory.Used() != 0 {
						t.Errorf("%d bytes of memory were not given back", memory.Used())
					}
				})
			}
		}
	}
}

func TestAGzippedBodyMayNotGrowWithoutBound(t *testing.T) {
	call := readCall(strings.NewReader(zip(t, chat(8<<20))), -1, "gzip")
	call.Body.Limit = 16 << 20
	memory := policy.NewMemory(32 << 20)
	answer := gatewaytest.DoCall(t.Context(), gateway.Chain(gatewaytest.Answers(http.StatusOK), policy.Read(llm.Chat, memory)), call)
	if codeOf(answer) != gateway.TooLarge {
		t.Errorf("answer %v, want %s", answer, gateway.TooLarge)
	}
	// What grows as texts do is let through.
	text := `{"model":"m","x":"` + strings.Repeat(noise(20000), 60) + `"}`
	call = readCall(strings.NewReader(zip(t, text)), -1, "gzip")
	call.Body.Limit = 16 << 20
	if answer := gatewaytest.DoCall(t.Context(), gateway.Chain(gatewaytest.Answers(http.StatusOK), policy.Read(llm.Chat, memory)), call); answer != http.StatusOK {
		t.Errorf("answer %v", answer)
	}
}

func TestReadPassesOnWhatTheServerSaysOfTheBody(t *testing.T) {
	for _, want := range []error{
		gateway.Errorf(gateway.ClientTimeout, "slow"),
		gateway.Errorf(gateway.Canceled, "gone"),
		gateway.Errorf(gateway.Invalid, "a bad chunk"),
	} {
		for _, encoding := range []string{"", "gzip"} {
			body := io.MultiReader(strings.NewReader(zip(t, noise(5000))[:2000]), iotest.ErrReader(want))
			memory := policy.NewMemory(1 << 20)
			call := readCall(body, -1, encoding)
			answer := gatewaytest.DoCall(t.Context(), gateway.Chain(gatewaytest.Answers(http.StatusOK), policy.Read(llm.Chat, memory)), call)
			if err, ok := answer.(error); !ok || !errors.Is(err, want) {
				t.Errorf("%q: answer %v, want %v", encoding, answer, want)
			}
			refused := len(call.Notes()) == 1
			if gone := codeOf(want) == gateway.Canceled; refused == gone {
				t.Errorf("%v: noted %v", want, call.Notes())
			}
			if memory.Used() != 0 {
				t.Errorf("%v: %d bytes were not given back", want, memory.Used())
			}
		}
	}
}

func TestMemoryIsSharedByAllCalls(t *testing.T) {
	memory := policy.NewMemory(100)
	read := policy.Read(llm.Chat, memory)
	body := chatOf(60)
	first, err := gateway.Chain(gatewaytest.Answers(http.StatusOK), read).Handle(t.Context(), readCall(strings.NewReader(body), 60, ""))
	if err != nil {
		t.Fatal(err)
	}
	full := gatewaytest.DoCall(t.Context(), gateway.Chain(gatewaytest.Answers(http.StatusOK), read), readCall(strings.NewReader(body), 60, ""))
	e, ok := full.(*gateway.Error)
	if !ok || e.Code != gateway.Overloaded || e.RetryAfter == 0 {
		t.Errorf("answer %v, want overloaded, and when to try again", full)
	}
	if memory.Used() != 60 {
		t.Errorf("%d bytes are taken, want those of the first call", memory.Used())
	}
	first.Close()
	first.Close()
	if memory.Used() != 0 {
		t.Errorf("%d bytes are taken after the end", memory.Used())
	}
	if answer := gatewaytest.DoCall(t.Context(), gateway.Chain(gatewaytest.Answers(errors.New("no")), read), readCall(strings.NewReader(body), 60, "")); answer == http.StatusOK || memory.Used() != 0 {
		t.Errorf("after an error %v, %d bytes are taken", answer, memory.Used())
	}
}

func TestAFalseLengthTakesNoRoomBeforeItIsRefused(t *testing.T) {
	memory := policy.NewMemory(10 * limit)
	call := readCall(unreadable{t}, 1<<40, "")
	answer := gatewaytest.DoCall(t.Context(), gateway.Chain(gatewaytest.Answers(http.StatusOK), policy.Read(llm.Chat, memory)), call)
	if codeOf(answer) != gateway.TooLarge {
		t.Errorf("answer %v", answer)
	}
}

func TestReadDropsTheBodyOfACallForTheModels(t *testing.T) {
	call := readCall(unreadable{t}, 10, "")
	answer := gatewaytest.DoCall(t.Context(), gateway.Chain(gatewaytest.Answers(http.StatusOK), policy.Read(llm.Models, policy.NewMemory(0))), call)
	if answer != http.StatusOK || call.Body.Reader != nil {
		t.Errorf("answer %v, body %+v", answer, call.Body)
	}
}
