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
	return fromEnv(t, seedEnv, runSeed, func(text string) (uint64, error) { return strconv.ParseUint(text, 10, 64) })
}

func durationOf(t testing.TB) time.Duration {
	t.Helper()
	return fromEnv(t, durationEnv, 10*time.Second, time.ParseDuration)
}

func fromEnv[T any](t testing.TB, name string, unset T, parse func(string) (T, error)) T {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return unset
	}
	value, err := parse(text)
	require.NoError(t, err, name)
	return value
}
