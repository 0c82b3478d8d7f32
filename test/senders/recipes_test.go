//go:build senders

package senders

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

const recipesFile = "docs/senders.md"

// A code block stands behind a comment that says whether a test runs it, and under which name.
var (
	runMark    = regexp.MustCompile(`^<!-- run: ([a-z0-9-]+) -->$`)
	notRunMark = "<!-- not run -->"
)

var used struct {
	sync.Mutex
	names map[string]bool
}

// recipe is the code block of that name, with what is particular to the test in the place of the example's addresses
// and paths. Each of these must be there.
func recipe(t testing.TB, name string, replace ...string) string {
	t.Helper()
	blocks, _, err := readRecipes()
	require.NoError(t, err)
	text, ok := blocks[name]
	require.True(t, ok, "%s has no block %q", recipesFile, name)

	used.Lock()
	defer used.Unlock()
	if used.names == nil {
		used.names = make(map[string]bool)
	}
	used.names[name] = true
	for i := 0; i < len(replace); i += 2 {
		require.Contains(t, text, replace[i], "the block %q", name)
	}
	return strings.NewReplacer(replace...).Replace(text)
}

func recipesNotRun() []string {
	blocks, _, err := readRecipes()
	if err != nil {
		return []string{err.Error()}
	}
	used.Lock()
	defer used.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(blocks)), func(name string) bool { return used.names[name] })
}

// readRecipes is every marked block by its name, and the first lines of those without a mark.
func readRecipes() (blocks map[string]string, unmarked []string, err error) {
	text, err := os.ReadFile(filepath.Join(harness.RepoRoot, recipesFile))
	if err != nil {
		return nil, nil, err
	}
	blocks = make(map[string]string)
	var last, name string
	var block []string
	inside := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case inside && line == "```":
			if name != "" {
				blocks[name] += strings.Join(block, "\n") + "\n"
			}
			inside = false
		case inside:
			block = append(block, line)
		case strings.HasPrefix(line, "```"):
			inside, block, name = true, nil, ""
			if mark := runMark.FindStringSubmatch(last); mark != nil {
				name = mark[1]
			} else if last != notRunMark {
				unmarked = append(unmarked, line)
			}
		}
		last = line
	}
	return blocks, unmarked, nil
}

// Every block of the page says whether it is run.
func TestEveryBlockIsMarked(t *testing.T) {
	blocks, unmarked, err := readRecipes()
	require.NoError(t, err)
	require.NotEmpty(t, blocks)
	require.Empty(t, unmarked, "blocks without a mark in %s", recipesFile)
}

// writeRecipe puts a recipe into a file of the test's own.
func writeRecipe(t testing.TB, dir, file, text string) string {
	t.Helper()
	path := filepath.Join(dir, file)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
