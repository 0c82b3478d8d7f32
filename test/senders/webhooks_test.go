//go:build senders

package senders

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// signed is the signature of a service, in hexadecimal.
func signed(body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

// deliveries are requests as the services make them, by the path of their source. A delivery that is sent again arrives once, if
// the service names deliveries.
var deliveries = []struct {
	path, body string
	header     map[string]string // credential is the key of the credential
	credential string
	once       bool
}{
	{"/github", `{"action":"opened","number":1}`, map[string]string{
		"X-Hub-Signature-256": "sha256=" + signed(`{"action":"opened","number":1}`), "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958", "X-GitHub-Event": "pull_request",
	}, "X-Hub-Signature-256", true},
	{"/gitlab", `{"object_kind":"push"}`, map[string]string{
		"X-Gitlab-Token": secret, "Idempotency-Key": "f5e5f430-f57b-4e6e-9fac-d9128cd7232f", "X-Gitlab-Event": "Push Hook",
	}, "X-Gitlab-Token", true},
	{"/grafana", `{"receiver":"rtbeat","status":"firing","alerts":[]}`, map[string]string{
		"X-Grafana-Alerting-Signature": signed(`{"receiver":"rtbeat","status":"firing","alerts":[]}`),
	}, "X-Grafana-Alerting-Signature", false},
	{"/logpush", `{"RayID":"3a6050bcbe121a87"}` + "\n" + `{"RayID":"3a6050bcbe121a88"}`, map[string]string{
		"Authorization": "Bearer " + secret,
	}, "Authorization", true},
	{"/workers", `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"hello"}}]}]}]}`, map[string]string{
		"Authorization": "Bearer " + secret,
	}, "Authorization", false},
}

// Each recipe for a service accepts its requests, each delivery once, and none with another credential.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	certs := newCertificates(t)
	for _, name := range []string{"webhooks", "cloudflare"} {
		block := recipe(t, name, "/etc/rtbeat/server.pem", certs.path(serverCert), "/etc/rtbeat/server.key", certs.path(serverKey))
		for _, variable := range []string{"${GITHUB_SECRET}", "${GITLAB_TOKEN}", "${GRAFANA_SECRET}", "${CLOUDFLARE_TOKEN}"} {
			block = strings.ReplaceAll(block, variable, secret)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := harness.StartSink(t, lumbersink.Immediate())
			b := startWith(t, sink, block)
			c := clientAt(t, certs.config(false))
			want := 0
			for _, d := range deliveries {
				if !strings.Contains(block, "path: "+d.path+"\n") {
					continue
				}
				header := make(http.Header)
				for name, value := range d.header {
					header.Set(name, value)
				}
				lines := len(strings.Split(d.body, "\n"))
				for attempt := range 2 {
					header.Set("X-Gitlab-Event-Uuid", strconv.Itoa(attempt)) // GitLab makes another one for each attempt
					a := c.PostTo(t.Context(), "https://"+b.Addr+d.path, header, []byte(d.body))
					require.Equal(t, http.StatusOK, a.Code, "%s: %s", d.path, a)
					require.Equal(t, lines, a.Body.Messages, "%s: %s", d.path, a)
				}
				if d.once {
					want += lines
				} else {
					want += 2 * lines
				}
				header.Set(d.credential, header.Get(d.credential)[:len(header.Get(d.credential))-1])
				a := c.PostTo(t.Context(), "https://"+b.Addr+d.path, header, []byte(d.body))
				require.Equal(t, http.StatusUnauthorized, a.Code, "%s: %s", d.path, a)
			}
			harness.Arrived(t, sink, want)
			b.Stop()
			require.Equal(t, want, sink.Received())
		})
	}
}
