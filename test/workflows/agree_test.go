package workflows

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func TestWorkflowsCallExistingFiles(t *testing.T) {
	made := targets(t)
	makes, scripts := regexp.MustCompile(`\bmake ((?:[a-z][a-z0-9-]* ?)+)`), regexp.MustCompile(`(?:^|[\s"(])((?:scripts|test)/[\w./-]+)`)
	var called []string
	for name, w := range workflows(t) {
		for _, s := range w.steps() {
			for _, call := range makes.FindAllStringSubmatch(s.Run, -1) {
				for target := range strings.FieldsSeq(call[1]) {
					require.Contains(t, made, target, name)
					called = append(called, target)
				}
			}
			for _, call := range scripts.FindAllStringSubmatch(s.Run, -1) {
				require.FileExists(t, filepath.Join(root, call[1]), name)
			}
		}
		for _, j := range w.Jobs {
			if j.Uses != "" {
				require.FileExists(t, filepath.Join(root, j.Uses))
			}
		}
	}
	for _, target := range []string{"test-all", "packages", "packages-test", "cross", "vulncheck", "ship-test"} {
		require.Contains(t, called, target)
	}
}

// Suites that must not skip need root: for files of other users, and to install their programs.
func TestRequiredSuitesRunAsRoot(t *testing.T) {
	strict := regexp.MustCompile(`(?m)^.*\bmake\b.*\b(?:STRICT=|packages-test|ship-test).*$`)
	found := 0
	for name, w := range workflows(t) {
		for _, s := range w.steps() {
			for _, line := range strict.FindAllString(s.Run, -1) {
				require.Contains(t, line, `sudo env "PATH=$PATH" "HOME=$HOME" GOTOOLCHAIN=local make`, name)
				found++
			}
		}
	}
	require.Equal(t, 3, found)
}

func TestVersionsAgree(t *testing.T) {
	pinned := map[string]string{} // in scripts/tools.txt
	for _, found := range regexp.MustCompile(`(?m)^(\w+)\s+\S+@(\S+)$`).FindAllStringSubmatch(text(t, "scripts", "tools.txt"), -1) {
		pinned[found[1]] = found[2]
	}
	language := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(text(t, "go.mod"))[1]
	for name, content := range texts(t) {
		for _, found := range regexp.MustCompile(`(?:go-version|GO_VERSION): (\S+)`).FindAllStringSubmatch(content, -1) {
			if found[1] != "${{" {
				require.Equal(t, `"`+language+`"`, found[1], name)
			}
		}
		for _, s := range workflows(t)[name].steps() {
			switch actionOf(s.Uses) {
			case "actions/setup-go":
				require.Equal(t, "true", s.With["check-latest"], "%s: else it may be a patch with known holes", name)
			case "goreleaser/goreleaser-action":
				require.Equal(t, pinned["goreleaser"], s.With["version"], name)
			}
		}
	}
}

// goreleaser has the parts of its configuration that the workflows rely on.
type goreleaser struct {
	Builds   []struct{ Goos, Goarch []string }
	Checksum struct {
		Name string `yaml:"name_template"`
	}
	Signs []struct{ Artifacts, Signature string }
	Image []struct{ Images []string } `yaml:"dockers_v2"`
}

func TestReleasedPlatformsAreCompiledAndVerified(t *testing.T) {
	matrix := workflows(t)["ci.yml"].Jobs["cross"].Strategy.Matrix["platform"]
	var platforms []any
	for line := range strings.Lines(text(t, "scripts", "platforms.txt")) {
		if !strings.HasPrefix(line, "#") {
			platforms = append(platforms, strings.TrimSpace(line))
		}
	}
	require.Equal(t, platforms, matrix)

	var config goreleaser
	require.NoError(t, yaml.Unmarshal([]byte(text(t, ".goreleaser.yml")), &config))
	var released []any
	for _, build := range config.Builds {
		for _, goos := range build.Goos {
			for _, goarch := range build.Goarch {
				released = append(released, goos+"/"+goarch)
			}
		}
	}
	require.ElementsMatch(t, platforms, released)

	// release.yml and scripts/verify-release.sh find GoReleaser's files by these names.
	require.Equal(t, "checksums.txt", config.Checksum.Name)
	require.Len(t, config.Signs, 1)
	require.Equal(t, "checksum", config.Signs[0].Artifacts)
	require.Equal(t, "${artifact}.sigstore.json", config.Signs[0].Signature)
	require.Len(t, config.Image, 1)
	require.Equal(t, []string{"ghcr.io/txn2/rtbeat"}, config.Image[0].Images)
}

// dependabot has its directories.
type dependabot struct {
	Updates []struct {
		Ecosystem   string `yaml:"package-ecosystem"`
		Directory   string
		Directories []string
	}
}

func TestDependabotLooksEverywhere(t *testing.T) {
	var config dependabot
	require.NoError(t, yaml.Unmarshal([]byte(text(t, ".github", "dependabot.yml")), &config))
	looks := map[string][]string{}
	for _, update := range config.Updates {
		looks[update.Ecosystem] = append(looks[update.Ecosystem], update.Directories...)
		if update.Directory != "" {
			looks[update.Ecosystem] = append(looks[update.Ecosystem], update.Directory)
		}
	}
	there := map[string][]string{"github-actions": {"/"}}
	for _, file := range files(t) {
		switch path.Base(file) {
		case "go.mod":
			there["gomod"] = append(there["gomod"], path.Join("/", path.Dir(file)))
		case "Dockerfile":
			there["docker"] = append(there["docker"], path.Join("/", path.Dir(file)))
		}
	}
	for ecosystem := range there {
		require.ElementsMatch(t, there[ecosystem], looks[ecosystem], ecosystem)
	}
	require.Len(t, looks, len(there))
}

// For each page for newcomers: its links, and its paths in backquotes.
func TestPagesNameExistingFiles(t *testing.T) {
	all := files(t)
	pages := []string{"CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "docs/service.md"}
	for _, file := range all {
		if strings.HasPrefix(file, ".github/") && !strings.HasPrefix(file, ".github/workflows/") {
			pages = append(pages, file)
		}
	}
	require.Greater(t, len(pages), 8)
	link, quoted := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)\s]+)?\)`), regexp.MustCompile("`([\\w.-]+(?:/[\\w.-]+)+/?)`")
	target, made := regexp.MustCompile("[`\n]make ([a-z][a-z0-9-]*)"), targets(t)
	for _, page := range pages {
		content := text(t, page)
		for _, found := range link.FindAllStringSubmatch(content, -1) {
			if !strings.Contains(found[1], "://") && !strings.HasPrefix(found[1], "../../") { // those are pages of GitHub's
				require.FileExists(t, filepath.Join(root, path.Dir(page), found[1]), page)
				if found[2] != "" {
					require.Contains(t, anchors(text(t, path.Dir(page), found[1])), found[2][1:], page)
				}
			}
		}
		for _, found := range quoted.FindAllStringSubmatch(content, -1) {
			if top, _, _ := strings.Cut(found[1], "/"); slices.ContainsFunc(all, func(file string) bool { return strings.HasPrefix(file, top+"/") }) {
				_, err := os.Stat(filepath.Join(root, found[1]))
				require.NoError(t, err, "%s names %s", page, found[1])
			}
		}
		for _, found := range target.FindAllStringSubmatch(content, -1) {
			require.Contains(t, made, found[1], page)
		}
	}
}

// targets are those of the Makefile.
func targets(t *testing.T) (all []string) {
	t.Helper()
	for _, rule := range regexp.MustCompile(`(?m)^([a-z0-9-]+(?: [a-z0-9-]+)*):(?:[^=]|$)`).FindAllStringSubmatch(text(t, "Makefile"), -1) {
		all = append(all, strings.Fields(rule[1])...)
	}
	require.Contains(t, all, "chaos-short")
	return all
}

// anchors are GitHub's names of a page's headings.
func anchors(content string) (all []string) {
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(content, -1) {
		words := regexp.MustCompile(`[^\w\s-]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		all = append(all, strings.ReplaceAll(words, " ", "-"))
	}
	return all
}

// files are the files of the repository, without those of .gitignore.
func files(t *testing.T) (all []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		if entry.IsDir() && slices.Contains([]string{".git", "build", "dist", "data", "logs"}, name) {
			return filepath.SkipDir
		}
		if !entry.IsDir() {
			all = append(all, filepath.ToSlash(name))
		}
		return err
	}))
	return all
}
