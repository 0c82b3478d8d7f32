//go:build abuse

package abuse

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/txn2/rtbeat/test/harness"
)

// slow runs slowhttptest in one of its modes.
func slow(mode string, more ...string) func(*running, int) []string {
	return func(r *running, seconds int) []string {
		return append([]string{"slowhttptest", mode, "-u", r.url, "-l", strconv.Itoa(seconds), "-p", "5"}, more...)
	}
}

// h2load posts a small batch over TLS, with these clients, streams, and requests a second of each client.
func h2load(clients, streams, rps int) func(*running, int) []string {
	return func(r *running, seconds int) []string {
		path := filepath.Join(r.Home, "batch.json")
		_ = os.WriteFile(path, messages(rxtxLike, batchSize, mib), 0o600) // h2load reports a missing file
		return []string{
			"h2load", "-c", strconv.Itoa(clients), "-m", strconv.Itoa(streams), "--rps", strconv.Itoa(rps),
			"-D", strconv.Itoa(seconds), "-d", path, "-H", "content-type: application/json", r.url,
		}
	}
}

var (
	colours = regexp.MustCompile("\x1b\\[[0-9;]*m")
	// told matches the result lines of a tool's output.
	told = regexp.MustCompile(`^(finished in .*req/s|requests: .*|status codes: .*|(initializing|pending|connected|error|closed|service available|Exit status):.*)`)
)

// summary has the last of each result line.
func summary(out string) string {
	last := make(map[string]string)
	var order []string
	for line := range strings.Lines(colours.ReplaceAllString(out, "")) {
		line = strings.Join(strings.Fields(line), " ")
		if !told.MatchString(line) {
			continue
		}
		key, _, _ := strings.Cut(line, " ")
		if _, seen := last[key]; !seen {
			order = append(order, key)
		}
		last[key] = line
	}
	lines := make([]string, len(order))
	for i, key := range order {
		lines[i] = last[key]
	}
	return strings.Join(lines, "; ")
}

// certificate writes a certificate for the local address and its key.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	cert, key := harness.InPEM(t, harness.NewAuthority(t).Issue(t, harness.CertificateFor("rtbeat")))
	dir := t.TempDir()
	return harness.WriteRecipe(t, dir, "cert.pem", cert), harness.WriteRecipe(t, dir, "key.pem", key)
}
