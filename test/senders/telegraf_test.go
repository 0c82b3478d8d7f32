//go:build senders

package senders

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// Each metric arrives once, though Telegraf regroups them for each attempt.
func TestTelegraf(t *testing.T) {
	t.Parallel()
	telegraf := harness.FindProgram(t, "telegraf")
	dir := t.TempDir()
	path := filepath.Join(dir, "app.metrics")
	host, err := os.Hostname()
	require.NoError(t, err)
	file, err := os.Create(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	var want []string
	add := func(metrics int) {
		for range metrics {
			n := len(want)
			_, err := fmt.Fprintf(file, "sold,shop=s%d count=9007199254740993i,price=1.5,note=\"é \\\"q\\\"\" 173000000000000000%d\n", n, n)
			require.NoError(t, err)
			want = append(want, fmt.Sprintf(`{"name":"sold","timestamp":173000000000000000%d,"tags":{"host":%q,"path":%q,"shop":"s%d"},`+
				`"fields":{"count":9007199254740993,"price":1.5,"note":"é \"q\""}}`, n, host, path, n))
		}
	}
	add(1) // a batch of one is an array, too
	b, sink := outage{
		block: recipe(t, "telegraf-rtbeat"),
		start: func(addr string) {
			text := recipe(t, "telegraf", here, "http://"+addr+"/in", "/var/log/app.metrics", path)
			harness.StartProgram(t, dir, telegraf, harness.WriteRecipe(t, dir, "telegraf.conf", text))
		},
		more: func() { add(8) },
	}.run(t)
	requireMessages(t, b, sink, want)
}
