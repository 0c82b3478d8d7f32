package test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/txn2/rtbeat/config"
)

var (
	yamlBlock = regexp.MustCompile("(?s)\n```yaml\n(.*?)\n```")
	variable  = regexp.MustCompile(`\$\{(\w+)\}`)
)

// rtbeat accepts the section `rtbeat:` of every example in the docs. Its variables have a value.
func TestRtbeatAcceptsTheExamplesInTheDocs(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	require.NoError(t, err)
	checked := map[string]int{}
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
			for _, name := range variable.FindAllStringSubmatch(block[1], -1) {
				t.Setenv(name[1], "a-secret-of-"+name[1])
			}
			c, err := conf.NewConfigWithYAML([]byte(block[1]), page)
			require.NoError(t, err, "%s:\n%s", page, block[1])
			if !c.HasField("rtbeat") {
				continue
			}
			section, err := c.Child("rtbeat", -1)
			require.NoError(t, err)
			_, _, err = config.Load(section)
			require.NoError(t, err, "%s:\n%s", page, block[1])
			checked[filepath.Base(page)]++
		}
	}
	for _, page := range []string{"README.md", "configuration.md", "senders.md"} {
		require.NotZero(t, checked[page], page)
	}
}
