//go:build e2e

package e2e

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// reloaded is a process whose tokens and certificate change.
type reloaded struct {
	*harness.Beat
	t       *testing.T
	notices *notifySocket
	config  string // its rtbeat.yml
}

// rewrite writes rtbeat.yml with these tokens.
func (r *reloaded) rewrite(tokens ...string) {
	r.t.Helper()
	text, err := os.ReadFile(r.config)
	require.NoError(r.t, err)
	var file map[string]any
	require.NoError(r.t, json.Unmarshal(text, &file))
	file["rtbeat"].(map[string]any)["auth"] = map[string]any{"bearer": map[string]any{"tokens": tokens}}
	r.write(file)
}

func (r *reloaded) write(file map[string]any) {
	r.t.Helper()
	text, err := json.Marshal(file)
	require.NoError(r.t, err)
	require.NoError(r.t, os.WriteFile(r.config, text, 0o600))
}

// hangUp sends SIGHUP and waits until the process has told systemd of the end of the reload.
func (r *reloaded) hangUp() {
	r.t.Helper()
	since := time.Now()
	r.Signal(syscall.SIGHUP)
	reloading, _ := r.notices.await(r.t, since, "RELOADING=1")
	require.Contains(r.t, strings.Join(reloading.lines, "\n"), "MONOTONIC_USEC=")
	r.notices.await(r.t, reloading.at, "READY=1")
}

// keptOpen is a kept connection of a sender.
type keptOpen struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func (k *keptOpen) post(token, body string) (code int, leaves bool) {
	k.t.Helper()
	require.NoError(k.t, k.conn.SetDeadline(time.Now().Add(harness.ArriveWithin)))
	k.send(token, body)
	return k.answer()
}

func (k *keptOpen) send(token, body string) {
	k.t.Helper()
	_, err := fmt.Fprintf(k.conn, "POST /in HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", token, len(body), body)
	require.NoError(k.t, err)
}

func (k *keptOpen) answer() (code int, leaves bool) {
	k.t.Helper()
	resp, err := http.ReadResponse(k.in, nil)
	require.NoError(k.t, err)
	_, err = k.in.Discard(int(resp.ContentLength))
	require.NoError(k.t, err)
	return resp.StatusCode, resp.Close
}

func keepOpen(t *testing.T, conn net.Conn, err error) *keptOpen {
	t.Helper()
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &keptOpen{t, conn, bufio.NewReader(conn)}
}

// Tokens change at a SIGHUP, also on open connections. No request fails, and accepted requests go on. An invalid configuration
// changes nothing.
func TestAReloadChangesTokens(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Never())
	home, notices := t.TempDir(), noticesIn(t)
	settings := harness.Settings{
		Sink: sink.Addr(), Home: home, Env: []string{notices.env()},
		Rtbeat: map[string]any{"timeout": 50, "auth": map[string]any{"bearer": map[string]any{"tokens": []string{"old", "both"}}}},
	}
	r := &reloaded{Beat: harness.StartBeat(t, settings), t: t, notices: notices, config: filepath.Join(home, "rtbeat-under-test.yml")}
	conn, err := net.Dial("tcp", r.Addr)
	k := keepOpen(t, conn, err)
	conn, err = net.Dial("tcp", r.Addr)
	waiting := keepOpen(t, conn, err)
	waiting.send("old", `[{"a":1}]`)
	harness.Arrived(t, sink, 1)
	codes := func(want map[string]int) {
		t.Helper()
		for token, code := range want {
			got, leaves := k.post(token, "[]")
			require.Equal(t, code, got, token)
			require.False(t, leaves)
		}
	}
	codes(map[string]int{"old": 200, "both": 200, "new": 401})

	r.rewrite("both", "new")
	r.hangUp()
	codes(map[string]int{"old": 401, "both": 200, "new": 200})
	require.InDelta(t, 1, r.Metric(`rtbeat_reloads_total{result="done"}`), 0)

	r.rewrite("new", "no token: it has spaces")
	r.hangUp()
	codes(map[string]int{"old": 401, "both": 200, "new": 200})
	require.NoError(t, os.WriteFile(r.config, []byte("{"), 0o600))
	r.hangUp()
	codes(map[string]int{"old": 401, "both": 200, "new": 200})
	require.InDelta(t, 2, r.Metric(`rtbeat_reloads_total{result="failed"}`), 0)
	failed, found := r.Log.Find("reloading failed")
	require.True(t, found)
	require.Equal(t, "error", failed.Fields["log.level"])

	settings.Rtbeat = map[string]any{"timeout": 49, "max_messages": 7, "auth": map[string]any{"bearer": map[string]any{"tokens": []string{"last"}}}}
	settings.WriteConfig(t, home)
	r.hangUp()
	codes(map[string]int{"old": 401, "both": 401, "new": 401, "last": 200})
	told, found := r.Log.Find("reloaded, but other settings have changed")
	require.True(t, found)
	require.Equal(t, "rtbeat.timeout, rtbeat.max_messages", told.Fields["settings"])

	harness.RecoverSink(sink)
	code, _ := waiting.answer()
	require.Equal(t, http.StatusOK, code, "its token was valid when the request began")
	require.NotContains(t, r.Log.String(), "no token: it has spaces")
	r.Stop()
}

// A secret from the keystore changes with the keystore.
func TestAReloadReadsTheKeystore(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	home, notices := t.TempDir(), noticesIn(t)
	settings := harness.Settings{
		Sink: sink.Addr(), Home: home, Env: []string{notices.env()},
		Rtbeat: map[string]any{"auth": map[string]any{"bearer": map[string]any{"tokens": []string{"${TOKEN}"}}}},
	}
	config := settings.WriteConfig(t, home)
	put := func(token string) {
		t.Helper()
		done := harness.Command(t, home, token, "keystore", "add", "TOKEN", "--stdin", "--force", "-c", config)
		require.Zero(t, done.Code, "%s", done.Stderr)
	}
	require.Zero(t, harness.Command(t, home, "", "keystore", "create", "--force", "-c", config).Code)
	put("first-token")
	r := &reloaded{Beat: harness.StartBeat(t, settings), t: t, notices: notices, config: config}
	conn, err := net.Dial("tcp", r.Addr)
	k := keepOpen(t, conn, err)
	code, _ := k.post("first-token", "[]")
	require.Equal(t, http.StatusOK, code)
	put("second-token")
	r.hangUp()
	code, _ = k.post("first-token", "[]")
	require.Equal(t, http.StatusUnauthorized, code)
	code, _ = k.post("second-token", "[]")
	require.Equal(t, http.StatusOK, code)
	r.Stop()
}

// Secrets can have their own file, which root lets the service read.
func TestAReloadReadsASecondFile(t *testing.T) {
	sink := harness.StartSink(t, lumbersink.Immediate())
	home, notices := t.TempDir(), noticesIn(t)
	t.Setenv("NOTIFY_SOCKET", notices.address)
	secrets := filepath.Join(home, "secrets.yml")
	put := func(token string) {
		t.Helper()
		require.NoError(t, os.WriteFile(secrets, []byte("rtbeat.auth.bearer.tokens: ["+token+"]\n"), 0o440))
		require.NoError(t, os.Chmod(secrets, 0o440)) // systemd makes credentials like this
	}
	put("first-token")
	config := harness.Settings{Sink: sink.Addr()}.WriteConfig(t, home)
	r := &reloaded{Beat: harness.StartBeatArgs(t, home, "-c", config, "-c", secrets, "--strict.perms=true"), t: t, notices: notices}
	conn, err := net.Dial("tcp", r.Addr)
	k := keepOpen(t, conn, err)
	code, _ := k.post("first-token", "[]")
	require.Equal(t, http.StatusOK, code)
	require.NoError(t, os.Remove(secrets))
	r.hangUp()
	code, _ = k.post("first-token", "[]")
	require.Equal(t, http.StatusOK, code, "a missing file changes nothing")
	put("second-token")
	r.hangUp()
	code, _ = k.post("first-token", "[]")
	require.Equal(t, http.StatusUnauthorized, code)
	code, _ = k.post("second-token", "[]")
	require.Equal(t, http.StatusOK, code)
	r.Stop()
}

// Forty reloads change the certificate during traffic. No request fails, and the next connection has the new certificate. An
// invalid certificate is refused.
func TestAReloadChangesTheCertificate(t *testing.T) {
	t.Parallel()
	const reloads = 40
	sink := harness.StartSink(t, lumbersink.Immediate())
	home, notices := t.TempDir(), noticesIn(t)
	files := certificateFiles(t, home, 1)
	r := &reloaded{Beat: harness.StartBeat(t, harness.Settings{
		Sink: sink.Addr(), Home: home, Env: []string{notices.env(), "CREDENTIALS_DIRECTORY=" + home},
		Rtbeat: map[string]any{"ssl": map[string]any{"certificate": files.certificate, "key": "${CREDENTIALS_DIRECTORY}/" + filepath.Base(files.key)}},
	}), t: t, notices: notices}
	serial := func() int64 {
		conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(t.Context(), "tcp", r.Addr)
		require.NoError(t, err)
		defer conn.Close()
		return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	require.EqualValues(t, 1, serial())

	var done atomic.Bool
	var running sync.WaitGroup
	var answers harness.Tally
	l := harness.NewLedger(t)
	for s := range 3 {
		transport := &http.Transport{DisableKeepAlives: s == 0, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
		t.Cleanup(transport.CloseIdleConnections)
		client := harness.NewClientOver(onceOnly{transport})
		running.Go(func() {
			for n := 0; !done.Load(); n++ {
				answers.Add(l.PostBy(t.Context(), client, "https://"+r.Addr+"/in", nil, harness.NewBatch(fmt.Sprintf("reload-%d-%d", s, n), 2)))
			}
		})
	}
	for n := int64(2); n < reloads+2; n++ {
		files.write(t, n)
		r.hangUp()
		require.Equal(t, n, serial())
	}
	require.NoError(t, os.WriteFile(files.key, []byte("no key"), 0o600))
	r.hangUp()
	require.EqualValues(t, reloads+1, serial())
	done.Store(true)
	running.Wait()
	t.Logf("answers: %v", answers.Counts())
	require.Equal(t, []string{"200"}, slices.Sorted(maps.Keys(answers.Counts())))
	l.CheckOnce(t, sink)
	r.Stop()
}

// A configuration that is empty, or lacks its auth section, does not switch authentication off.
func TestAReloadDoesNotLetEverybodyIn(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	home, notices := t.TempDir(), noticesIn(t)
	settings := harness.Settings{
		Sink: sink.Addr(), Home: home, Env: []string{notices.env()},
		Rtbeat: map[string]any{"auth": map[string]any{"bearer": map[string]any{"tokens": []string{"first"}}}},
	}
	r := &reloaded{Beat: harness.StartBeat(t, settings), t: t, notices: notices, config: filepath.Join(home, "rtbeat-under-test.yml")}
	conn, err := net.Dial("tcp", r.Addr)
	k := keepOpen(t, conn, err)
	r.rewrite("second") // the current configuration differs from the first one
	r.hangUp()
	require.NoError(t, os.WriteFile(r.config, nil, 0o600))
	r.hangUp()
	settings.Rtbeat = nil
	settings.WriteConfig(t, home)
	r.hangUp()
	require.InDelta(t, 2, r.Metric(`rtbeat_reloads_total{result="failed"}`), 0)
	failed, found := r.Log.Find("reloading failed")
	require.True(t, found)
	require.Contains(t, failed.Fields["error.message"], "rtbeat.auth is in force, and the configuration has none")
	code, _ := k.post("third", "[]")
	require.Equal(t, http.StatusUnauthorized, code)
	code, _ = k.post("second", "[]")
	require.Equal(t, http.StatusOK, code)
	r.Stop()
}

// A reload whose files cannot be read to their end, as on a lost file server, does not delay the shutdown.
func TestAReloadThatHangsHoldsUpNoStop(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	home, notices := t.TempDir(), noticesIn(t)
	b := harness.StartBeat(t, harness.Settings{Sink: sink.Addr(), Home: home, Env: []string{notices.env()}})
	config := filepath.Join(home, "rtbeat-under-test.yml")
	notices.await(t, time.Time{}, "READY=1")
	require.NoError(t, os.Remove(config))
	require.NoError(t, syscall.Mkfifo(config, 0o600)) // a file without a writer
	since := time.Now()
	b.Signal(syscall.SIGHUP)
	notices.await(t, since, "RELOADING=1")
	b.Terminate()
	code, _ := b.WaitExit(prompt)
	require.Zero(t, code)
	notices.await(t, since, "STOPPING=1")
	require.Zero(t, notices.count(since, "READY=1"))
}

// A SIGHUP during a long start does not end the process: rtbeat reloads when it serves.
func TestAHangupDuringTheStart(t *testing.T) {
	t.Parallel()
	sink := harness.StartSink(t, lumbersink.Immediate())
	slow := filepath.Join(t.TempDir(), "slow.yml")
	require.NoError(t, syscall.Mkfifo(slow, 0o600))
	var over atomic.Bool
	var writer sync.WaitGroup
	b := harness.StartBeat(t, harness.Settings{
		Sink: sink.Addr(), Args: []string{"-c", slow},
		Started: func(p *os.Process) {
			var hangUp sync.Once
			writer.Go(func() {
				for !over.Load() { // the configuration is read several times
					w, err := os.OpenFile(slow, os.O_WRONLY, 0) // returns when the file is opened for reading
					if err != nil {
						return
					}
					hangUp.Do(func() { _ = p.Signal(syscall.SIGHUP) })
					_ = w.Close()
				}
			})
		},
	})
	harness.Await(t, prompt, "the reload", func() bool { return b.Metric(`rtbeat_reloads_total{result="done"}`) > 0 })
	b.Stop()
	over.Store(true)
	r, err := os.OpenFile(slow, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	require.NoError(t, err)
	defer r.Close()
	writer.Wait()
}

// pairFiles are a certificate and its key, in files.
type pairFiles struct {
	authority        *harness.Authority
	certificate, key string
}

func certificateFiles(t *testing.T, home string, serial int64) *pairFiles {
	t.Helper()
	f := &pairFiles{harness.NewAuthority(t), filepath.Join(home, "server.pem"), filepath.Join(home, "server.key")}
	f.write(t, serial)
	return f
}

func (f *pairFiles) write(t *testing.T, serial int64) {
	t.Helper()
	template := harness.CertificateFor("server")
	template.SerialNumber = big.NewInt(serial)
	certificate, key := harness.InPEM(t, f.authority.Issue(t, template))
	require.NoError(t, os.WriteFile(f.certificate, []byte(certificate), 0o600))
	require.NoError(t, os.WriteFile(f.key, []byte(key), 0o600))
}
