//go:build image

package image

import (
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// Platforms read this configuration without a start.
func TestConfigOfTheImage(t *testing.T) {
	if missing != "" {
		t.Skip(missing)
	}
	version := strings.TrimSpace(string(repoFile(t, "VERSION")))
	for _, platform := range platforms() {
		t.Run(platform, func(t *testing.T) {
			var image struct {
				Architecture, OS string
				Config           struct {
					User, StopSignal     string
					Entrypoint, Cmd, Env []string
					ExposedPorts         map[string]struct{}
					Labels               map[string]string
				}
			}
			require.NoError(t, json.Unmarshal([]byte(must(t, "skopeo", "inspect", "--config", layout(platform))), &image))
			require.Equal(t, platform, image.OS+"/"+image.Architecture)
			c := image.Config
			require.Equal(t, "10001:0", c.User, "runAsNonRoot needs a number")
			require.Equal(t, "SIGTERM", c.StopSignal)
			require.Equal(t, []string{"/usr/bin/rtbeat"}, c.Entrypoint, "a shell in front would swallow the signal")
			require.Empty(t, c.Cmd)
			require.Contains(t, c.ExposedPorts, "8081/tcp")
			require.Contains(t, c.Env, "BEAT_STRICT_PERMS=false")
			label := func(key string) string { return c.Labels["org.opencontainers.image."+key] }
			require.Equal(t, "Apache-2.0", label("licenses"))
			require.Equal(t, "https://github.com/txn2/rtbeat", label("source"))
			require.Equal(t, "rtbeat", label("title"))
			require.True(t, strings.HasPrefix(label("version"), version), "version %q", label("version"))
			require.Regexp(t, `^[0-9a-f]{40}$`, label("revision"))
			require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`, label("created"))
		})
	}
}

// The image has these files and no others.
func TestFilesOfTheImage(t *testing.T) {
	for _, platform := range platforms() {
		t.Run(platform, func(t *testing.T) {
			rootfs := filepath.Join(unpack(t, platform), "rootfs")
			require.Equal(t, map[string]string{
				"etc/os-release":                    "-rw-r--r-- 0:0",
				"etc/rtbeat/rtbeat.reference.yml":   "-rw-r--r-- 0:0",
				"etc/rtbeat/rtbeat.yml":             "-rw-r--r-- 0:0",
				"usr/bin/rtbeat":                    "-rwxr-xr-x 0:0",
				"usr/share/doc/rtbeat/LICENSE":      "-rw-r--r-- 0:0",
				"usr/share/doc/rtbeat/NOTICE":       "-rw-r--r-- 0:0",
				"var/lib/rtbeat/.keep":              "-rwxrwxr-x 10001:0",
				"var/lib/rtbeat (writable for gid)": "0",
			}, files(t, rootfs))
			for file, source := range map[string]string{
				"etc/rtbeat/rtbeat.reference.yml": "rtbeat.reference.yml",
				"etc/rtbeat/rtbeat.yml":           "rtbeat.yml",
				"usr/share/doc/rtbeat/LICENSE":    "LICENSE",
				"usr/share/doc/rtbeat/NOTICE":     "NOTICE",
			} {
				have, err := os.ReadFile(filepath.Join(rootfs, file))
				require.NoError(t, err)
				require.Equal(t, string(repoFile(t, source)), string(have), file)
			}
			lookIntoBinary(t, platform, rootfs+"/usr/bin/rtbeat")
		})
	}
}

// lookIntoBinary checks that the binary is for the platform, needs no other file, and has the parts that scratch lacks.
func lookIntoBinary(t testing.TB, platform, path string) {
	t.Helper()
	info, err := buildinfo.ReadFile(path)
	require.NoError(t, err)
	setting := map[string]string{}
	for _, s := range info.Settings {
		setting[s.Key] = s.Value
	}
	require.Equal(t, platform, setting["GOOS"]+"/"+setting["GOARCH"])
	modules := map[string]bool{}
	for _, module := range info.Deps {
		modules[module.Path] = true
	}
	require.True(t, modules["golang.org/x/crypto/x509roots/fallback"], "no certificate authorities in the binary, and none in the image")

	program, err := elf.Open(path)
	require.NoError(t, err)
	defer program.Close()
	libraries, err := program.ImportedLibraries()
	require.NoError(t, err)
	require.Empty(t, libraries, "scratch has no libraries")
}

// files lists the files of the image with mode and owner, and the folders that other users than root may write to.
func files(t testing.TB, rootfs string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(rootfs, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		owner, ok := info.Sys().(*syscall.Stat_t)
		require.True(t, ok)
		inside, err := filepath.Rel(rootfs, path)
		switch {
		case err != nil:
			return err
		case !entry.IsDir():
			found[inside] = fmt.Sprintf("%s %d:%d", info.Mode(), owner.Uid, owner.Gid)
		case inside == "var/lib/rtbeat" && info.Mode().Perm()&0o070 == 0o070:
			found[inside+" (writable for gid)"] = fmt.Sprint(owner.Gid)
		}
		return nil
	}))
	return found
}

func repoFile(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.RepoRoot, path))
	require.NoError(t, err)
	return text
}
