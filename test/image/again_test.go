//go:build image

package image

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// A second build replaces the image, also in a list: nobody must pull the older one. The content of the image does not matter
// here.
func TestBuildAgain(t *testing.T) {
	if missing != "" {
		t.Skip(missing)
	}
	script, err := filepath.Abs(filepath.Join(harness.RepoRoot, "scripts", "image-build.sh"))
	require.NoError(t, err)
	folder := t.TempDir()
	store := []string{"--root", filepath.Join(t.TempDir(), "store"), "--runroot", filepath.Join(t.TempDir(), "run"), "--storage-driver", "vfs"}
	both := []string{"linux/amd64", "linux/arm64"}
	for i, platforms := range [][]string{both[:1], both, both} {
		for _, platform := range both {
			program := filepath.Join(folder, platform, "rtbeat")
			require.NoError(t, os.MkdirAll(filepath.Dir(program), 0o755))
			require.NoError(t, os.WriteFile(program, []byte{byte(i)}, 0o755))
		}
		_, err := command([]string{"ENGINE=buildah " + strings.Join(store, " ")}, script, append([]string{folder, name}, platforms...)...)
		require.NoError(t, err)
	}
	var list struct {
		Manifests []struct {
			Platform struct{ Architecture string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(must(t, "buildah", append(store, "manifest", "inspect", name)...)), &list))
	var architectures []string
	for _, m := range list.Manifests {
		architectures = append(architectures, m.Platform.Architecture)
	}
	require.ElementsMatch(t, []string{"amd64", "arm64"}, architectures)
}
