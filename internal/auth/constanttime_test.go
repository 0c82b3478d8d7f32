package auth

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"

	"github.com/stretchr/testify/require"
)

// The time of a comparison must not tell which secret matched, nor how many of its bytes. A measurement on a shared machine proves
// little, so this test reads the loops: every candidate goes through crypto/subtle, and no loop has a branch.
func TestComparisonsDoNotBranch(t *testing.T) {
	for file, want := range map[string]struct {
		name  string
		loops int
	}{"digest.go": {"find", 1}, "signature.go": {"verify", 2}} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		loops := 0
		for _, decl := range parsed.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if !ok || function.Name.Name != want.name {
				continue
			}
			ast.Inspect(function.Body, func(node ast.Node) bool {
				loop, isLoop := node.(*ast.RangeStmt)
				if isLoop {
					loops++
					holdStraight(t, loop.Body)
				}
				return true
			})
		}
		require.Equal(t, want.loops, loops, "the loops of %s in %s", want.name, file)
	}
}

func holdStraight(t *testing.T, body *ast.BlockStmt) {
	t.Helper()
	compares := 0
	ast.Inspect(body, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.IfStmt, *ast.SwitchStmt, *ast.BranchStmt, *ast.ReturnStmt, *ast.SelectStmt:
			require.Failf(t, "a branch in a comparison", "%T", n)
		case *ast.BinaryExpr:
			require.NotContains(t, []token.Token{token.LAND, token.LOR, token.EQL, token.NEQ}, n.Op)
		case *ast.SelectorExpr:
			if n.Sel.Name == "ConstantTimeCompare" {
				compares++
			}
		}
		return true
	})
	require.Equal(t, 1, compares)
}
