//go:build release

package release

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// checksums are the lines of checksums.txt, by file.
func (r release) checksums(t testing.TB) map[string]string {
	t.Helper()
	sums := map[string]string{}
	for line := range strings.Lines(string(read(t, r.dist("checksums.txt")))) {
		sum, name, found := strings.Cut(strings.TrimSpace(line), "  ")
		require.True(t, found, line)
		sums[name] = sum
	}
	return sums
}

func sum(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

func TestConfigurationIsUpToDate(t *testing.T) {
	tool := said(t, repository, "scripts/tool.sh", "goreleaser")
	// Deprecated keys fail the check as well.
	said(t, repository, tool, "check")
}

// TestChecksums requires that checksums.txt has each published file with its checksum.
func TestChecksums(t *testing.T) {
	sums := made.checksums(t)
	require.Len(t, sums, len(platforms)+2*3, "archives, and packages of three formats for two architectures")
	for name, want := range sums {
		require.Equal(t, want, sum(read(t, made.dist(name))), name)
	}
	for _, platform := range platforms {
		require.Contains(t, sums, filepath.Base(made.archive(platform)))
	}
}

// TestPackages requires that the packages have the binary of the archive. `make packages-test` checks the rest of them, for this
// machine.
func TestPackages(t *testing.T) {
	const binary = "/usr/share/rtbeat/bin/rtbeat"
	for _, arch := range []string{"amd64", "arm64"} {
		want := sum(open(t, made.archive("linux/"+arch))["rtbeat"].data)
		base := made.dist("rtbeat_" + made.version + "_" + arch)

		tree := t.TempDir()
		said(t, ".", "dpkg-deb", "-x", base+".deb", tree)
		require.Equal(t, want, sum(read(t, tree+binary)))
		require.Equal(t, arch, said(t, ".", "dpkg-deb", "-f", base+".deb", "Architecture"))

		require.Contains(t, said(t, ".", "rpm", "-qp", "--qf", `[%{FILENAMES} %{FILEDIGESTS}\n]`, base+".rpm"), binary+" "+want)
		require.Equal(t, map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch], said(t, ".", "rpm", "-qp", "--qf", "%{ARCH}", base+".rpm"))
		require.Equal(t, "github.com", said(t, ".", "rpm", "-qp", "--qf", "%{BUILDHOST}", base+".rpm"))

		unpacked := gunzip(t, read(t, base+".apk"))
		traceless(t, base+".apk", unpacked)
		require.Contains(t, string(unpacked[:64<<10]), "pkgname = rtbeat\n")
	}
}

// TestCask compares the cask with the archives that it downloads.
func TestCask(t *testing.T) {
	cask := string(read(t, made.dist("homebrew/Casks/rtbeat.rb")))
	require.Contains(t, cask, `version "`+made.version+`"`)
	sums := made.checksums(t)
	for _, platform := range platforms {
		if !strings.HasPrefix(platform, "windows/") {
			require.Contains(t, cask, sums[filepath.Base(made.archive(platform))], platform)
		}
	}
	require.Contains(t, cask, "com.apple.quarantine")
	folder := "rtbeat-" + made.version + "/"
	require.Contains(t, cask, `rename "`+folder+`rtbeat", "rtbeat"`)

	// Each path that the cask installs is in the archive.
	inside := open(t, made.archive("darwin/arm64"))
	stanzas := map[string]bool{}
	for line := range strings.Lines(cask) {
		stanza, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if stanza == "manpage" || strings.HasSuffix(stanza, "_completion") {
			name := strings.ReplaceAll(strings.Split(rest, `"`)[1], "#{version}", made.version)
			require.Contains(t, inside, strings.TrimPrefix(name, folder), line)
			require.True(t, strings.HasPrefix(name, folder), line)
			stanzas[stanza] = true
		}
	}
	require.Len(t, stanzas, 4, "man page and three completions")
}

// TestReproducible makes the release again, from another folder, with another umask and another time zone, and compares all
// published files.
func TestReproducible(t *testing.T) {
	if os.Getenv(releaseEnv) != "" {
		t.Skipf("%s names a release of another checkout", releaseEnv)
	}
	defer syscall.Umask(syscall.Umask(0o077)) // for the programs that it starts
	t.Setenv("TZ", "Asia/Kolkata")
	again, err := snapshot(filepath.Join(t.TempDir(), "elsewhere"))
	require.NoError(t, err)
	require.Equal(t, made.checksums(t), again.checksums(t))
	require.Equal(t, string(read(t, made.dist("homebrew/Casks/rtbeat.rb"))), string(read(t, again.dist("homebrew/Casks/rtbeat.rb"))))
	t.Logf("%d files are equal, byte for byte", len(again.checksums(t)))
}

// TestMakeBuildsTheSame requires that `make build` makes the binary of the release, so that everybody can compare.
func TestMakeBuildsTheSame(t *testing.T) {
	said(t, made.folder, "make", "build")
	platform := said(t, ".", "go", "env", "GOOS") + "/" + said(t, ".", "go", "env", "GOARCH")
	require.Equal(t, sum(open(t, made.archive(platform))["rtbeat"].data), sum(read(t, filepath.Join(made.folder, "build", "rtbeat"))))
}
