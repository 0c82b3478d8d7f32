package intake

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// An error without a row is answered 500, so each error that a step can return has one.
func TestEveryErrorOfAStepHasItsAnswer(t *testing.T) {
	table, err := os.ReadFile("errors.go")
	require.NoError(t, err)
	for file, prefix := range map[string]string{
		"errors.go": "",
		filepath.Join("..", "inflight", "errors.go"):      "inflight.",
		filepath.Join("..", "contentcoding", "coding.go"): "contentcoding.",
	} {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		declared := regexp.MustCompile(`(?m)^\t(\w+)\s+= errors\.New`).FindAllSubmatch(source, -1)
		require.NotEmpty(t, declared, file)
		for _, name := range declared {
			require.Contains(t, string(table), "\n\t{"+prefix+string(name[1])+", ", file)
		}
	}
}

func TestAnUnknownErrorIsNoSuccess(t *testing.T) {
	require.Equal(t, panicked, outcomeOf(errors.New("unknown")))
}
