// Package preset knows how well-known senders of webhooks authenticate their requests, what identifies their messages, and how they
// ask whether an address is theirs. Each sender is a row of a table.
//
// A preset holds no secret. Its Defaults are the settings below those of the user, who gives the keys or the tokens, and may change
// everything else. Complete is for the settings that result.
package preset

import (
	"cmp"
	"fmt"
	"net/http"

	"github.com/txn2/rtbeat/internal/auth"
)

// Preset is a sender of webhooks.
type Preset struct {
	Name string

	// HMAC is the form of its signatures, as far as it differs from the defaults. A Header of "" means that it does not sign. Signed
	// is for settings with a header for the time: without one, a sender signs the body alone.
	HMAC auth.HMAC

	// Header is the header with its token, "" if it signs.
	Header string

	// IDHeaders may have the id of a request, the first that is there counts. IDFields may have the id of a message, as dotted paths.
	// Both may be empty.
	IDHeaders []string
	IDFields  []string

	// Method is the method of requests that may have a challenge: GET or POST, "" for a sender without challenges.
	Method string

	// Challenge returns the answer to a challenge: JSON of a bounded length, to be sent with 200. It is not ok for any other request.
	// The caller asks only after the request passed authentication, Okta's GET as well, and publishes nothing when it is ok. key is
	// the key that made the signature (auth.Pending.Key).
	Challenge func(req *http.Request, body, key []byte) (answer []byte, ok bool)
}

var presets = []Preset{
	{
		Name:      "github",
		HMAC:      auth.HMAC{Header: "X-Hub-Signature-256", Prefix: "sha256="},
		IDHeaders: []string{"X-GitHub-Delivery"},
	}, {
		Name:   "gitlab",
		Header: "X-Gitlab-Token",
		// Only the key stays the same when GitLab sends a delivery again. Versions before 17.4 do not send it.
		IDHeaders: []string{"Idempotency-Key", "X-Gitlab-Event-UUID"},
	}, {
		Name: "grafana", // a contact point may have a header for the time; it has no usual name
		HMAC: auth.HMAC{Header: "X-Grafana-Alerting-Signature", Signed: "{timestamp}:{body}"},
	}, {
		Name:      "okta", // an event hook sends its secret as the whole value, also with the challenge
		Header:    "Authorization",
		IDFields:  []string{"eventId"},
		Method:    http.MethodGet,
		Challenge: answerOkta,
	}, {
		Name:      "shopify",
		HMAC:      auth.HMAC{Header: "X-Shopify-Hmac-Sha256", Encoding: "base64"},
		IDHeaders: []string{"X-Shopify-Webhook-Id"},
	}, {
		Name:      "slack",
		HMAC:      auth.HMAC{Header: "X-Slack-Signature", Prefix: "v0=", TimestampHeader: "X-Slack-Request-Timestamp", Signed: "v0:{timestamp}:{body}"},
		IDFields:  []string{"event_id"},
		Method:    http.MethodPost,
		Challenge: answerSlack,
	}, {
		Name: "standard-webhooks",
		HMAC: auth.HMAC{
			KeyEncoding: "base64", Header: "webhook-signature", Prefix: "v1,", Separator: " ", Encoding: "base64",
			TimestampHeader: "webhook-timestamp", Signed: "{header:webhook-id}.{timestamp}.{body}",
		},
		IDHeaders: []string{"webhook-id"},
	}, {
		Name: "stripe",
		HMAC: auth.HMAC{
			Header: "Stripe-Signature", Prefix: "v1=", Separator: ",",
			TimestampHeader: "Stripe-Signature", TimestampPrefix: "t=", Signed: "{timestamp}.{body}",
		},
		IDFields: []string{"id"},
	}, {
		Name:      "zoom",
		HMAC:      auth.HMAC{Header: "x-zm-signature", Prefix: "v0=", TimestampHeader: "x-zm-request-timestamp", Signed: "v0:{timestamp}:{body}"},
		Method:    http.MethodPost,
		Challenge: answerZoom,
	},
}

// Find returns the preset of a name. The caller does not change it.
func Find(name string) (p *Preset, ok bool) {
	for i := range presets {
		if presets[i].Name == name {
			return &presets[i], true
		}
	}
	return nil, false
}

// Names returns the names of all presets, in alphabetical order.
func Names() []string {
	var names []string
	for _, p := range presets {
		names = append(names, p.Name)
	}
	return names
}

// Defaults returns the settings of auth over which the settings of the user are read.
func (p *Preset) Defaults() auth.Settings {
	a := auth.DefaultSettings()
	if p.Header != "" {
		a.Header.Name = p.Header
		return a
	}
	form := p.HMAC
	form.Signed = "" // Complete sets it
	form.Encoding, form.KeyEncoding = cmp.Or(form.Encoding, a.HMAC.Encoding), cmp.Or(form.KeyEncoding, a.HMAC.KeyEncoding)
	form.Window = a.HMAC.Window
	a.HMAC = form
	return a
}

// Complete sets the text that is signed, unless the user has set it, and refuses settings without the secret of the sender. prefix
// begins the full names of the settings, with the dot at its end. Complete comes before auth.Settings.Check.
func (p *Preset) Complete(a *auth.Settings, prefix string) error {
	if p.Header != "" {
		if len(a.Header.Values) == 0 {
			return fmt.Errorf("%spreset is %s, which sends a token; set %[1]sauth.header.values to the token", prefix, p.Name)
		}
		return nil
	}
	if len(a.HMAC.Keys) == 0 {
		return fmt.Errorf("%spreset is %s, which signs its requests; set %[1]sauth.hmac.keys to the key that %[2]s signs with", prefix, p.Name)
	}
	if a.HMAC.Signed == "" && a.HMAC.TimestampHeader != "" {
		a.HMAC.Signed = p.HMAC.Signed
	}
	return nil
}
