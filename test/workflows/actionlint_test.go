//go:build workflows

package workflows

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

func TestActionlint(t *testing.T) {
	shellcheck(t) // actionlint passes it the scripts in the workflows, and ignores its absence
	out, err := actionlint(t, root)
	require.NoError(t, err, out)
}

// actionlint knows no inputs of an action that is pinned to a commit, so a copy is pinned to versions.
func TestActionlintWithVersions(t *testing.T) {
	out, err := actionlint(t, withVersions(t, nil))
	require.NoError(t, err, out)
}

func TestActionlintFindsMistakes(t *testing.T) {
	shellcheck(t)
	for what, c := range map[string]struct{ old, new, says string }{
		"an input of an action":     {"persist-credentials: false", "persist-credential: false", `input "persist-credential" is not defined`},
		"a script":                  {"make build unit", "make build $UNIT", "SC2086"},
		"a script of a stranger's":  {"make build unit", `echo "${{ github.event.pull_request.title }}"`, "untrusted"},
		"a permission":              {"contents: read", "content: read", `unknown permission scope "content"`},
		"a runner that there isn't": {"ubuntu-24.04-arm", "ubuntu-24.04-riscv", "unknown"},
	} {
		t.Run(what, func(t *testing.T) {
			planted := false
			out, err := actionlint(t, withVersions(t, func(text string) string {
				planted = planted || strings.Contains(text, c.old)
				return strings.ReplaceAll(text, c.old, c.new)
			}))
			require.True(t, planted)
			require.Error(t, err)
			require.Contains(t, out, c.says)
		})
	}
}

func TestShellcheck(t *testing.T) {
	shellcheck(t)
	var scripts []string
	for _, file := range files(t) {
		content, err := os.ReadFile(filepath.Join(root, file))
		require.NoError(t, err)
		if regexp.MustCompile(`^#!(/usr)?/bin/(env )?(ba)?sh\b`).Match(content) {
			scripts = append(scripts, file)
		}
	}
	require.Contains(t, scripts, "scripts/provide.sh")
	require.Contains(t, scripts, ".ci/run")
	command := exec.CommandContext(t.Context(), "shellcheck", append([]string{"--external-sources"}, scripts...)...)
	command.Dir = root
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))
}

// withVersions copies the workflows with each action at a version whose inputs actionlint knows.
func withVersions(t *testing.T, change func(string) string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".github", "workflows"), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".git"), 0o755)) // actionlint needs it to recognize a project
	known := actions(t)
	for name, text := range texts(t) {
		text = regexp.MustCompile(`uses: (\S+)@[0-9a-f]{40}`).ReplaceAllStringFunc(text, func(found string) string {
			action := actionOf(strings.TrimPrefix(found, "uses: "))
			if known[action].as == "" {
				return found
			}
			return "uses: " + action + "@" + known[action].as
		})
		if change != nil {
			text = change(text)
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, ".github", "workflows", name), []byte(text), 0o600))
	}
	return dir
}

func actionlint(t *testing.T, dir string) (string, error) {
	t.Helper()
	program := os.Getenv("RTBEAT_ACTIONLINT")
	require.NotEmpty(t, program, "RTBEAT_ACTIONLINT names no program; `make workflows` builds it")
	command := exec.CommandContext(t.Context(), program, "-no-color")
	command.Dir = dir
	out, err := command.CombinedOutput()
	return string(out), err
}

func shellcheck(t *testing.T) {
	t.Helper()
	harness.FindProgram(t, "shellcheck")
}
