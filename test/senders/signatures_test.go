//go:build senders

package senders

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// signer makes the requests of a vendor with openssl and curl.
type signer struct {
	preset string
	// secret is the setting for it, and settings are others.
	secret   string
	settings []string
	// headers is a script that prints the headers. It has SECRET, ID and NOW in its environment, and the body in body.json.
	headers string
	// body has %s for its id, if the id is in it.
	body string
	// isToken says that nothing of the body is signed, isTimed that an old request is refused, hasID that a retry is deduped.
	isToken, isTimed, hasID bool
}

// openssl has functions that print the HMAC of standard input.
const openssl = `
hex() { openssl dgst -sha256 "$@" | sed 's/.* //'; }
base64() { openssl dgst -sha256 -binary "$@" | openssl base64 -A; }
`

const (
	keys   = "rtbeat.auth.hmac.keys.vendor="
	values = "rtbeat.auth.header.values.vendor="
	event1 = `{"event":"push","text":"é \"quoted\""}`
)

var signers = []signer{
	{
		preset: "github", secret: keys, body: event1, hasID: true,
		headers: `echo "X-Hub-Signature-256: sha256=$(hex -hmac "$SECRET" <body.json)"; echo "X-GitHub-Delivery: $ID"`,
	},
	{
		preset: "gitlab", secret: values, body: event1, hasID: true, isToken: true,
		headers: `echo "X-Gitlab-Token: $SECRET"; echo "X-Gitlab-Event-UUID: $ID"`,
	},
	{
		preset: "grafana", secret: keys, body: event1,
		headers: `echo "X-Grafana-Alerting-Signature: $(hex -hmac "$SECRET" <body.json)"`,
	},
	{
		preset: "grafana", secret: keys, settings: []string{"rtbeat.auth.hmac.timestamp_header=X-Signed-At"}, body: event1, isTimed: true,
		headers: `echo "X-Grafana-Alerting-Signature: $( (printf '%s:' "$NOW"; cat body.json) | hex -hmac "$SECRET")"; echo "X-Signed-At: $NOW"`,
	},
	{
		preset: "okta", secret: values, body: `{"eventId":"%s","data":{"events":[{"eventType":"user.session.start"}]}}`, hasID: true, isToken: true,
		headers: `echo "Authorization: $SECRET"`,
	},
	{
		preset: "shopify", secret: keys, body: event1, hasID: true,
		headers: `echo "X-Shopify-Hmac-Sha256: $(base64 -hmac "$SECRET" <body.json)"; echo "X-Shopify-Webhook-Id: $ID"`,
	},
	{
		preset: "slack", secret: keys, body: `{"type":"event_callback","event_id":"%s"}`, hasID: true, isTimed: true,
		headers: `echo "X-Slack-Signature: v0=$( (printf 'v0:%s:' "$NOW"; cat body.json) | hex -hmac "$SECRET")"
			echo "X-Slack-Request-Timestamp: $NOW"`,
	},
	{
		preset: "standard-webhooks", secret: keys, body: event1, hasID: true, isTimed: true,
		headers: `key=$(printf %s "${SECRET#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
			echo "webhook-signature: v1,$( (printf '%s.%s.' "$ID" "$NOW"; cat body.json) | base64 -mac HMAC -macopt "hexkey:$key")"
			echo "webhook-id: $ID"; echo "webhook-timestamp: $NOW"`,
	},
	{
		preset: "stripe", secret: keys, body: `{"id":"%s","object":"event"}`, hasID: true, isTimed: true,
		headers: `echo "Stripe-Signature: t=$NOW,v1=$( (printf '%s.' "$NOW"; cat body.json) | hex -hmac "$SECRET")"`,
	},
	{
		preset: "zoom", secret: keys, body: `{"event":"meeting.started"}`, isTimed: true,
		headers: `echo "x-zm-signature: v0=$( (printf 'v0:%s:' "$NOW"; cat body.json) | hex -hmac "$SECRET")"
			echo "x-zm-request-timestamp: $NOW"`,
	},
}

// request is one that a signer makes.
type request struct {
	secret, id string
	at         time.Time
	// body replaces the signer's.
	body string
	// between is a script between the signature and the request.
	between string
	// options replace curl's option with the body.
	options string
}

// send signs a request and sends it, and returns status and body of the answer.
func (s signer) send(t testing.TB, addr string, r request) (code int, answer string) {
	t.Helper()
	dir := t.TempDir()
	body := r.body
	if body == "" {
		body = strings.Replace(s.body, "%s", r.id, 1)
	}
	harness.WriteRecipe(t, dir, "body.json", body)
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", openssl+"{\n"+s.headers+"\n} >headers\n"+r.between+`
		curl -sS -w '%{stderr}%{http_code}' -H 'Content-Type: application/json' -H @headers `+cmp.Or(r.options, "--data-binary @body.json")+` "$URL"`)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "HOME="+dir, "SECRET="+r.secret, "ID="+r.id, "NOW="+strconv.FormatInt(r.at.Unix(), 10), "URL=http://"+addr+"/in")
	var status strings.Builder
	cmd.Stderr = &status
	out, err := cmd.Output()
	require.NoError(t, err, "%s%s", out, &status)
	code, err = strconv.Atoi(status.String())
	require.NoError(t, err, "%s", &status)
	return code, string(out)
}

// requireCode sends a request, and requires the status of its answer.
func (s signer) requireCode(t testing.TB, addr string, want int, why string, r request) {
	t.Helper()
	code, answer := s.send(t, addr, r)
	require.Equal(t, want, code, "%s: %s", why, answer)
}

// start runs rtbeat with the preset and a secret. wrong is another secret of the same form.
func (s signer) start(t testing.TB) (b *harness.Beat, sink *lumbersink.Sink, right, wrong string) {
	t.Helper()
	harness.FindProgram(t, "openssl")
	harness.FindProgram(t, "curl")
	right, wrong = "the-secret-of-the-vendor", "the-secret-of-another"
	if s.preset == "standard-webhooks" {
		right = "whsec_" + base64.StdEncoding.EncodeToString([]byte(right))
		wrong = "whsec_" + base64.StdEncoding.EncodeToString([]byte(wrong))
	}
	sink = harness.StartSink(t, lumbersink.Immediate())
	settings := append([]string{"rtbeat.preset=" + s.preset, s.secret + right}, s.settings...)
	return startWith(t, sink, "", settings...), sink, right, wrong
}

// Each preset takes what openssl has signed, once, and refuses another secret, other bytes and an old time.
func TestSignedByOpenSSL(t *testing.T) {
	t.Parallel()
	for _, s := range signers {
		t.Run(s.preset, func(t *testing.T) {
			t.Parallel()
			b, sink, right, wrong := s.start(t)
			now := time.Now()
			s.requireCode(t, b.Addr, http.StatusUnauthorized, "another secret", request{secret: wrong, id: "1", at: now})
			if !s.isToken {
				s.requireCode(t, b.Addr, http.StatusUnauthorized, "other bytes", request{secret: right, id: "1", at: now, between: "echo >>body.json"})
			}
			if s.isTimed {
				s.requireCode(t, b.Addr, http.StatusUnauthorized, "an old time", request{secret: right, id: "1", at: now.Add(-time.Hour)})
			}
			require.Zero(t, sink.Received())

			want := []string{"1", "2"}
			s.requireCode(t, b.Addr, http.StatusOK, "the first attempt", request{secret: right, id: "1", at: now})
			if s.hasID {
				s.requireCode(t, b.Addr, http.StatusOK, "a retry", request{secret: right, id: "1", at: now.Add(time.Second)})
			}
			s.requireCode(t, b.Addr, http.StatusOK, "another message", request{secret: right, id: "2", at: now})
			var got []string
			for _, e := range eventsAt(t, sink) {
				require.Equal(t, "vendor", e.Sender)
				got = append(got, canonical(t, e.Message))
			}
			for n, id := range want {
				want[n] = canonical(t, []byte(strings.Replace(s.body, "%s", id, 1)))
			}
			require.ElementsMatch(t, want, got)
		})
	}
}

// The vendors ask whether an address is theirs. The answer publishes nothing.
func TestChallenges(t *testing.T) {
	t.Parallel()
	const token = "qgg8vlvZRS6UYooatFL8Aw"
	encrypted := func(secret string) string {
		sum := hmac.New(sha256.New, []byte(secret))
		sum.Write([]byte(token))
		return hex.EncodeToString(sum.Sum(nil))
	}
	challenges := map[string]struct {
		request request
		answer  func(secret string) string
	}{
		"okta": {
			request{options: "-H 'X-Okta-Verification-Challenge: " + token + "'"},
			func(string) string { return `{"verification":"` + token + `"}` },
		},
		"slack": {
			request{body: `{"type":"url_verification","challenge":"` + token + `"}`},
			func(string) string { return `{"challenge":"` + token + `"}` },
		},
		"zoom": {
			request{body: `{"event":"endpoint.url_validation","payload":{"plainToken":"` + token + `"}}`},
			func(secret string) string {
				return `{"plainToken":"` + token + `","encryptedToken":"` + encrypted(secret) + `"}`
			},
		},
	}
	for _, s := range signers {
		tt, ok := challenges[s.preset]
		if !ok {
			continue
		}
		t.Run(s.preset, func(t *testing.T) {
			t.Parallel()
			b, sink, right, wrong := s.start(t)
			r := tt.request
			r.at, r.secret = time.Now(), wrong
			s.requireCode(t, b.Addr, http.StatusUnauthorized, "another secret", r)
			r.secret = right
			code, answer := s.send(t, b.Addr, r)
			require.Equal(t, http.StatusOK, code, answer)
			require.JSONEq(t, tt.answer(right), answer)
			require.Zero(t, sink.Received())
		})
	}
}
