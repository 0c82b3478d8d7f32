//go:build linux && systemd

package systemd

import (
	"context"
	"crypto/tls"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// page has the recipes of these tests.
const page = "docs/systemd.md"

// TestReload renews a token and the certificate as the page describes, in the same process.
func TestReload(t *testing.T) {
	m := boot(t)
	m.install("current.deb")
	sink := m.sink(lumbersink.Immediate())
	m.certificate(1)
	tokens := func(list string) { m.secret("/etc/rtbeat/secrets.yml", "rtbeat.auth.bearer.tokens: ["+list+"]\n") }
	tokens("first, second")
	m.write("/etc/default/rtbeat", m.recipe("secrets.yml\"' >> /etc/default/rtbeat", `'(.*)'`)+"\n")
	m.tlsFrom("/etc/rtbeat/server.key")
	m.run("systemctl", "enable", "--now", socket, service)
	before := m.show(service, "MainPID")

	ledger := harness.NewLedger(t)
	post := func(token, name string) (code int, serial int64) { return m.postWith(ledger, token, name) }
	expect := func(token string, code int, serial int64) {
		t.Helper()
		gotCode, gotSerial := post(token, token)
		require.Equal(t, []int64{int64(code), serial}, []int64{int64(gotCode), gotSerial}, "status, and number of the certificate")
	}
	expect("first", http.StatusOK, 1)
	expect("third", http.StatusUnauthorized, 1)

	m.certificate(2)
	tokens("second, third")
	m.run("systemctl", "reload", service)
	harness.Await(t, commandWithin, "a reload", func() bool {
		code, _ := post("third", "new")
		return code == http.StatusOK
	})
	expect("first", http.StatusUnauthorized, 2)
	expect("second", http.StatusOK, 2)
	expect("third", http.StatusOK, 2)
	require.Equal(t, before, m.show(service, "MainPID"))
	require.Equal(t, "active", m.show(service, "ActiveState"))
	ledger.Check(t, sink)
}

// TestCredentials reads token and key from credentials of systemd, whose files only root can read, with the page's drop-in.
func TestCredentials(t *testing.T) {
	m := boot(t)
	m.install("current.deb")
	sink := m.sink(lumbersink.Immediate())
	m.certificate(1)
	m.secret("/etc/rtbeat/secrets.yml", "rtbeat.auth.bearer.tokens: [credential]\n")
	m.run("mv", "/etc/rtbeat/server.key", "/etc/ssl/private/server.key")
	m.run("chmod", "0600", "/etc/rtbeat/secrets.yml", "/etc/ssl/private/server.key")
	m.run("chown", "root:root", "/etc/rtbeat/secrets.yml", "/etc/ssl/private/server.key")
	m.tlsFrom("${CREDENTIALS_DIRECTORY}/server.key")
	m.dropIn(service, m.recipe("LoadCredential=", `(?s)(.*)`))
	m.run("systemctl", "enable", "--now", socket, service)

	ledger := harness.NewLedger(t)
	for token, want := range map[string]int{"credential": http.StatusOK, "other": http.StatusUnauthorized} {
		code, serial := m.postWith(ledger, token, token)
		require.Equal(t, want, code, token)
		require.EqualValues(t, 1, serial)
	}
	ledger.Check(t, sink)
}

// recipe returns the pattern's group from the page's code block with this text.
func (m *machine) recipe(having, pattern string) string {
	m.t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.RepoRoot, page))
	require.NoError(m.t, err)
	for _, block := range regexp.MustCompile("(?s)\n *```[a-z]+\n(.*?)\n *```").FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(block[1], having) {
			match := regexp.MustCompile(pattern).FindStringSubmatch(block[1])
			require.NotNil(m.t, match, "%s: no %s in %s", page, pattern, block[1])
			return match[1]
		}
	}
	require.FailNow(m.t, "no recipe", "%s has no code block with %q", page, having)
	return ""
}

// secret writes a file of root that the service may read through its group.
func (m *machine) secret(path, text string) {
	m.t.Helper()
	m.write(path, text)
	m.run("chown", "root:rtbeat", path)
	m.run("chmod", "0640", path)
}

// tlsFrom configures the certificate and a key.
func (m *machine) tlsFrom(key string) {
	m.t.Helper()
	const config = "/etc/rtbeat/rtbeat.yml"
	m.write(config, m.run("cat", config)+"\nrtbeat.ssl.certificate: /etc/rtbeat/server.pem\nrtbeat.ssl.key: "+key+"\n")
}

// certificate writes a certificate with that number for the intake, and its key.
func (m *machine) certificate(serial int64) {
	m.t.Helper()
	template := harness.CertificateFor("rtbeat")
	template.SerialNumber = big.NewInt(serial)
	cert, key := harness.InPEM(m.t, harness.NewAuthority(m.t).Issue(m.t, template))
	m.secret("/etc/rtbeat/server.pem", cert)
	m.secret("/etc/rtbeat/server.key", key)
}

// postWith posts a message with a token over TLS, and returns the number of the server's certificate.
func (m *machine) postWith(ledger *harness.Ledger, token, name string) (code int, serial int64) {
	m.t.Helper()
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := m.dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, err
		}
		serial = secure.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
		return secure, nil
	}
	client := harness.NewClientOver(&wire{dial: dial, fresh: true})
	header := http.Header{"Authorization": {"Bearer " + token}}
	answer := ledger.PostBy(m.t.Context(), client, "https://"+intakeAt+"/in", header, harness.NewBatch(name, 1))
	require.NoError(m.t, answer.Err)
	return answer.Code, serial
}
