//go:build abuse

package abuse

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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

// certificate makes a certificate for the local address and its key, as files.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	write := func(name, kind string, bytes []byte) string {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600))
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", pkcs8)
}
