package auth

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSecretsUnpack(t *testing.T) {
	for name, c := range map[string]struct {
		value any
		want  Secrets
	}{
		"one text": {"a", Unnamed("a")},
		"a list":   {[]any{"b", "a"}, Unnamed("b", "a")},
		"a group":  {map[string]any{"bob": "b", "alice": "a"}, Secrets{{"alice", "a"}, {"bob", "b"}}},
		"no list":  {[]any{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := Unnamed("from before")
			require.NoError(t, s.Unpack(c.value))
			require.Equal(t, c.want, s)
		})
	}
	for _, value := range []any{5, []any{"a", 5}, map[string]any{"a": []any{"5ecret"}}} {
		s := Unnamed("from before")
		require.EqualError(t, s.Unpack(value), "a secret is not read as text; put it in quotes")
		require.Equal(t, Unnamed("from before"), s)
	}
}

func TestNamesOfSecrets(t *testing.T) {
	for _, name := range []string{"alice", "A", "_", "-", "7a", "a7", strings.Repeat("a", 64)} {
		require.NoError(t, Secrets{{name, "x"}}.check("key", checkAny), name)
	}
	for _, name := range []string{"a b", "a.b", "grün", "a\n", " ", strings.Repeat("a", 65)} {
		err := Secrets{{"good", "y"}, {name, "x"}}.check("key", checkAny)
		require.EqualError(t, err, "key has a name that cannot be used; use up to 64 letters, digits, - and _", name)
	}
	require.EqualError(t, Secrets{{"a", "x"}, {"b", "x"}}.check("key", checkAny),
		"key.b is the same secret as key.a, so rtbeat cannot tell who sends; give each its own")
	require.NoError(t, Unnamed("x", "x").check("key", checkAny), "as before there were names")
	require.EqualError(t, Secrets{{"a", " "}}.check("key", checkAny), "key.a is empty; give it a value, or leave it out")
}
