package batch

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever makes messages known, two messages have one key if they have one scope, one id and the same bytes, and only then.
func TestKeysAreEqualForRetriesOnly(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(texts ...string) string { return texts[random.IntN(len(texts))] }
	known := map[Key]string{}
	for range 20_000 {
		id := Identity{Scope: pick("", "s", "ss"), Given: pick("", "g", "sg", "s"), Content: random.IntN(2) == 0}
		if random.IntN(2) == 0 {
			id.Fields = []string{"uuid", "event.id"}
		}
		var texts, want []string
		for i := range 1 + random.IntN(3) {
			text := pick(`{}`, `{"uuid":"a"}`, `{"uuid":"b"}`, `{"uuid":7}`, `{"event":{"id":"a"}}`, `{"n":1}`, `{"n":"sg"}`)
			isKnown := id.Fields != nil && text != `{}` && text != `{"n":1}` && text != `{"n":"sg"}`
			switch {
			case isKnown || id.Given == "" && id.Content:
				want = append(want, fmt.Sprintf("%q %q", id.Scope, text))
			case id.Given != "":
				want = append(want, fmt.Sprintf("%q %q %d %q", id.Scope, id.Given, i, text))
			default:
				want = append(want, "")
			}
			texts = append(texts, text)
		}
		body := "[" + strings.Join(texts, ",") + "]"
		b, err := Decode([]byte(body), Options{Identity: id})
		require.NoError(t, err)
		for i, m := range b.Messages {
			if want[i] == "" {
				require.Zero(t, m.Key, "%s %+v", body, id)
				continue
			}
			if known[m.Key] == "" {
				known[m.Key] = want[i]
			}
			require.Equal(t, known[m.Key], want[i], "%s %+v", body, id)
		}
	}
	names := map[string]bool{}
	for _, name := range known {
		require.False(t, names[name], "%s has two keys", name)
		names[name] = true
	}
	require.Greater(t, len(names), 100)
}
