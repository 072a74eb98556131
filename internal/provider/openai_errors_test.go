package provider

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/spanway/spanway/internal/gateway"
)

func TestOpenAIError(t *testing.T) {
	tests := []struct {
		name  string
		err   *gateway.Error
		trace string
		want  string
	}{
		{"the caller's mistake names its field", &gateway.Error{Code: gateway.Invalid, Message: `"n" must be a whole number`, Param: "n"}, "0af7651916cd43dd8448eb211c80319c",
			`{"error":{"message":"\"n\" must be a whole number","type":"invalid_request_error","param":"n","code":"invalid_request","trace_id":"0af7651916cd43dd8448eb211c80319c"}}`},
		{"without tracing there is no trace id", gateway.Errorf(gateway.Internal, "internal error"), "",
			`{"error":{"message":"internal error","type":"server_error","param":null,"code":"internal_error"}}`},
		{"no key", gateway.Errorf(gateway.Unauthenticated, "no"), "", `{"error":{"message":"no","type":"authentication_error","param":null,"code":"invalid_api_key"}}`},
		{"a key that may not", gateway.Errorf(gateway.Forbidden, "no"), "", `{"error":{"message":"no","type":"permission_error","param":null,"code":"forbidden"}}`},
		{"no such model", gateway.Errorf(gateway.NoModel, "no"), "", `{"error":{"message":"no","type":"invalid_request_error","param":null,"code":"model_not_found"}}`},
		{"no such path", gateway.Errorf(gateway.NoRoute, "no"), "", `{"error":{"message":"no","type":"invalid_request_error","param":null,"code":"no_route"}}`},
		{"no room", gateway.Errorf(gateway.Overloaded, "no"), "", `{"error":{"message":"no","type":"server_error","param":null,"code":"overloaded"}}`},
		{"a provider that broke", gateway.Errorf(gateway.UpstreamFailed, "no"), "", `{"error":{"message":"no","type":"api_error","param":null,"code":"upstream_failed"}}`},
		{"a provider that is late", gateway.Errorf(gateway.UpstreamTimeout, "no"), "", `{"error":{"message":"no","type":"api_error","param":null,"code":"upstream_timeout"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			contentType, body := OpenAI.Error(tt.err, tt.trace)
			if contentType != "application/json" || string(body) != tt.want {
				t.Errorf("got %s\n%s\nwant\n%s", contentType, body, tt.want)
			}
		})
	}
}

func TestAnErrorsTextCannotLeaveItsString(t *testing.T) {
	hostile := "a\"},\\\r\n\ndata: [DONE]\n\n\x00\x7f</script>\u2028\xff\xfe é 😀"
	event := string(OpenAI.StreamError(&gateway.Error{Code: gateway.Invalid, Message: hostile, Param: hostile}, hostile))
	body, ok := strings.CutPrefix(event, "\n\ndata: ")
	body, ok2 := strings.CutSuffix(body, "\n\n")
	if !ok || !ok2 || strings.ContainsAny(body, "\r\n\x00<>") {
		t.Fatalf("the event is %q", event)
	}
	var got struct {
		Error struct {
			Message, Param string
			TraceID        string `json:"trace_id"`
		}
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	want := strings.ToValidUTF8(hostile, "\ufffd\ufffd") // two bytes that are no text
	if got.Error.Message != want || got.Error.Param != want || got.Error.TraceID != want {
		t.Errorf("got %q, want %q", got.Error.Message, want)
	}
}
