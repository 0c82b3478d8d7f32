package generate

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFillReplacesTheTextBetweenTheMarks(t *testing.T) {
	page, err := fill([]byte("a <!-- generated: x -->old\nold<!-- end of generated --> b"), InMarkdown, map[string]string{"x": "new"})
	require.NoError(t, err)
	require.Equal(t, "a <!-- generated: x -->new<!-- end of generated --> b", string(page))

	page, err = fill([]byte("- {reason: {enum: [old]}} # generated: /in 400\n- {enum: [kept]}\n"), InEnums, map[string]string{"/in 400": "[new]"})
	require.NoError(t, err)
	require.Equal(t, "- {reason: {enum: [new]}} # generated: /in 400\n- {enum: [kept]}\n", string(page))

	page, err = fill([]byte("a:\n  # generated: x\n  b: 1\n  # end of generated\n  c: 2\n"), InYAML, map[string]string{"x": "  b: 2\n"})
	require.NoError(t, err)
	require.Equal(t, "a:\n  # generated: x\n  b: 2\n  # end of generated\n  c: 2\n", string(page))
}

func TestPutWritesOrChecks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page")
	require.ErrorContains(t, put(path, []byte("a"), true), "is out of date: run `make generate`")
	require.NoError(t, put(path, []byte("a"), false))
	require.NoError(t, put(path, []byte("a"), true))
	require.Error(t, put(path, []byte("b"), true))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "a", string(text))
}

func TestFillNeedsOneMarkForEachText(t *testing.T) {
	mark := "<!-- generated: x --><!-- end of generated -->"
	for name, page := range map[string]string{
		"no mark":      "",
		"no end":       "<!-- generated: x -->",
		"two marks":    mark + mark,
		"another text": mark + "<!-- generated: y --><!-- end of generated -->",
	} {
		_, err := fill([]byte(page), InMarkdown, map[string]string{"x": ""})
		require.Error(t, err, name)
	}
}
