package llm

import "testing"

func TestPatchUsageAsksForTheUsageAndChangesNothingElse(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"without options", `{"model":"a","stream":true}`, `{"stream_options":{"include_usage":true},"model":"b","stream":true}`},
		{"after white space", ` { "model":"a"}`, ` {"stream_options":{"include_usage":true}, "model":"b"}`},
		{"options that are null", `{"stream_options": null,"model":"a"}`, `{"stream_options": {"include_usage":true},"model":"b"}`},
		{"no options in them", `{"model":"a","stream_options":{ }}`, `{"model":"b","stream_options":{"include_usage":true }}`},
		{"others in them", `{"model":"a","stream_options":{"include_obfuscation":false}}`, `{"model":"b","stream_options":{"include_usage":true,"include_obfuscation":false}}`},
		{"it is there and false", `{"stream_options":{"x":1,"include_usage":false ,"y":2},"model":"a"}`, `{"stream_options":{"x":1,"include_usage":true ,"y":2},"model":"b"}`},
		{"it is there and null", `{"model":"a","stream_options":{"include_usage":null}}`, `{"model":"b","stream_options":{"include_usage":true}}`},
		{"what is like it in a text", `{"user":"\"stream_options\":{","model":"a"}`, `{"stream_options":{"include_usage":true},"user":"\"stream_options\":{","model":"b"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := ScanRequest([]byte(tt.body), Chat)
			if err != nil {
				t.Fatal(err)
			}
			got := string(r.PatchUsage([]byte(tt.body), "b"))
			if got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			if again, err := ScanRequest([]byte(got), Chat); err != nil || !again.IncludeUsage || again.Model != "b" {
				t.Errorf("what was written reads as %+v, %v", again, err)
			}
		})
	}
}
