package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	codeBlock = regexp.MustCompile("(?s)\n *```.*?\n *```")
	link      = regexp.MustCompile(`(?:\]\(|\b(?:src|srcset|href)=")([^)\s"]+)`)
	heading   = regexp.MustCompile(`(?m)^#{1,6} +(.*)$`)
	linked    = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	unslugged = regexp.MustCompile(`[^\p{L}\p{N}\- _]`)
)

// Every link of a page within the repository leads to a file and a heading.
func TestLinksInTheDocsWork(t *testing.T) {
	list, err := exec.CommandContext(t.Context(), "git", "-C", "..", "ls-files", "--cached", "--others", "--exclude-standard", "*.md").Output()
	if err != nil {
		t.Skipf("without the repository's history there is no list of its pages: %v", err)
	}
	pages := strings.Fields(string(list))
	require.Contains(t, pages, "README.md")
	for _, page := range pages {
		for _, found := range link.FindAllStringSubmatch(prose(t, page), -1) {
			path, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(path, ":") { // https:, mailto:
				continue
			}
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			_, err := os.Stat(filepath.Join("..", target))
			require.NoError(t, err, "%s links to %s", page, found[1])
			if anchor != "" && strings.HasSuffix(target, ".md") {
				require.Contains(t, anchors(t, target), anchor, "%s links to %s", page, found[1])
			}
		}
	}
}

var (
	paragraphEnd = regexp.MustCompile(`\n(?:\n|- |\d+\. )`)
	sourceFile   = regexp.MustCompile("`(\\w+\\.go)`")
	sourceFolder = regexp.MustCompile(`internal/\w+`)
)

// A file of rtbeat that a paragraph of architecture.md names is in one of the packages that the paragraph names.
func TestTheArchitectureNamesFilesThatExist(t *testing.T) {
	own, _, found := strings.Cut(prose(t, "docs/architecture.md"), "\n## What libbeat does")
	require.True(t, found)
	for _, paragraph := range paragraphEnd.Split(own, -1) {
		for _, file := range sourceFile.FindAllStringSubmatch(paragraph, -1) {
			require.True(t, slices.ContainsFunc(sourceFolder.FindAllString(paragraph, -1), func(folder string) bool {
				_, err := os.Stat(filepath.Join("..", folder, file[1]))
				return err == nil
			}), "%s in:\n%s", file[1], paragraph)
		}
	}
}

// prose is a page without its code.
func prose(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", page))
	require.NoError(t, err)
	return codeBlock.ReplaceAllString(string(text), "")
}

// anchors are GitHub's names of a page's headings.
func anchors(t *testing.T, page string) map[string]bool {
	t.Helper()
	names, seen := map[string]bool{}, map[string]int{}
	for _, found := range heading.FindAllStringSubmatch(prose(t, page), -1) {
		text := linked.ReplaceAllString(strings.TrimSpace(found[1]), "$1")
		name := strings.ReplaceAll(unslugged.ReplaceAllString(strings.ToLower(text), ""), " ", "-")
		if n := seen[name]; n > 0 {
			names[name+"-"+strconv.Itoa(n)] = true
		} else {
			names[name] = true
		}
		seen[name]++
	}
	return names
}
