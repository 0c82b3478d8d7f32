package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// logged is a line that the code logs at warn or error.
type logged struct{ level, message string }

// madeElsewhere has the lines whose text is made elsewhere, by the call.
var madeElsewhere = map[string]logged{
	"log.Warn(warning)":    {"warn", "rtbeat."}, // config.Load makes them
	"bt.log.Warn(warning)": {"warn", "rtbeat."},
	"log = bt.log.Warn":    {"warn", "stopped: "},
	"report = l.log.Warn":  {"warn", "http server"},
}

// docs/operations.md has each line that rtbeat logs at warn or error, with its level, and no other line.
func TestTheDocsHaveAllWarningsAndErrors(t *testing.T) {
	told := logLinesInDocs(t)
	written := logLinesInCode(t)
	matches := func(line, row logged) bool {
		line.message, _, _ = strings.Cut(line.message, "%")
		row.message, _, _ = strings.Cut(row.message, "…")
		return line.level == row.level && (strings.HasPrefix(row.message, line.message) || strings.HasPrefix(line.message, row.message))
	}
	for _, line := range written {
		found := false
		for _, row := range told {
			found = found || matches(line, row)
		}
		require.True(t, found, "docs/operations.md has no row for %s %q", line.level, line.message)
	}
	for _, row := range told {
		found := false
		for _, line := range written {
			found = found || matches(line, row)
		}
		require.True(t, found, "nothing logs %s %q", row.level, row.message)
	}
}

func logLinesInDocs(t *testing.T) (rows []logged) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "operations.md"))
	require.NoError(t, err)
	_, table, found := strings.Cut(string(text), "## Log lines worth an alert")
	require.True(t, found)
	table, _, found = strings.Cut(table, "libbeat adds these:")
	require.True(t, found)
	for _, cells := range regexp.MustCompile("(?m)^\\| `([^`]+)`[^|]*\\| (\\w+) \\| rtbeat[.a-z]* \\|").FindAllStringSubmatch(table, -1) {
		rows = append(rows, logged{cells[2], cells[1]})
	}
	require.Len(t, rows, strings.Count(table, "\n| `"), "a row that is not understood")
	return rows
}

func logLinesInCode(t *testing.T) (lines []logged) {
	t.Helper()
	for _, folder := range []string{"beater", "cmd", "config", "internal"} {
		require.NoError(t, filepath.WalkDir(filepath.Join("..", folder), func(path string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				lines = append(lines, logLinesInFile(t, path)...)
			}
			return err
		}))
	}
	require.Greater(t, len(lines), 20)
	return lines
}

// logLinesInFile finds calls such as log.Warnw, also of methods that were assigned to a variable.
func logLinesInFile(t *testing.T, path string) (lines []logged) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
	require.NoError(t, err)
	source := func(n ast.Node) string {
		return string(text[set.Position(n.Pos()).Offset:set.Position(n.End()).Offset])
	}
	elsewhere := func(call string) {
		line, known := madeElsewhere[call]
		require.True(t, known, "%s: cannot find the text of this log line: %s", path, call)
		lines = append(lines, line)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, value := range n.Rhs {
				if selector, is := value.(*ast.SelectorExpr); is {
					if _, is := levelOf(source(selector)); is {
						elsewhere(source(n.Lhs[i]) + " = " + strings.TrimSuffix(source(selector), "w"))
					}
				}
			}
		case *ast.CallExpr:
			level, is := levelOf(source(n.Fun))
			if !is || len(n.Args) == 0 {
				return true
			}
			first := n.Args[0]
			if sum, is := first.(*ast.BinaryExpr); is {
				first = sum.X
			}
			literal, is := first.(*ast.BasicLit)
			if !is {
				elsewhere(source(n))
				return true
			}
			message, err := strconv.Unquote(literal.Value)
			require.NoError(t, err)
			lines = append(lines, logged{level, message})
		}
		return true
	})
	return lines
}

// levelOf is the level of a logger's method: of log.Warnw, or of r.log.Errorf.
func levelOf(method string) (level string, is bool) {
	found := regexp.MustCompile(`(?:^|\.)[lL]og\.(Warn|Error)[wf]?$`).FindStringSubmatch(method)
	if found == nil {
		return "", false
	}
	return strings.ToLower(found[1]), true
}
