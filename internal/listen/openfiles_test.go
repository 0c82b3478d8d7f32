package listen

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFilesAreReserved(t *testing.T) {
	for files, connections := range map[uint64]int{4: 2, 48: 24, 512: 256, 1024: 768, 1 << 20: 1<<20 - 256} {
		require.Equal(t, connections, affordable(1<<20, files))
		require.Equal(t, 1, affordable(1, files))
	}
	require.Positive(t, maxFiles())
}
