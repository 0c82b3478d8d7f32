//go:build e2e && linux

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// The output drops events that do not fit on the disk, and libbeat acknowledges them. Each event of a 200 has its own line, also
// after a truncated line.
func TestOutputFileDiskFull(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "1m")
	b := harness.StartBeat(t, fileSettings(dir, nil))
	ballast := filepath.Join(dir, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 512<<10), 0o600))
	fillsAndGoesOn(t, b, dir, ballast)
	b.Stop()
}

// fillsAndGoesOn posts until the disk is full, frees space, and checks the files for each message with a 200.
func fillsAndGoesOn(t testing.TB, b *harness.Beat, dir, ballast string) {
	t.Helper()
	c := harness.NewClient(t)
	var delivered []string
	post := func(name string) int {
		batch := harness.Padded(name, 7, 3000)
		a := c.Post(t.Context(), b.Addr, batch.Body())
		require.Contains(t, []int{http.StatusOK, http.StatusBadGateway}, a.Code, "%s", a)
		if a.Code == http.StatusOK {
			delivered = append(delivered, ids(batch)...)
		}
		return a.Code
	}
	full := 0
	for ; post("fill-"+strconv.Itoa(full)) == http.StatusOK; full++ {
		require.Less(t, full, 100, "the disk is full by now")
	}
	require.Positive(t, full)
	require.NoError(t, os.Remove(ballast))
	again := 0
	for ; post("fill-"+strconv.Itoa(full)) != http.StatusOK; again++ {
		require.Less(t, again, 3, "the disk has space again")
	}
	require.Equal(t, http.StatusOK, post("after"))

	var there []string
	for _, line := range linesIn(t, dir) {
		if id, _, err := harness.MessageOf(line); err == nil {
			there = append(there, id)
		}
	}
	require.Subset(t, there, delivered)
}
