//go:build e2e

package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// intakeRig runs rtbeat with settings, and tests its intake with the same settings or others.
type intakeRig struct {
	home string
	sink *lumbersink.Sink
	beat *harness.Beat
}

func startIntake(t *testing.T, settings map[string]any) *intakeRig {
	t.Helper()
	r := &intakeRig{home: t.TempDir(), sink: harness.StartSink(t, lumbersink.Immediate())}
	if settings["host"] == nil {
		settings["port"] = freePort(t)
	}
	r.beat = harness.StartBeat(t, harness.Settings{Sink: r.sink.Addr(), Rtbeat: settings, Home: r.home})
	return r
}

// ask runs "test intake" with a configuration.
func (r *intakeRig) ask(t *testing.T, settings map[string]any, args ...string) harness.Result {
	t.Helper()
	config := harness.Settings{Sink: r.sink.Addr(), Rtbeat: settings}.WriteConfig(t, r.home)
	return harness.Command(t, r.home, "", append([]string{"test", "intake", "-c", config}, args...)...)
}

func requireOK(t *testing.T, r harness.Result, want string) {
	t.Helper()
	require.Zero(t, r.Code, "stdout:\n%s\nstderr:\n%s", r.Stdout, r.Stderr)
	require.Equal(t, want, r.Stdout)
}

// requireTold requires that the test failed, with this last line, and this advice.
func requireTold(t *testing.T, r harness.Result, said ...string) {
	t.Helper()
	require.Equal(t, 1, r.Code, "stdout:\n%s\nstderr:\n%s", r.Stdout, r.Stderr)
	for _, text := range said {
		require.Contains(t, r.Stdout+r.Stderr, text)
	}
}

func address(r *intakeRig) string { return "http://" + r.beat.Addr + "/in" }

func TestIntakePlain(t *testing.T) {
	t.Parallel()
	settings := map[string]any{}
	r := startIntake(t, settings)
	want := address(r) + " with no credentials: OK\n"
	requireOK(t, r.ask(t, settings), want)
	for _, everywhere := range []string{"", "0.0.0.0"} {
		told := r.ask(t, map[string]any{"host": everywhere, "port": settings["port"]})
		requireOK(t, told, strings.Replace(want, "127.0.0.1", "localhost", 1))
	}
	requireOK(t, r.ask(t, map[string]any{}, "--url", "http://"+r.beat.Addr), want)
	require.Zero(t, r.sink.Received(), "nothing is published")

	requireTold(t, r.ask(t, settings, "--url", "http://"+harness.DeadAddress(t)), "connection refused", "check that rtbeat listens there")
	requireTold(t, r.ask(t, settings, "--url", "https://"+r.beat.Addr), "no answer")
	requireTold(t, r.ask(t, settings, "--url", "http://"+r.beat.Addr+"/other"), "404 not_found", "rtbeat.sources")
	requireTold(t, r.ask(t, settings, "--url", "http://user:hidden@"+r.beat.Addr), "without a user")

	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	requireTold(t, r.ask(t, settings, "--url", other.URL), "404 is no answer of rtbeat")
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	requireTold(t, r.ask(t, settings, "--url", "http://"+silent.Addr().String(), "--timeout", "300ms"), "--timeout")
}

func TestIntakeWithCredentials(t *testing.T) {
	t.Parallel()
	auth := map[string]any{
		"bearer": map[string]any{"tokens": []string{authToken, "another-token"}},
		"basic":  map[string]any{"username": "collector", "password": authPassword},
		"header": map[string]any{"values": []string{"a-value"}},
		"hmac":   map[string]any{"keys": []string{authKey}, "timestamp_header": "X-Timestamp"},
	}
	settings := map[string]any{"auth": auth}
	r := startIntake(t, settings)
	var want string
	for _, credential := range []string{"auth.basic", "auth.bearer.tokens[0]", "auth.bearer.tokens[1]", "auth.header.values[0]", "auth.hmac"} {
		want += address(r) + " with " + credential + ": OK\n"
	}
	requireOK(t, r.ask(t, settings), want)

	with := func(auth map[string]any) map[string]any {
		return map[string]any{"port": settings["port"], "auth": auth}
	}
	for scheme, wrong := range map[string]map[string]any{
		"bearer": {"tokens": []string{"old-token"}},
		"basic":  {"username": "collector", "password": "old-password"},
		"header": {"values": []string{"old-value"}},
		"hmac":   {"keys": []string{"old-key"}, "timestamp_header": "X-Timestamp"},
	} {
		told := r.ask(t, with(map[string]any{scheme: wrong}))
		requireTold(t, told, " with auth."+scheme, ": 401 unauthorized", "rtbeat.auth of the running rtbeat")
		require.NotContains(t, told.Stdout+told.Stderr, "old-")
	}
	requireTold(t, r.ask(t, map[string]any{"port": settings["port"]}), "with no credentials: 401 unauthorized", "rtbeat.auth of the running rtbeat")
}

func TestIntakeOverTLS(t *testing.T) {
	t.Parallel()
	ca := harness.NewAuthority(t)
	certificate, key := harness.InPEM(t, ca.Issue(t, harness.CertificateFor("server")))
	root := ca.PEM
	ssl := map[string]any{"certificate": certificate, "key": key, "certificate_authorities": []string{root}, "client_authentication": "required"}
	settings := map[string]any{"ssl": ssl, "auth": map[string]any{"certificate": map[string]any{"names": []string{"sender"}}}}
	r := startIntake(t, settings)
	file := func(name, text string) string {
		path := filepath.Join(r.home, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	client := func(authority *harness.Authority, name string) []string {
		certificate, key := harness.InPEM(t, authority.Issue(t, harness.CertificateFor(name)))
		return []string{"--certificate", file(name+".pem", certificate), "--key", file(name+".key", key)}
	}
	at := "https://" + r.beat.Addr + "/in"
	requireOKOverTLS(t, r.ask(t, settings, client(ca, "sender")...), at, "server, 127.0.0.1")

	requireTold(t, r.ask(t, settings), "--certificate and --key")
	requireTold(t, r.ask(t, settings, client(harness.NewAuthority(t), "sender")...), "--certificate and --key")
	requireTold(t, r.ask(t, settings, client(ca, "other")...), "403 forbidden", "another client certificate")
	requireTold(t, r.ask(t, settings, "--certificate", "nowhere.pem", "--key", "nowhere.key"), "nowhere.pem")

	// With another configuration, without the authority.
	sender := client(ca, "sender")
	stranger := slices.Concat(sender, []string{"--url", at})
	requireTold(t, r.ask(t, map[string]any{}, stranger...), "unknown authority", "--ca")
	requireOK(t, r.ask(t, map[string]any{}, slices.Concat(stranger, []string{"--ca", file("ca.pem", root)})...), at+" with no credentials: OK\n")
	requireTold(t, r.ask(t, map[string]any{}, slices.Concat(stranger, []string{"--ca", file("none.pem", "none")})...), "none.pem")
	requireTold(t, r.ask(t, map[string]any{}, "--url", "http://"+r.beat.Addr), "no answer")
}

// The certificate has the senders' name. The listener's address may differ from it.
func TestIntakeOverTLSByAnotherName(t *testing.T) {
	t.Parallel()
	ca := harness.NewAuthority(t)
	named := harness.CertificateFor("logs.example.com")
	named.IPAddresses = nil
	certificate, key := harness.InPEM(t, ca.Issue(t, named))
	root := ca.PEM
	settings := map[string]any{"ssl": map[string]any{"certificate": certificate, "key": key, "certificate_authorities": []string{root}, "client_authentication": "none"}}
	r := startIntake(t, settings)
	requireOKOverTLS(t, r.ask(t, settings), "https://"+r.beat.Addr+"/in", "logs.example.com")
	everywhere := map[string]any{"host": "0.0.0.0", "port": settings["port"], "ssl": settings["ssl"]}
	requireOKOverTLS(t, r.ask(t, everywhere), "https://localhost:"+fmt.Sprint(settings["port"])+"/in", "logs.example.com")
	requireTold(t, r.ask(t, settings, "--url", "https://"+r.beat.Addr), "the name in the certificate")
}

// The certificate of the configuration is trusted, whoever signed it, and no other: not one of the same authority either.
func TestIntakeOverTLSTrustsItsOwnCertificate(t *testing.T) {
	t.Parallel()
	signed := harness.NewAuthority(t)
	for name, pair := range map[string]tls.Certificate{
		"self-signed":       new(harness.Authority).Issue(t, harness.CertificateFor("logs.example.com")),
		"private authority": signed.Issue(t, harness.CertificateFor("logs.example.com")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			certificate, key := harness.InPEM(t, pair)
			settings := map[string]any{"ssl": map[string]any{"certificate": certificate, "key": key}}
			r := startIntake(t, settings)
			told := r.ask(t, settings)
			require.Zero(t, told.Code, "stdout:\n%s\nstderr:\n%s", told.Stdout, told.Stderr)
			require.Contains(t, told.Stdout, "signed by no authority that this machine knows")
			requireTold(t, r.ask(t, settings, "--url", "https://"+r.beat.Addr), "unknown authority", "--ca")

			certificate, key = harness.InPEM(t, signed.Issue(t, harness.CertificateFor("logs.example.com")))
			other := map[string]any{"port": settings["port"], "ssl": map[string]any{"certificate": certificate, "key": key}}
			requireTold(t, r.ask(t, other), "another certificate than rtbeat.ssl.certificate has")
		})
	}
}

// requireOKOverTLS requires one source without credentials, and the names of the certificate in the verdict.
func requireOKOverTLS(t *testing.T, r harness.Result, url, names string) {
	t.Helper()
	require.Zero(t, r.Code, "stdout:\n%s\nstderr:\n%s", r.Stdout, r.Stderr)
	want := "^" + regexp.QuoteMeta(url+" with no credentials: OK\ncertificate for "+names+", until ") +
		`\S+, signed by no authority that this machine knows: senders need its authority\n$`
	require.Regexp(t, want, r.Stdout)
}

func TestIntakeOverAUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(shortDir(t), "in.sock")
	settings := map[string]any{"host": "unix://" + path}
	r := startIntake(t, settings)
	want := "http://localhost/in with no credentials: OK\n"
	requireOK(t, r.ask(t, settings), want)
	requireOK(t, r.ask(t, settings, "--url", "unix://"+path), want)
	requireTold(t, r.ask(t, settings, "--url", "unix://"+path+".other"), "no answer")
}

// The test writes no PROXY header. It needs an address that is no trusted proxy's, or the proxy.
func TestIntakeBehindAProxy(t *testing.T) {
	t.Parallel()
	settings := map[string]any{"proxy_protocol": true, "trusted_proxies": []string{"127.0.0.1"}}
	r := startIntake(t, settings)
	requireTold(t, r.ask(t, settings), "no answer")
	settings = map[string]any{"proxy_protocol": true, "trusted_proxies": []string{"192.0.2.1"}}
	r = startIntake(t, settings)
	requireOK(t, r.ask(t, settings), address(r)+" with no credentials: OK\n")
}

// preset is a source with a secret.
func preset(name, scheme, list, secret string) map[string]any {
	return map[string]any{"name": name, "path": "/" + name, "preset": name, "auth": map[string]any{scheme: map[string]any{list: []string{secret}}}}
}

func TestIntakeOfEachSource(t *testing.T) {
	t.Parallel()
	settings := map[string]any{"auth": map[string]any{"bearer": map[string]any{"tokens": []string{authToken}}}, "sources": []any{
		map[string]any{"name": "in", "path": "/in"},
		map[string]any{"name": "hooks", "path": "/hooks/*", "auth": map[string]any{"basic": map[string]any{"username": "collector", "password": authPassword}}},
		preset("github", "hmac", "keys", "a-key"),
		preset("gitlab", "header", "values", "a-value"),
		preset("slack", "hmac", "keys", "a-key"),
		preset("standard-webhooks", "hmac", "keys", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
		preset("stripe", "hmac", "keys", "a-key"),
	}}
	r := startIntake(t, settings)
	at := "http://" + r.beat.Addr
	requireOK(t, r.ask(t, settings), at+"/in with auth.bearer.tokens[0]: OK\n"+
		at+"/hooks/ with auth.basic: OK\n"+
		at+"/github with auth.hmac: OK\n"+
		at+"/gitlab with auth.header.values[0]: OK\n"+
		at+"/slack with auth.hmac: OK\n"+
		at+"/standard-webhooks with auth.hmac: OK\n"+
		at+"/stripe with auth.hmac: OK\n")
	require.Zero(t, r.sink.Received(), "nothing is published")
}

func TestIntakeThatIsNotReady(t *testing.T) {
	t.Parallel()
	settings := map[string]any{"max_in_flight_bytes": 1000, "timeout": 30}
	r := startIntake(t, settings)
	r.sink.SetPolicy(lumbersink.Never())
	l := newLine(t, dialFrom(t, "", r.beat.Addr))
	l.write(post(`[{"pad":"` + strings.Repeat("x", 980) + `"}]`))
	harness.Arrived(t, r.sink, 1)
	requireTold(t, r.ask(t, settings), "with no credentials: 503 in_flight_limit: as much as rtbeat.max_in_flight_bytes allows waits for the output")
	harness.RecoverSink(r.sink)
	require.Equal(t, 200, l.read(t, "POST").code)
	r.beat.Stop()
	requireTold(t, r.ask(t, settings), "check that rtbeat listens there")
}
