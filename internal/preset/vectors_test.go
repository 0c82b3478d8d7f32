package preset_test

import "net/http"

// vector is a signed request of a sender.
type vector struct {
	name, preset string
	secret       string
	timeHeader   string // of grafana, in the settings
	header       http.Header
	body         string
	at           int64 // when it was signed, in Unix seconds
}

// slackBody is the body of the example in "Verifying requests from Slack".
const slackBody = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar" +
	"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=" +
	"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN" +
	"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"

// published are the vectors that the senders publish: GitHub in "Validating webhook deliveries", Slack in "Verifying requests from
// Slack", Standard Webhooks in the tests of its libraries.
var published = []vector{
	{
		name: "github", preset: "github", secret: "It's a Secret to Everybody",
		header: http.Header{"X-Hub-Signature-256": {"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}},
		body:   "Hello, World!", at: 1_767_225_600,
	}, {
		name: "slack", preset: "slack", secret: "8f742231b10e8888abcd99yyyzzz85a5",
		header: http.Header{
			"X-Slack-Signature":         {"v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"},
			"X-Slack-Request-Timestamp": {"1531420618"},
		},
		body: slackBody, at: 1_531_420_618,
	}, {
		name: "standard-webhooks", preset: "standard-webhooks", secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		header: http.Header{
			"Webhook-Id":        {"msg_p5jXN8AQM9LWM0D4loKWxJek"},
			"Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
			"Webhook-Timestamp": {"1614265330"},
		},
		body: `{"test": 2432232314}`, at: 1_614_265_330,
	},
}

// computed are requests of senders that publish no vector. The signatures were computed by
//
//	printf '%s' "$signed" | openssl dgst -sha256 -hmac "$secret" -r
//
// and for shopify with -binary and base64. $signed has the form that the documentation of the sender names.
var computed = []vector{
	{
		name: "grafana without a time", preset: "grafana", secret: "grafana secret",
		header: http.Header{"X-Grafana-Alerting-Signature": {"194a4d1e8ecf307e159ff67e98a61df8addc1430852dc9929ef27f979f7aea89"}},
		body:   `{"receiver":"rtbeat","status":"firing"}`, at: 1_767_225_600,
	}, {
		name: "grafana", preset: "grafana", secret: "grafana secret", timeHeader: "X-Grafana-Alerting-Timestamp",
		header: http.Header{
			"X-Grafana-Alerting-Signature": {"ef6b977eda08f83dc98a172defb38f4b30952e893d3e532d91f278d3907b385d"},
			"X-Grafana-Alerting-Timestamp": {"1767225600"},
		},
		body: `{"receiver":"rtbeat","status":"firing"}`, at: 1_767_225_600,
	}, {
		name: "shopify", preset: "shopify", secret: "shopify secret",
		header: http.Header{"X-Shopify-Hmac-Sha256": {"1yfA7zD5h9chEA8khA2Bacouy3aqFNzzUyGN5YESuYk="}},
		body:   `{"id":820982911946154508}`, at: 1_767_225_600,
	}, {
		name: "stripe", preset: "stripe", secret: "whsec_stripe", // a key of Stripe is its text, the prefix included
		header: http.Header{"Stripe-Signature": {"t=1767225600,v1=b6f3d74b815315e019776367b28d6fa0a0c6a1004dc348eb2e1386496561e954,v0=00"}},
		body:   `{"id":"evt_1","object":"event"}`, at: 1_767_225_600,
	}, {
		name: "zoom", preset: "zoom", secret: "zoom secret token",
		header: http.Header{
			"X-Zm-Signature":         {"v0=eaeb64857bb75dcfaeb13f47dd0c7e2bb91f23c0de8eb8ef1f5e001b37ca833c"},
			"X-Zm-Request-Timestamp": {"1767225600"},
		},
		body: `{"event":"meeting.started","payload":{}}`, at: 1_767_225_600,
	},
}
