package harness

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// The comment above a code block says whether a test runs it, and names it, or why no test can.
var (
	runMark    = regexp.MustCompile(`^<!-- run: ([a-z0-9-]+) -->$`)
	notRunMark = regexp.MustCompile(`^<!-- not run(: .+)? -->$`)
)

// Page is a page of the docs with configurations that tests run.
type Page struct {
	// File is its path in the repository.
	File string

	mu   sync.Mutex
	used map[string]bool
}

// Recipe returns a code block by name. replace has pairs of an example's address or path, which must be in the block, and its
// replacement.
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

// Run is Run for a suite with recipes. A complete run that must not skip fails if no test has requested one of them.
func (p *Page) Run(m *testing.M) int {
	code := Run(m)
	if code != 0 || !IsRequired() || flag.Lookup("test.run").Value.String() != "" {
		return code
	}
	blocks, _, err := p.read()
	for name := range blocks {
		if !p.used[name] {
			err = errors.Join(err, fmt.Errorf("no test runs the block %q", name))
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.File, err)
		return 1
	}
	return 0
}

// read returns the marked blocks by name, and the first lines of unmarked blocks.
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
			} else if !notRunMark.MatchString(last) {
				unmarked = append(unmarked, line)
			}
		}
		last = line
	}
	return blocks, unmarked, nil
}

// RequireMarks fails the test if a block of the page has no mark.
func (p *Page) RequireMarks(t testing.TB) {
	t.Helper()
	blocks, unmarked, err := p.read()
	require.NoError(t, err)
	require.NotEmpty(t, blocks)
	require.Empty(t, unmarked, "blocks without a mark in %s", p.File)
}

// WriteRecipe writes a recipe to a file.
func WriteRecipe(t testing.TB, dir, file, text string) string {
	t.Helper()
	path := filepath.Join(dir, file)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
