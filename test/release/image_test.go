//go:build release

package release

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// TestImageHasWhatItCopies requires that GoReleaser gives the Dockerfile all files that it copies. Other builds of the image have
// the whole checkout, and would not notice.
func TestImageHasWhatItCopies(t *testing.T) {
	dockerfile, err := os.ReadFile(filepath.Join(repository, "Dockerfile"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("there is no Dockerfile in this checkout")
	}
	require.NoError(t, err)
	var config struct {
		Images []struct {
			Files []string `yaml:"extra_files"`
		} `yaml:"dockers_v2"`
	}
	require.NoError(t, yaml.Unmarshal(read(t, filepath.Join(repository, ".goreleaser.yml")), &config))
	require.Len(t, config.Images, 1)

	copied := 0
	for line := range strings.Lines(string(dockerfile)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "COPY" {
			continue
		}
		for _, source := range words[1 : len(words)-1] {
			if strings.HasPrefix(source, "--") || source == "${TARGETPLATFORM}/rtbeat" { // a flag; the built binary
				continue
			}
			require.True(t, slices.ContainsFunc(config.Images[0].Files, func(file string) bool {
				return source == file || strings.HasPrefix(source, file+"/")
			}), "%s is not among extra_files", source)
			copied++
		}
	}
	require.NotZero(t, copied)
}
