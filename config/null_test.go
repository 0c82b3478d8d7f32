package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/auth"
)

func load(t *testing.T, settings string) (config.Config, []string, error) {
	t.Helper()
	file, err := conf.NewConfigWithYAML([]byte("rtbeat:\n  "+settings+"\n"), "rtbeat.yml")
	require.NoError(t, err, settings)
	section, err := file.Child("rtbeat", -1)
	require.NoError(t, err, settings)
	return config.Load(section)
}

// As a text, null is the password "null". An empty list or group switches authentication off.
func TestNullIsNoSecret(t *testing.T) {
	keys := map[string]string{
		`auth.bearer.tokens: ["${RT}"]`:                                          "auth.bearer.tokens.0",
		`auth.bearer.tokens: [a, "${RT}"]`:                                       "auth.bearer.tokens.1",
		`auth.bearer.tokens: ["${UNSET:null}"]`:                                  "auth.bearer.tokens.0",
		`auth.bearer.tokens: "${RT}"`:                                            "auth.bearer.tokens",
		`auth.bearer: "${RT}"`:                                                   "auth.bearer",
		`auth: "${RT}"`:                                                          "auth",
		`auth.hmac.keys: ["${RT}"]`:                                              "auth.hmac.keys.0",
		`auth.hmac.keys: "${RT}"`:                                                "auth.hmac.keys",
		`auth.hmac.header: "${RT}"`:                                              "auth.hmac.header",
		`auth.hmac.prefix: "${RT}"`:                                              "auth.hmac.prefix",
		`auth.basic: {username: "${RT}", password: a}`:                           "auth.basic.username",
		`auth.basic: {username: a, password: "${RT}"}`:                           "auth.basic.password",
		`auth.basic: {username: , password: }`:                                   "auth.basic.username",
		`auth.header.values: ["${RT}"]`:                                          "auth.header.values.0",
		`auth.header.name: "${RT}"`:                                              "auth.header.name",
		`auth.certificate.names: ["${RT}"]`:                                      "auth.certificate.names.0",
		`auth.certificate.names: "${RT}"`:                                        "auth.certificate.names",
		`auth.bearer.tokens:`:                                                    "auth.bearer.tokens",
		`auth.bearer.tokens: {}`:                                                 "auth.bearer.tokens",
		`auth.bearer.tokens: {alice: "${RT}"}`:                                   "auth.bearer.tokens.alice",
		`auth.bearer.tokens: {alice: a, bob: "${RT}"}`:                           "auth.bearer.tokens.bob",
		`auth.bearer.tokens: {alice: ~}`:                                         "auth.bearer.tokens.alice",
		`auth.hmac.keys: {alice: a, bob: ~}`:                                     "auth.hmac.keys.bob",
		`auth.bearer.tokens: [~]`:                                                "auth.bearer.tokens.0",
		`ssl: "${RT}"`:                                                           "ssl",
		`ssl: {certificate: a, key: b, key_passphrase: "${RT}"}`:                 "ssl.key_passphrase",
		`ssl: {certificate: a, key: "${RT}"}`:                                    "ssl.key",
		`ssl: {certificate: a, key: b, certificate_authorities: ["${RT}"]}`:      "ssl.certificate_authorities.0",
		`ssl: {certificate: a, key: b, certificate_authorities: "${RT}"}`:        "ssl.certificate_authorities",
		`ssl: {certificate: a, key: b, client_authentication: "${RT}"}`:          "ssl.client_authentication",
		`ssl: {certificate: a, key: b, supported_protocols: [TLSv1.3, "${RT}"]}`: "ssl.supported_protocols.1",
		`ssl: {certificate: a, key: b, ca_sha256: "${RT}"}`:                      "ssl.ca_sha256",
		`sources: "${RT}"`:                                                       "sources",
		`sources: [{name: a, path: /a, auth: "${RT}"}]`:                          "sources.0.auth",
		`sources: [{name: a, path: /a, auth.bearer: "${RT}"}]`:                   "sources.0.auth.bearer",
		`sources: [{name: a, path: /a, auth.hmac.keys: ["${RT}"]}]`:              "sources.0.auth.hmac.keys.0",
		`sources: [{name: a, path: /a, auth: }]`:                                 "sources.0.auth",
		`sources: [{name: a, path: /a, auth: {bearer: }}]`:                       "sources.0.auth.bearer",
		`sources: [{name: a, path: /a, auth: {bearer.tokens: [t], hmac: }}]`:     "sources.0.auth.hmac",
		`trusted_proxies: ["${RT}"]`:                                             "trusted_proxies.0",
		`include_headers: ["${RT}"]`:                                             "include_headers.0",
	}
	for _, value := range []string{"null", "[]", "[ ]", " null "} {
		t.Setenv("RT", value)
		for settings, key := range keys {
			c, _, err := load(t, settings)
			require.EqualError(t, err, "rtbeat."+key+noValue,
				"%s with %s", settings, value)
			require.Zero(t, c)
		}
	}
	t.Setenv("RT", "null,a")
	_, _, err := load(t, `auth.bearer.tokens: "${RT}"`)
	require.ErrorContains(t, err, "rtbeat.auth.bearer.tokens.0 has no value")
}

// The error of ucfg holds the whole value of a variable that it cannot read.
func TestUnreadableVariables(t *testing.T) {
	const secret = "Sup3rS3cret"
	keys := map[string]string{
		`auth.bearer.tokens: ["${RT}"]`:                                     "auth.bearer.tokens.0",
		`auth.bearer.tokens: [a, "${RT}"]`:                                  "auth.bearer.tokens.1",
		`auth.bearer.tokens: [["${RT}"]]`:                                   "auth.bearer.tokens.0.0",
		`auth.bearer.tokens: "${RT}"`:                                       "auth.bearer.tokens",
		`auth: "${RT}"`:                                                     "auth",
		`auth.hmac.keys: ["${RT}"]`:                                         "auth.hmac.keys.0",
		`auth.basic: {username: a, password: "${RT}"}`:                      "auth.basic.password",
		`auth.basic: {username: a, password: "${RT}${RT}"}`:                 "auth.basic.password",
		`auth.hmac.window: "${RT}"`:                                         "auth.hmac.window",
		`ssl: "${RT}"`:                                                      "ssl",
		`ssl: {certificate: a, key: b, key_passphrase: "${RT}"}`:            "ssl.key_passphrase",
		`ssl: {certificate: a, key: b, certificate_authorities: ["${RT}"]}`: "ssl.certificate_authorities.0",
		`host: "${RT}"`:                                                     "host",
		`no_setting: "${RT}"`:                                               "no_setting",
		`sources: [{name: a, path: /a, auth.bearer.tokens: ["${RT}"]}]`:     "sources.0.auth.bearer.tokens.0",
		`sources: [{name: a, path: /a, auth.basic.password: "${RT}"}]`:      "sources.0.auth.basic.password",
		`no_setting: [[[[[[["${RT}"]]]]]]]`:                                 "no_setting",
	}
	for _, value := range []string{
		`"` + secret, "," + secret, "[" + secret, "'" + secret + "'x", secret + `,"` + secret, "[]" + secret, "[" + secret + ",",
		`"` + secret + `\x"`, "'" + secret, "[[" + secret,
	} {
		t.Setenv("RT", value)
		for settings, key := range keys {
			_, _, err := load(t, settings)
			require.ErrorContains(t, err, "rtbeat."+key, "%s with %s", settings, value)
			require.NotContains(t, err.Error(), "S3c", "%s with %s", settings, value)
			require.NotContains(t, err.Error(), "environment", "%s with %s", settings, value)
		}
	}
	for _, value := range []string{",", "[", "[a,", ",,", `"`, "'"} {
		t.Setenv("RT", value)
		_, _, err := load(t, `auth.bearer.tokens: ["${RT}"]`)
		require.EqualError(t, err, "rtbeat.auth.bearer.tokens.0 cannot be read: its variable has quotes, brackets or commas, which mean a list; "+
			"put single quotes around the whole value, or put the value into the keystore", value)
	}
	t.Setenv("RT", `'"Sup3r,[S3cret'`)
	c, _, err := load(t, `auth.hmac.keys: ["${RT}"]`)
	require.NoError(t, err)
	require.Equal(t, auth.Unnamed(`"Sup3r,[S3cret`), c.Auth.HMAC.Keys)
}

// A variable may lead to another key, and so back to its own.
func TestReferences(t *testing.T) {
	for settings, want := range map[string]string{
		`auth.bearer.tokens: "${rtbeat.auth}"`:               "rtbeat.auth cannot be read: its ${NAME} refers to itself",
		`auth.bearer.tokens: ["${rtbeat.auth}"]`:             "rtbeat.auth cannot be read: its ${NAME} refers to itself",
		`auth: "${rtbeat}"`:                                  "rtbeat.auth.auth is not a setting of rtbeat",
		`auth: "${rtbeat.auth}"`:                             "rtbeat.auth cannot be read: its ${NAME} refers to itself",
		`auth.bearer.tokens: "${rtbeat.auth.bearer.tokens}"`: "rtbeat.auth.bearer.tokens cannot be read: its ${NAME} refers to itself",
	} {
		_, _, err := load(t, settings)
		require.ErrorContains(t, err, want, settings)
	}
	c, _, err := load(t, "auth.bearer.tokens: [\"${token}\"]\n\ntoken: a-token")
	require.NoError(t, err)
	require.Equal(t, auth.Unnamed("a-token"), c.Auth.Bearer.Tokens)
}

// A list in one file and a group in another, or with -E.
func TestListAndGroupMerged(t *testing.T) {
	file, err := conf.NewConfigFrom("auth.bearer.tokens: [a, b]")
	require.NoError(t, err)
	require.NoError(t, file.Merge(map[string]any{"auth.bearer.tokens.alice": "c"}))
	_, _, err = config.Load(file)
	require.EqualError(t, err, "rtbeat.auth.bearer.tokens is a list and a group of names at once; write one of them (a name of digits alone makes a list)")
}

func TestAuthWithoutEffect(t *testing.T) {
	for settings, want := range map[string]bool{
		"auth:": true, "auth: {}": true, "auth.bearer:": true, "auth.bearer: {}": true, "auth: {basic: {}, hmac: }": true,
		"auth.bearer.tokens: []": false, "auth.bearer.tokens: [a]": false, "port: 0": false,
	} {
		for _, host := range []string{"127.0.0.1", "localhost", "unix:///run/in.sock", "::1"} {
			_, warnings, err := load(t, settings+"\n  host: "+host)
			require.NoError(t, err, settings)
			if want {
				require.Equal(t, []string{withoutEffect}, warnings, settings)
			} else {
				require.Empty(t, warnings, settings)
			}
		}
	}
	_, warnings, err := load(t, "auth:")
	require.NoError(t, err)
	require.Equal(t, []string{withoutEffect, open}, warnings)
	_, warnings, err = load(t, "auth:\n  ssl: {certificate: a, key: b, certificate_authorities: [c], client_authentication: required}")
	require.NoError(t, err)
	require.Empty(t, warnings)
}
