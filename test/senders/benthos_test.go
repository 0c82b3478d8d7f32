//go:build senders

package senders

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// Each line arrives once, with one uuid. Benthos is the core of Redpanda Connect.
func TestRedpandaConnect(t *testing.T) {
	t.Parallel()
	benthos := harness.FindProgram(t, "benthos")
	w := twice{generated: []string{"uuid"}}
	for n := range 20 {
		line := fmt.Sprintf(`line %d "quoted" \ é`, n)
		w.lines[n/15] = append(w.lines[n/15], line)
		message, err := json.Marshal(map[string]string{"line": line})
		require.NoError(t, err)
		w.want = append(w.want, string(message))
	}
	w.command = func(addr, file string) []string {
		text := recipe(t, "redpanda-connect", here, "http://"+addr+"/in", "/var/log/app.log", file,
			"initial_interval: 1s", "initial_interval: 100ms", "max_interval: 30s", "max_interval: 1s")
		text += "\nhttp:\n  enabled: false\n" // no port for its own metrics
		return []string{benthos, "run", harness.WriteRecipe(t, filepath.Dir(file), "connect.yaml", text)}
	}
	w.run(t)
}
