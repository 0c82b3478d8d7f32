package outputs

import (
	"testing"

	"github.com/stretchr/testify/require"

	_ "github.com/elastic/beats/v7/libbeat/publisher/includes" // registers the outputs
)

// An output of a later libbeat does not confirm.
func TestOutputsThatConfirm(t *testing.T) {
	var confirm []string
	for name := range factories {
		if Confirms(name) {
			confirm = append(confirm, name)
		}
	}
	require.ElementsMatch(t, []string{"elasticsearch", "file", "logstash"}, confirm)
	require.NoError(t, Wrap())
	require.NoError(t, Wrap(), "once")
}
