package source_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/source"
)

func TestIncludedHeadersAreNamedOnce(t *testing.T) {
	defaults := source.DefaultSettings()
	require.Empty(t, defaults.Headers())
	s := source.Settings{IncludeHeaders: []string{"X-Request-ID", "cookie", "x-request-id", "Cookie", "user-agent"}}
	require.Equal(t, []string{"x-request-id", "cookie", "user-agent"}, s.Headers())
}

// The keys of messages that were stored without sources stay the same.
func TestTheDefaultSourceHasNoScope(t *testing.T) {
	s := source.Default(source.DefaultSettings())
	require.Empty(t, s.Scope())
	s.Path = "/other"
	require.Empty(t, s.Scope())
	s.Name = "github"
	require.Equal(t, "github", s.Scope())
}

func TestBelow(t *testing.T) {
	for path, want := range map[string]string{"/in": "", "/a/*": "/a/", "/*": "/", "/a/": ""} {
		s := source.Source{Path: path}
		prefix, isBelow := s.Below()
		require.Equal(t, want, prefix, path)
		require.Equal(t, want != "", isBelow, path)
	}
}
