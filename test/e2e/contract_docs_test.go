//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// row is an answer in a table of docs/http-api.md.
type row struct {
	code       int
	status     string
	reason     string
	retryAfter bool
	closes     bool
	setting    string // of /readyz
}

// promises has the tables of docs/http-api.md, so that no case repeats them.
type promises struct {
	answers map[string]row  // to senders, by reason
	plain   map[string]bool // of Go's HTTP server, by code
	health  []row           // of /livez and /readyz: their reason is path and reason
	bodies  [][]string      // bodies, their content types, and what becomes of them
}

func readPromises(t testing.TB) promises {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(harness.RepoRoot, "docs", "http-api.md"))
	require.NoError(t, err)
	text := string(data)
	p := promises{answers: make(map[string]row), plain: make(map[string]bool)}
	for _, cells := range docsTable(t, text, "| code | status | reason | Retry-After | connection | situation |") {
		code, err := strconv.Atoi(cells[0])
		require.NoError(t, err)
		require.Contains(t, []string{"yes", "no"}, cells[3])
		require.Contains(t, []string{"stays", "closes"}, cells[4])
		require.NotContains(t, p.answers, cells[2])
		p.answers[cells[2]] = row{code: code, status: cells[1], reason: cells[2], retryAfter: cells[3] == "yes", closes: cells[4] == "closes"}
	}
	for _, cells := range docsTable(t, text, "| code | situation |") {
		p.plain[cells[0]] = true
	}
	for _, cells := range docsTable(t, text, "| path | code | status | reason | setting | situation |") {
		code, err := strconv.Atoi(cells[1])
		require.NoError(t, err)
		p.health = append(p.health, row{code: code, status: cells[2], reason: cells[0] + " " + cells[3], setting: cells[4]})
	}
	p.bodies = docsTable(t, text, "| body | `Content-Type` | messages, or the answer |")
	return p
}

// docsTable reads the table below a header row: a slice of cells for each row.
func docsTable(t testing.TB, text, header string) [][]string {
	t.Helper()
	_, table, found := strings.Cut(text, "\n"+header+"\n")
	require.True(t, found, header)
	var rows [][]string
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		rows = append(rows, cells)
	}
	require.Greater(t, len(rows), 1, header)
	return rows[1:] // without the ruler
}
