//go:build senders

package senders

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// batchesOf makes lines with a batch each, and returns their messages as well.
func batchesOf(t testing.TB, names ...string) (lines, messages []string) {
	t.Helper()
	for _, name := range names {
		var batch []string
		for n := range 3 {
			text, err := json.Marshal(map[string]any{"of": name, "n": n, "text": "\"quoted\" \\ é \U0001F600"})
			require.NoError(t, err)
			batch = append(batch, string(text))
		}
		lines = append(lines, "["+strings.Join(batch, ",")+"]")
		messages = append(messages, batch...)
	}
	return lines, messages
}

// script is a recipe with a function that posts a batch.
type script struct {
	// programs may run it. The first one that succeeds with probe does.
	programs []string
	probe    []string
	recipe   string
	replace  []string
	// main calls the function for each line of the file that is its argument.
	main string
}

func (s script) run(t *testing.T) {
	t.Helper()
	t.Parallel()
	program := s.find(t)
	first, want := batchesOf(t, "first", "next")
	second, more := batchesOf(t, "second")
	twice{
		lines: [2][]string{first, second},
		command: func(addr, file string) []string {
			text := recipe(t, s.recipe, append(s.replace, here, "http://"+addr+"/in")...)
			return append(program, harness.WriteRecipe(t, filepath.Dir(file), "post", text+s.main), file)
		},
		want: append(want, more...),
	}.run(t)
}

// find returns the command that runs the script. Debian's modules for Node.js are in a folder of their own.
func (s script) find(t testing.TB) []string {
	t.Helper()
	for _, name := range s.programs {
		command := []string{"env", "NODE_PATH=/usr/share/nodejs", name}
		if exec.CommandContext(t.Context(), command[0], append(command[1:], s.probe...)...).Run() == nil {
			return command
		}
	}
	harness.Missing(t, "no "+s.programs[0]+" here that succeeds with "+strings.Join(s.probe, " "))
	return nil
}

func TestPython(t *testing.T) {
	script{
		programs: []string{"/usr/bin/python3", "python3"},
		probe:    []string{"-c", "import requests"},
		recipe:   "python",
		replace:  []string{"backoff_factor=0.5", "backoff_factor=0.1"},
		main: `

import json, sys
for line in open(sys.argv[1]):
    post(json.loads(line))
`,
	}.run(t)
}

func TestNode(t *testing.T) {
	script{
		programs: []string{"node", "nodejs"},
		probe:    []string{"-e", "fetch; require('promise-retry')"},
		recipe:   "node",
		replace:  []string{"minTimeout: 1000, maxTimeout: 30000", "minTimeout: 100, maxTimeout: 1000"},
		main: `

const lines = require('node:fs').readFileSync(process.argv[2], 'utf8').trim().split('\n');
(async () => { for (const line of lines) await post(JSON.parse(line)); })();
`,
	}.run(t)
}
