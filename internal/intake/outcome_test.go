package intake

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/batch"
)

// constants lists the constants of a type in a Go file, with the text of their values.
func constants(t *testing.T, file, typeName string) (names, values []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	for _, decl := range parsed.Decls {
		group, isGroup := decl.(*ast.GenDecl)
		if !isGroup || group.Tok != token.CONST {
			continue
		}
		of := ""
		for _, spec := range group.Specs {
			value := spec.(*ast.ValueSpec)
			if name, named := value.Type.(*ast.Ident); named {
				of = name.Name
			} else if len(value.Values) > 0 {
				of = ""
			}
			if of != typeName {
				continue
			}
			names = append(names, value.Names[0].Name)
			if len(value.Values) > 0 {
				if literal, isLiteral := value.Values[0].(*ast.BasicLit); isLiteral {
					text, err := strconv.Unquote(literal.Value)
					require.NoError(t, err)
					values = append(values, text)
				}
			}
		}
	}
	return names, values
}

func TestTheTableOfOutcomesHasNoHole(t *testing.T) {
	names, _ := constants(t, "outcome.go", "outcome")
	require.Len(t, outcomes, len(names), "one row for each constant")

	reasons := make(map[string]outcome)
	for i, o := range outcomes {
		name := names[i]
		require.NotZero(t, o.status, name)
		require.NotEmpty(t, o.reason, name)
		require.NotEmpty(t, o.situation, name)
		require.Regexp(t, `^[a-z_]+$`, o.reason, "a metric label")
		if o.status != 200 && outcome(i) != clientGone {
			require.NotEmpty(t, o.phrase, name)
			require.NotEqual(t, ok, o.word, name)
		}
		if same, twice := map[outcome]outcome{leaving: stopping, stalled: outputStalled, full: queueFull, failed: queueFailed}[outcome(i)]; twice {
			require.Equal(t, outcomes[same].reason, o.reason, "the same word on /readyz as on /in")
			continue
		}
		require.NotContains(t, reasons, o.reason)
		reasons[o.reason] = outcome(i)
	}
}

func TestOnlyDeliveryIsASuccess(t *testing.T) {
	require.Equal(t, panicked, outcome(0), "forgetting to say how a request ended is no success")
	for i, o := range outcomes {
		if o.status < 300 && !outcome(i).health() && outcome(i) != challenged { // the answer to a question, not to a batch
			require.Equal(t, delivered, outcome(i), "rxtx removes the batch on this answer")
		}
	}
}

// The status page shows the fault of every failure.
func TestEveryFailureHasItsFault(t *testing.T) {
	for i, o := range outcomes {
		want := BySender
		switch i := outcome(i); {
		case slices.Contains([]outcome{stopping, joinedFiltered}, i):
			want = Nobody
		case slices.Contains([]outcome{panicked, processorFailed, queueFailed}, i):
			want = ByRtbeat
		case slices.Contains([]outcome{ackTimeout, outputRejected, inFlightLimit, outputStalled, queueFull}, i):
			want = ByOutput
		case i.health() || o.word == ok:
			continue
		}
		require.Equal(t, want, outcome(i).fault(), o.reason)
	}
}

func TestEveryReasonOfTheDecoderHasAnOutcome(t *testing.T) {
	_, reasons := constants(t, filepath.Join("..", "batch", "error.go"), "Reason")
	require.NotEmpty(t, reasons)
	require.Len(t, bodyRefusals, len(reasons))
	for _, reason := range reasons {
		o, known := bodyRefusals[batch.Reason(reason)]
		require.True(t, known, reason)
		require.Contains(t, []int{400, 413}, outcomes[o].status)
		require.Equal(t, reason, outcomes[o].reason, "one word for it everywhere")
	}
}

// The table of outcomes is complete because only reply writes a status.
func TestNothingButReplyWritesAStatus(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var writers []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			if call, isCall := n.(*ast.CallExpr); isCall {
				if name, isSelector := call.Fun.(*ast.SelectorExpr); isSelector {
					switch name.Sel.Name {
					case "WriteHeader", "Redirect", "NotFound", "NotFoundHandler", "TimeoutHandler":
						writers = append(writers, file+" "+name.Sel.Name)
					}
				}
			}
			return true
		})
	}
	require.Equal(t, []string{"reply.go WriteHeader"}, writers)
}
