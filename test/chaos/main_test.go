//go:build chaos

package chaos

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// durationEnv is the time for random scenarios, as a Go duration.
const durationEnv = "RTBEAT_CHAOS_DURATION"

func TestMain(m *testing.M) {
	code := harness.Run(m)
	fmt.Fprint(os.Stderr, "\n", &sum)
	os.Exit(code)
}

// runSeed is the seed of this run.
var runSeed = uint64(time.Now().UnixNano())

func seedOf(t testing.TB) uint64 {
	t.Helper()
	text := os.Getenv(seedEnv)
	if text == "" {
		return runSeed
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, seedEnv)
	return seed
}

func durationOf(t testing.TB) time.Duration {
	t.Helper()
	text := os.Getenv(durationEnv)
	if text == "" {
		return 10 * time.Second
	}
	d, err := time.ParseDuration(text)
	require.NoError(t, err, durationEnv)
	return d
}
