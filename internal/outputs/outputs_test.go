package outputs

import (
	"testing"

	"github.com/stretchr/testify/require"

	_ "github.com/elastic/beats/v7/libbeat/publisher/includes" // registers the outputs
	conf "github.com/elastic/elastic-agent-libs/config"
)

// Each output of libbeat is watched, drops nothing, or is refused: one that a new version brings must not slip through.
func TestEveryOutputIsKnown(t *testing.T) {
	require.NotEmpty(t, registered)
	for name := range registered {
		_, isWatched := wrappers[name]
		_, err := Judge(name, nil)
		require.True(t, isWatched || err != nil || name == "logstash", name)
	}
	require.NoError(t, Watch())
	require.NoError(t, Watch(), "once")
}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		output    string
		settings  map[string]any
		warns     bool
		isRefused bool
	}{
		{output: "logstash"},
		{output: "elasticsearch"},
		{output: "file"},
		{output: "console", warns: true},
		{output: "discard", isRefused: true},
		{output: "kafka", warns: true},
		{output: "kafka", settings: map[string]any{"required_acks": 1}, warns: true},
		{output: "kafka", settings: map[string]any{"required_acks": -1}},
		{output: "kafka", settings: map[string]any{"required_acks": 0}, isRefused: true},
		{output: "redis"},
		{output: "redis", settings: map[string]any{"datatype": "list"}},
		{output: "redis", settings: map[string]any{"datatype": "channel"}, warns: true},
	} {
		warnings, err := Judge(tt.output, conf.MustNewConfigFrom(tt.settings))
		require.Equal(t, tt.isRefused, err != nil, "%v: %v", tt, err)
		require.Equal(t, tt.warns, len(warnings) > 0, "%v: %v", tt, warnings)
	}
}
