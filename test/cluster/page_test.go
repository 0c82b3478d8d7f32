//go:build cluster

package cluster

import (
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

// page has the commands and the files for an installation.
var page = &harness.Page{File: "docs/kubernetes.md"}

// reader follows the page in a folder of its own, which has the repository's deploy.
type reader struct {
	t      testing.TB
	folder string
}

func newReader(t testing.TB) *reader {
	t.Helper()
	deploy, err := filepath.Abs(filepath.Join(harness.RepoRoot, "deploy"))
	require.NoError(t, err)
	r := &reader{t: t, folder: t.TempDir()}
	require.NoError(t, os.Symlink(deploy, filepath.Join(r.folder, "deploy")))
	return r
}

// block is a code block of the page, with the repository's folder in place of its address.
func (r *reader) block(name string, replace ...string) string {
	r.t.Helper()
	text := page.Recipe(r.t, name, replace...)
	text = strings.ReplaceAll(text, "https://github.com/txn2/rtbeat//", "")
	return strings.ReplaceAll(text, "?ref=v0.1.0", "")
}

// write writes a file of the page.
func (r *reader) write(file, text string) {
	r.t.Helper()
	require.NoError(r.t, os.WriteFile(filepath.Join(r.folder, file), []byte(text), 0o600))
}

// run runs the commands of a block, and returns what they printed.
func (r *reader) run(name string) string {
	r.t.Helper()
	helm, err := output(filepath.Join(harness.RepoRoot, "scripts", "tool.sh"), "helm")
	require.NoError(r.t, err)
	cmd := exec.CommandContext(r.t.Context(), "sh", "-euxc", r.block(name))
	cmd.Dir = r.folder
	cmd.Env = append(os.Environ(), "KUBECONFIG="+file("admin.kubeconfig"), "HOME="+r.folder,
		"PATH="+programs+":"+filepath.Dir(strings.TrimSpace(helm))+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	require.NoError(r.t, err, "%s", out)
	return string(out)
}

// deleteAtEnd deletes a namespace of the page with the test.
func (r *reader) deleteAtEnd(name string) *namespace {
	r.t.Helper()
	s := &namespace{t: r.t, name: name}
	r.t.Cleanup(func() {
		if r.t.Failed() {
			s.describe()
		}
		_, err := kubectl("", "delete", "namespace", name, "--wait=false")
		require.NoError(r.t, err)
	})
	return s
}

func TestPageLook(t *testing.T) { newReader(t).run("look") }

func TestPageOverlay(t *testing.T) {
	r := newReader(t)
	r.write("kustomization.yaml", r.block("overlay-kustomization"))
	r.write("rtbeat.yml", r.block("overlay-settings", "logs-1.example", "logstash", "logs-2.example", "logstash"))
	authority := harness.NewAuthority(t)
	certificate, key := harness.InPEM(t, authority.Issue(t, harness.CertificateFor("rtbeat.logging.svc")))
	r.write("tls.crt", certificate)
	r.write("tls.key", key)
	s := r.deleteAtEnd("logging")
	r.run("overlay")
	s.must(sinkService, "apply", "-f", "-")
	sink := listen(t)

	out := r.run("commands")
	require.Contains(t, out, "Config OK")
	require.Contains(t, out, "rtbeat.logging.svc", "test intake names the certificate's names")
	require.Contains(t, r.run("test-output"), "OK")
	require.Contains(t, s.must("", "exec", "deploy/rtbeat", "--", "rtbeat", "queue", "--help"), "Usage")

	client := harness.NewClientOver(&http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: authority.Pool, ServerName: "rtbeat.logging.svc"},
	})
	post := func(name string) harness.Answer {
		token, err := base64.StdEncoding.DecodeString(s.get("secret/rtbeat", "{.data.RTBEAT_TOKEN}"))
		require.NoError(t, err)
		return client.PostTo(t.Context(), strings.Replace(s.url(), "http:", "https:", 1),
			http.Header{"Authorization": {"Bearer " + string(token)}}, harness.NewBatch(name, 1).Body())
	}
	require.Equal(t, http.StatusOK, post("first").Code)
	r.run("secret")
	time.Sleep(settle) // the pods with the old token serve for shutdown_delay
	require.Equal(t, http.StatusOK, post("second").Code)
	require.Equal(t, 2, sink.Received(), "test intake publishes nothing")
}

func TestPageHelm(t *testing.T) {
	r := newReader(t)
	r.write("my-values.yaml", r.block("helm-values", "logs-1.example", "logstash", "logs-2.example", "logstash"))
	s := r.deleteAtEnd("rtbeat")
	r.run("helm")
	s.must(sinkService, "apply", "-f", "-")
	listen(t)
	require.Contains(t, s.must("", "exec", "deploy/rtbeat", "--", "rtbeat", "test", "intake"), "OK")
	require.Contains(t, s.must("", "exec", "deploy/rtbeat", "--", "rtbeat", "test", "output"), "OK")
}

func TestPageDurable(t *testing.T) {
	addVolumes(t, "page", 4)
	for _, block := range []string{"durable", "durable-helm"} {
		r := newReader(t)
		s := r.deleteAtEnd("rtbeat-" + block)
		r.run(block)
		s.must(sinkService, "apply", "-f", "-")
		_, err := s.kubectl("", "exec", "statefulset/rtbeat", "--", "rtbeat", "queue", "status")
		require.ErrorContains(t, err, "in use", "it finds the queue of the running rtbeat")
	}
}
