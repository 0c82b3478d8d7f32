package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFillReplacesTheTextBetweenTheMarks(t *testing.T) {
	page, err := fill([]byte("a <!-- generated: x -->old\nold<!-- end of generated --> b"), inMarkdown, map[string]string{"x": "new"})
	require.NoError(t, err)
	require.Equal(t, "a <!-- generated: x -->new<!-- end of generated --> b", string(page))

	page, err = fill([]byte("- {reason: {enum: [old]}} # generated: /in 400\n- {enum: [kept]}\n"), inYAML, map[string]string{"/in 400": "[new]"})
	require.NoError(t, err)
	require.Equal(t, "- {reason: {enum: [new]}} # generated: /in 400\n- {enum: [kept]}\n", string(page))
}

func TestFillNeedsOneMarkForEachText(t *testing.T) {
	mark := "<!-- generated: x --><!-- end of generated -->"
	for name, page := range map[string]string{
		"no mark":      "",
		"no end":       "<!-- generated: x -->",
		"two marks":    mark + mark,
		"another text": mark + "<!-- generated: y --><!-- end of generated -->",
	} {
		_, err := fill([]byte(page), inMarkdown, map[string]string{"x": ""})
		require.Error(t, err, name)
	}
}
