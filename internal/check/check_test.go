package check

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestPathsAreWrittenAsInMessagesAndNoTwoAlike(t *testing.T) {
	for want, path := range map[string][]any{
		"":                              nil,
		"routes[3].targets[0].upstream": {"routes", 3, "targets", 0, "upstream"},
		"models.openai/gpt-5.targets":   {"models", "openai/gpt-5", "targets"},
		`models["gpt-5.1"].targets`:     {"models", "gpt-5.1", "targets"},
		`models["a].b"]`:                {"models", "a].b"},
		`models[""]`:                    {"models", ""},
	} {
		if got := Place(path); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestProblemsAreSeenFromWhereTheyAre(t *testing.T) {
	problems := New()
	problems.At("routes", 0).Addf("path", "must begin with a slash, is %q", "x")
	problems.At("routes", 1).Addf("", "must have a name")
	all := problems.All()
	if len(all) != 2 || Place(all[0].Path) != "routes[0].path" || Place(all[1].Path) != "routes[1]" ||
		all[0].Text != `must begin with a slash, is "x"` {
		t.Errorf("got %+v", all)
	}
}

func TestNoWayOfPrintingShowsASecret(t *testing.T) {
	const value = "s3cret-value"
	secret := NewSecret(value)
	held := struct {
		Key  Secret
		Keys []*Secret
	}{secret, []*Secret{&secret}}
	encoded, err := json.Marshal(held)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{
		fmt.Sprint(secret), fmt.Sprintf("%v %+v %#v %s %q %x %d", secret, secret, secret, secret, secret, secret, secret),
		fmt.Sprintf("%v %+v %#v", held, held, held), string(encoded), secret.String(), secret.GoString(),
	} {
		if strings.Contains(shown, value) || strings.Contains(shown, fmt.Sprintf("%x", value)) {
			t.Errorf("shown: %s", shown)
		}
	}
	if secret.Reveal() != value || secret.Empty() || !NewSecret("").Empty() {
		t.Error("the value is lost")
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "12": 12, "12B": 12, "64KiB": 64 << 10, "10MiB": 10 << 20, "1GiB": 1 << 30} {
		var size Size
		if err := size.UnmarshalText([]byte(text)); err != nil || size != want {
			t.Errorf("%s: got %d, %v", text, size, err)
		}
		var again Size
		if err := again.UnmarshalText([]byte(size.String())); err != nil || again != size {
			t.Errorf("%s is written %s", text, size)
		}
	}
	for _, text := range []string{"", "B", "-1", "1.5MiB", "1MB", "1 MiB", "99999999999GiB", "9223372036854775808"} {
		var size Size
		if err := size.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as %d", text, size)
		}
	}
}
