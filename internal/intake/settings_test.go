package intake

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIncludedHeadersAreNamedOnce(t *testing.T) {
	defaults := DefaultSettings()
	require.Empty(t, defaults.headers())
	s := Settings{IncludeHeaders: []string{"X-Request-ID", "cookie", "x-request-id", "Cookie", "user-agent"}}
	require.Equal(t, []string{"x-request-id", "cookie", "user-agent"}, s.headers())
}
