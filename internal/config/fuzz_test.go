package config

import (
	"strings"
	"testing"
)

// Whatever the text is, Parse ends, and shows nothing that came from outside.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yaml", "../../examples/*.yaml"} {
		for _, path := range glob(f, pattern) {
			f.Add(read(f, path))
		}
	}
	f.Add([]byte("a: &a [*a]\nroutes: *a"))
	f.Add([]byte("{listen: {data: '${CANARY}'}, upstreams: {x: {url: '${CANARY}', keys: ['${CANARY}', '${CANARY}']}}}"))
	getenv := world(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Parse("f.yaml", text, getenv)
		if (file == nil) == (err == nil) {
			t.Fatalf("file %v and error %v", file, err)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("shows a secret: %v", err)
		}
		if file != nil {
			Effective(file)
		}
	})
}
