package harness

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
)

// A code block stands behind a comment that says whether a test runs it, and under which name.
var (
	runMark    = regexp.MustCompile(`^<!-- run: ([a-z0-9-]+) -->$`)
	notRunMark = "<!-- not run -->"
)

// Page is a page of the documentation whose configurations tests run.
type Page struct {
	// File is its path in the repository.
	File string

	mu   sync.Mutex
	used map[string]bool
}

// Recipe is the code block of that name, with what is particular to the test in the place of the example's addresses
// and paths. Each of these must be there.
func (p *Page) Recipe(t testing.TB, name string, replace ...string) string {
	t.Helper()
	blocks, _, err := p.read()
	require.NoError(t, err)
	text, ok := blocks[name]
	require.True(t, ok, "%s has no block %q", p.File, name)

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used == nil {
		p.used = make(map[string]bool)
	}
	p.used[name] = true
	for i := 0; i < len(replace); i += 2 {
		require.Contains(t, text, replace[i], "the block %q", name)
	}
	return strings.NewReplacer(replace...).Replace(text)
}

// NotRun is the names of the blocks that are marked as run, and that no test has asked for.
func (p *Page) NotRun() []string {
	blocks, _, err := p.read()
	if err != nil {
		return []string{err.Error()}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(blocks)), func(name string) bool { return p.used[name] })
}

// read is every marked block by its name, and the first lines of those without a mark.
func (p *Page) read() (blocks map[string]string, unmarked []string, err error) {
	text, err := os.ReadFile(filepath.Join(RepoRoot, p.File))
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

// IsMarked demands that every block of the page says whether it is run.
func (p *Page) IsMarked(t testing.TB) {
	t.Helper()
	blocks, unmarked, err := p.read()
	require.NoError(t, err)
	require.NotEmpty(t, blocks)
	require.Empty(t, unmarked, "blocks without a mark in %s", p.File)
}

// WriteRecipe puts a recipe into a file of the test's own.
func WriteRecipe(t testing.TB, dir, file, text string) string {
	t.Helper()
	path := filepath.Join(dir, file)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
