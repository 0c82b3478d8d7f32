//go:build senders

package senders

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

const (
	here    = "http://in.example.com:8081/in"
	hereTLS = "https://in.example.com:8081/in"
	secret  = "7c1f0c0e2b4d5a69"
)

// shell runs a recipe unchanged, in a folder with its files. curl's own configuration makes it print the status and the version
// of HTTP.
type shell struct {
	t    testing.TB
	dir  string
	vars []string
}

func newShell(t testing.TB, vars ...string) *shell {
	t.Helper()
	harness.FindProgram(t, "curl")
	s := &shell{t: t, dir: t.TempDir(), vars: vars}
	s.file(".curlrc", []byte(`write-out = "\n%{http_code} HTTP/%{http_version}\n"`))
	return s
}

func (s *shell) file(name string, content []byte) {
	s.t.Helper()
	harness.WriteRecipe(s.t, s.dir, name, string(content))
}

// batch writes the files that the recipes send.
func (s *shell) batch(b harness.Batch) {
	s.t.Helper()
	s.file("batch.json", b.Body())
	var lines bytes.Buffer
	for _, m := range b {
		fmt.Fprintf(&lines, "%s\n", m.Raw)
	}
	s.file("batch.ndjson", lines.Bytes())
}

// command is a recipe before its start.
func (s *shell) command(recipe string) *exec.Cmd {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "sh", "-euc", recipe)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), append(s.vars, "HOME="+s.dir, "CURL_HOME="+s.dir)...)
	return cmd
}

// run returns curl's output. It must be rtbeat's 200 for this number of messages.
func (s *shell) run(recipe string, messages int) string {
	s.t.Helper()
	out, err := s.command(recipe).CombinedOutput()
	require.NoError(s.t, err, "%s\n%s", recipe, out)
	require.Contains(s.t, string(out), fmt.Sprintf(`"status":"OK","ack":"delivered","messages":%d,`, messages))
	require.Contains(s.t, string(out), "\n200 HTTP/")
	return string(out)
}

// Each kind of body that curl can send, to one rtbeat without authentication.
func TestCurl(t *testing.T) {
	t.Parallel()
	const messages = 3
	sink := harness.StartSink(t, lumbersink.Immediate())
	b := startWith(t, sink, "")
	s := newShell(t)
	var ids []string
	for _, name := range []string{"curl", "curl-ndjson", "curl-gzip", "curl-zstd", "curl-chunked", "curl-expect", "curl-retry"} {
		text := recipe(t, name, here, "http://"+b.Addr+"/in")
		if strings.Contains(text, "zstd ") {
			harness.FindProgram(t, "zstd")
		}
		batch := harness.NewBatch(name, messages)
		s.batch(batch)
		s.run(text, messages)
		for _, m := range batch {
			ids = append(ids, harness.DocumentID(m.Raw))
		}
	}
	requireDelivered(t, sink, ids)
}

// requireDelivered requires the documents with these ids at the sink, each once.
func requireDelivered(t testing.TB, sink *lumbersink.Sink, ids []string) {
	t.Helper()
	var got []string
	for _, e := range eventsAt(t, sink) {
		got = append(got, e.Metadata.ID)
	}
	require.ElementsMatch(t, ids, got)
}

// Each way to authenticate. A wrong secret is refused, so the recipe's secret is checked.
func TestCurlCredentials(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		settings []string
		vars     string
	}{
		"curl-bearer":    {[]string{"rtbeat.auth.bearer.tokens=[" + secret + "]"}, "RTBEAT_TOKEN="},
		"curl-basic":     {[]string{"rtbeat.auth.basic.username=collector", "rtbeat.auth.basic.password=" + secret}, "RTBEAT_PASSWORD="},
		"curl-hmac":      {[]string{"rtbeat.auth.hmac.keys=[" + secret + "]"}, "RTBEAT_SIGNING_KEY="},
		"curl-hmac-time": {[]string{"rtbeat.auth.hmac.keys=[" + secret + "]", "rtbeat.auth.hmac.timestamp_header=X-Timestamp"}, "RTBEAT_SIGNING_KEY="},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := harness.StartSink(t, lumbersink.Immediate())
			b := startWith(t, sink, "", tt.settings...)
			text := recipe(t, name, here, "http://"+b.Addr+"/in")
			if strings.Contains(text, "openssl") {
				harness.FindProgram(t, "openssl")
			}
			batch := harness.NewBatch(name, 1)

			s := newShell(t, tt.vars+secret)
			s.batch(batch)
			s.run(text, 1)
			wrong := newShell(t, tt.vars+"not-"+secret)
			wrong.batch(batch)
			out, err := wrong.command(text).CombinedOutput()
			require.Error(t, err, "curl must tell the shell")
			require.Contains(t, string(out), "\n401 HTTP/")
			requireDelivered(t, sink, batch.DocumentIDs())
		})
	}
}

func TestCurlTLS(t *testing.T) {
	t.Parallel()
	certs := newCertificates(t)
	sink := harness.StartSink(t, lumbersink.Immediate())
	_, adminPort := harness.FreeAddress(t)
	b := startWith(t, sink, "", "rtbeat.ssl.certificate="+certs.path(serverCert), "rtbeat.ssl.key="+certs.path(serverKey),
		"rtbeat.ssl.certificate_authorities=["+certs.path(caFile)+"]", "rtbeat.ssl.client_authentication=optional",
		"rtbeat.admin.host=127.0.0.1", "rtbeat.admin.port="+adminPort)
	s := newShell(t)
	pems := []string{hereTLS, "https://" + b.Addr + "/in", "ca.pem", certs.path(caFile)}

	http2 := harness.NewBatch("http2", 2)
	s.batch(http2)
	require.Contains(t, s.run(recipe(t, "curl-http2", pems...), 2), "\n200 HTTP/2\n")

	require.NoError(t, os.RemoveAll(s.dir+"/batch.json"))
	mtls := harness.NewBatch("mtls", 1)
	s.batch(mtls)
	text := recipe(t, "curl-mtls", append(pems, "client.pem", certs.path(clientCert), "client.key", certs.path(clientKey))...)
	named := startWith(t, sink, "", "rtbeat.ssl.certificate="+certs.path(serverCert), "rtbeat.ssl.key="+certs.path(serverKey),
		"rtbeat.ssl.certificate_authorities=["+certs.path(caFile)+"]", "rtbeat.auth.certificate.names=["+clientName+"]")
	s.run(strings.ReplaceAll(text, b.Addr, named.Addr), 1)
	requireDelivered(t, sink, append(http2.DocumentIDs(), mtls.DocumentIDs()...))
}

// A curl, which has OpenSSL, that does not trust the certificate is counted as such, in each version of TLS.
func TestCurlDistrustsTheCertificate(t *testing.T) {
	t.Parallel()
	certs := newCertificates(t)
	sink := harness.StartSink(t, lumbersink.Immediate())
	_, adminPort := harness.FreeAddress(t)
	b := startWith(t, sink, "", "rtbeat.ssl.certificate="+certs.path(serverCert), "rtbeat.ssl.key="+certs.path(serverKey),
		"rtbeat.admin.host=127.0.0.1", "rtbeat.admin.port="+adminPort)
	s := newShell(t)
	for i, version := range []string{"1.2", "1.3"} {
		out, err := s.command("curl -sS --tlsv" + version + " --tls-max " + version + " https://" + b.Addr + "/livez").CombinedOutput()
		require.Error(t, err, "%s", out)
		harness.Await(t, harness.ArriveWithin, "a failed handshake", func() bool {
			return b.Metric(`rtbeat_tls_handshake_failures_total{reason="rejected_by_peer"}`) > float64(i)
		})
	}
}

func TestCurlUnixSocket(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	socket := harness.SocketPath(t, "in.sock")
	startWith(t, sink, "", "rtbeat.host=unix://"+socket)
	s := newShell(t)
	batch := harness.NewBatch("socket", 2)
	s.batch(batch)
	s.run(recipe(t, "curl-unix", "/run/rtbeat/in.sock", socket), 2)
	requireDelivered(t, sink, batch.DocumentIDs())
	require.Empty(t, eventsAt(t, sink)[0].ClientIP)
}

// curl retries through an outage, and its repetitions are not delivered twice.
func TestCurlRetries(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Never())
	b := startWith(t, sink, "", promptTimeout)
	s := newShell(t)
	batch := harness.NewBatch("again", 2)
	s.batch(batch)
	cmd := s.command(recipe(t, "curl-retry", here, "http://"+b.Addr+"/in"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()

	harness.Await(t, harness.ArriveWithin, "a 504", func() bool { return b.Answers(http.StatusGatewayTimeout, "ack_timeout") > 0 })
	harness.RecoverSink(sink)
	require.NoError(t, <-ended, "%s", out.String())
	require.Contains(t, out.String(), `"status":"OK","ack":"delivered","messages":2,"coalesced":2`)
	requireDelivered(t, sink, batch.DocumentIDs())
}
