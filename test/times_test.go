package test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/txn2/rtbeat/config"
)

// closing bounds the end of a shutdown after shutdown_timeout, with a reserve: 250 ms for the last answers and 1.5 s for
// libbeat's pipeline (docs/operations.md).
const closing = 5 * time.Second

// kubernetesTimes is read before rtbeat.yml in a pod. They share no key.
const kubernetesTimes = "deploy/kubernetes/base/kubernetes.yml"

// shippedTimes are the files with a time for the shutdown, and the configuration of rtbeat there, over rtbeat.yml.
var shippedTimes = []struct {
	file  string
	grace string // its group is a time; plain numbers are seconds
	over  string // another file with an rtbeat section
}{
	{file: "docs/operations.md", grace: `TimeoutStopSec=(\d+)`},
	{file: "deploy/kubernetes/base/deployment.yaml", grace: `(?m)^ *terminationGracePeriodSeconds: (\d+)$`, over: kubernetesTimes},
}

// A service manager must wait longer than rtbeat's shutdown takes. Else it kills rtbeat before the last answers.
func TestServiceManagersWaitForTheShutdown(t *testing.T) {
	for _, s := range shippedTimes {
		c := configured(t, "rtbeat.yml", s.over)
		require.GreaterOrEqual(t, shortest(t, s.file, s.grace), c.ShutdownTimeout+closing, "%s: shutdown_timeout is %s", s.file, c.ShutdownTimeout)
	}
}

// A request in the last moment of shutdown_delay has its whole timeout, and clients have time to notice the delay.
func TestADelayLeavesTimeForTheLastRequest(t *testing.T) {
	for _, over := range []string{"", "docs/scaling.md", kubernetesTimes} {
		c := configured(t, "rtbeat.yml", over)
		require.Less(t, c.ShutdownDelay+c.Timeout, c.ShutdownTimeout, "%s: shutdown_delay and timeout, and shutdown_timeout", over)
	}
}

// HAProxy notices the end of an instance before its port closes, and waits for every answer of rtbeat.
func TestHAProxyWaitsLongEnough(t *testing.T) {
	const page = "docs/scaling.md"
	c := configured(t, "rtbeat.yml", page)
	fall, err := strconv.Atoi(found(t, page, `\binter \d+m?s fall (\d+) rise`)[0])
	require.NoError(t, err)
	known := time.Duration(fall)*shortest(t, page, `\binter (\d+m?s) fall \d+ rise`) + shortest(t, page, `timeout check (\d+m?s)`)
	require.Less(t, known, c.ShutdownDelay, "the last check, and shutdown_delay")

	for file, patterns := range map[string][]string{
		page:              {`timeout server (\d+[ms]+)`},
		"docs/senders.md": {`timeout server (\d+[ms]+)`, `proxy_read_timeout (\d+[ms]+);`},
	} {
		for _, pattern := range patterns {
			for _, text := range found(t, file, pattern) {
				require.Greater(t, parseTime(t, text), c.ReadTimeout+c.Timeout, "%s: %s", file, pattern)
			}
		}
	}
}

// configured is a configuration: the defaults, rtbeat.yml, and a file over it, or a page's block with an rtbeat section.
func configured(t *testing.T, files ...string) config.Config {
	t.Helper()
	merged := conf.NewConfig()
	for _, file := range files {
		if file == "" {
			continue
		}
		text := read(t, file)
		if strings.HasSuffix(file, ".md") {
			blocks := regexp.MustCompile("(?s)```yaml\n(rtbeat:\n.*?)```").FindStringSubmatch(text)
			require.NotNil(t, blocks, "%s has no block with an rtbeat section", file)
			text = blocks[1]
		}
		c, err := conf.NewConfigWithYAML([]byte(text), file)
		require.NoError(t, err)
		require.True(t, c.HasField("rtbeat"), file)
		require.NoError(t, merged.Merge(c))
	}
	section, err := merged.Child("rtbeat", -1)
	require.NoError(t, err)
	c, _, err := config.Load(section)
	require.NoError(t, err)
	return c
}

// shortest is the minimum of the times that a pattern finds.
func shortest(t *testing.T, file, pattern string) time.Duration {
	t.Helper()
	var times []time.Duration
	for _, text := range found(t, file, pattern) {
		times = append(times, parseTime(t, text))
	}
	return slices.Min(times)
}

// found has the pattern's group of every match in the file. There must be a match.
func found(t *testing.T, file, pattern string) (texts []string) {
	t.Helper()
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(read(t, file), -1) {
		texts = append(texts, match[1])
	}
	require.NotEmpty(t, texts, "%s has no %s", file, pattern)
	return texts
}

func parseTime(t *testing.T, text string) time.Duration {
	t.Helper()
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(seconds) * time.Second
	}
	d, err := time.ParseDuration(text)
	require.NoError(t, err)
	return d
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(file)))
	require.NoError(t, err)
	return string(text)
}
