// Package workflows checks GitHub's workflows: each action is pinned to a reviewed commit, each job has only its declared
// permissions, and every file that a workflow or a page names exists.
//
// With the tag workflows, actionlint and shellcheck check them too: `make workflows`.
package workflows

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

var root = filepath.Join("..", "..")

// workflow has the parts that the tests read.
type workflow struct {
	On          any
	Permissions any
	Concurrency struct{ Group string }
	Jobs        map[string]job
}

type job struct {
	Uses           string
	Permissions    any
	TimeoutMinutes int `yaml:"timeout-minutes"`
	Strategy       struct{ Matrix map[string]any }
	Steps          []step
}

type step struct {
	Uses, Run string
	With, Env map[string]string
}

// action is a line of .github/actions.txt.
type action struct {
	name, version, commit string
	as                    string   // the major version by whose inputs actionlint checks, or
	inputs                []string // the existing inputs
}

func TestEveryActionIsPinned(t *testing.T) {
	known, used := actions(t), map[string]bool{}
	for name, text := range texts(t) {
		require.Empty(t, unpinned(text, known, used), name)
	}
	for name := range known {
		require.Truef(t, used[name], ".github/actions.txt has %s, which no workflow uses", name)
	}
}

func TestUnpinnedActionsAreFound(t *testing.T) {
	known := actions(t)
	checkout := known["actions/checkout"]
	good := "      - uses: actions/checkout@" + checkout.commit + " # " + checkout.version + "\n"
	require.Empty(t, unpinned(good, known, map[string]bool{}))
	for what, bad := range map[string]string{
		"a tag":            "- uses: actions/checkout@v7\n",
		"a short commit":   "- uses: actions/checkout@" + checkout.commit[:12] + " # " + checkout.version + "\n",
		"no version":       "- uses: actions/checkout@" + checkout.commit + "\n",
		"a major only":     "- uses: actions/checkout@" + checkout.commit + " # v7\n",
		"another version":  "- uses: actions/checkout@" + checkout.commit + " # v7.0.0\n",
		"another commit":   "- uses: actions/checkout@" + strings.Repeat("0", 40) + " # " + checkout.version + "\n",
		"not in the table": "- uses: somebody/something@" + checkout.commit + " # " + checkout.version + "\n",
		"in one line":      "- {uses: actions/checkout@v7}\n",
		"in quotes":        "- \"uses\": actions/checkout@v7\n",
	} {
		require.NotEmpty(t, unpinned(bad, known, map[string]bool{}), what)
	}
}

var uses = regexp.MustCompile(`^\s*(?:- )?uses: (\S+)(?: # (\S+))?$`)

// unpinned lists the lines with an action that differs from the table.
func unpinned(text string, known map[string]action, used map[string]bool) (bad []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if !regexp.MustCompile(`\buses\b["']?\s*:`).MatchString(line) {
			continue
		}
		found := uses.FindStringSubmatch(line)
		if found == nil {
			bad = append(bad, line)
			continue
		}
		if strings.HasPrefix(found[1], "./.github/workflows/") { // of this commit
			continue
		}
		name, commit, _ := strings.Cut(found[1], "@")
		if a, is := known[name]; !is || a.commit != commit || a.version != found[2] {
			bad = append(bad, line)
		}
		used[name] = true
	}
	return bad
}

func TestEveryInputExists(t *testing.T) {
	known := actions(t)
	for name, w := range workflows(t) {
		for _, s := range w.steps() {
			a := known[actionOf(s.Uses)]
			if a.as != "" { // then actionlint looks at it
				continue
			}
			for input := range s.With {
				require.Contains(t, a.inputs, input, "%s: %s", name, s.Uses)
			}
		}
	}
}

func TestJobsHaveOnlyDeclaredPermissions(t *testing.T) {
	writes := map[string][]string{ // the jobs with write permissions
		"codeql.yml analyze":      {"security-events"},
		"release.yml release":     {"attestations", "contents", "id-token", "packages"},
		"scorecard.yml scorecard": {"id-token", "security-events"},
	}
	for name, w := range workflows(t) {
		require.Equal(t, map[string]any{}, w.Permissions, "%s: permissions belong to each job", name)
		for id, j := range w.Jobs {
			where := name + " " + id
			granted, is := j.Permissions.(map[string]any)
			require.True(t, is, "%s declares no permissions", where)
			var may []string
			for permission, level := range granted {
				if level != "read" {
					require.Equal(t, "write", level, where)
					may = append(may, permission)
				}
			}
			slices.Sort(may)
			require.Equal(t, writes[where], may, where)
			delete(writes, where)
		}
	}
	require.Empty(t, writes)
}

func TestEveryJobEnds(t *testing.T) {
	groups := map[string]string{}
	for name, w := range workflows(t) {
		group := w.Concurrency.Group
		require.Equal(t, strings.TrimSuffix(name, ".yml")+"-${{ github.ref }}", group,
			"one that another calls would share the other's group, if this were github.workflow")
		require.Empty(t, groups[group])
		groups[group] = name
		for id, j := range w.Jobs {
			if j.Uses == "" {
				require.Positive(t, j.TimeoutMinutes, "%s %s", name, id)
			}
		}
	}
}

func TestNoTokenStaysInACheckout(t *testing.T) {
	for name, w := range workflows(t) {
		for _, s := range w.steps() {
			if actionOf(s.Uses) == "actions/checkout" {
				require.Equal(t, "false", s.With["persist-credentials"], name)
			}
		}
	}
}

// GitHub inserts expressions into the script unchecked. A variable is safe.
func TestScriptsTakeVariables(t *testing.T) {
	for name, w := range workflows(t) {
		require.NotContains(t, text(t, ".github", "workflows", name), "pull_request_target", "it has the secrets, and runs for everybody")
		for _, s := range w.steps() {
			require.NotContains(t, s.Run, "${{", name)
		}
	}
}

func (w workflow) steps() (all []step) {
	for _, j := range w.Jobs {
		all = append(all, j.Steps...)
	}
	return all
}

func actionOf(used string) string {
	name, _, _ := strings.Cut(used, "@")
	return name
}

func workflows(t *testing.T) map[string]workflow {
	t.Helper()
	all := map[string]workflow{}
	for name, text := range texts(t) {
		var w workflow
		require.NoError(t, yaml.Unmarshal([]byte(text), &w), name)
		require.NotEmpty(t, w.Jobs, name)
		all[name] = w
	}
	return all
}

func texts(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(filepath.Join(root, ".github", "workflows"))
	require.NoError(t, err)
	for _, entry := range entries {
		require.Equal(t, ".yml", filepath.Ext(entry.Name()))
		all[entry.Name()] = text(t, ".github", "workflows", entry.Name())
	}
	require.Greater(t, len(all), 4)
	return all
}

func text(t *testing.T, path ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, filepath.Join(path...)))
	require.NoError(t, err)
	return string(content)
}

func actions(t *testing.T) map[string]action {
	t.Helper()
	all := map[string]action{}
	for line := range strings.Lines(text(t, ".github", "actions.txt")) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		require.GreaterOrEqual(t, len(fields), 4, line)
		a := action{name: fields[0], version: fields[1], commit: fields[2], inputs: fields[3:]}
		require.Regexp(t, `^v\d+\.\d+\.\d+$`, a.version)
		require.Regexp(t, `^[0-9a-f]{40}$`, a.commit)
		if a.inputs[0] == "as" {
			require.Regexp(t, `^v\d+$`, a.inputs[1])
			a.as, a.inputs = a.inputs[1], nil
		}
		require.NotContains(t, all, a.name)
		all[a.name] = a
	}
	return all
}
