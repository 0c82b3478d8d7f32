package config_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elastic/elastic-agent-libs/transport/tlscommon"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/auth"
)

func TestChangedNamesTheSettingsThatDiffer(t *testing.T) {
	before, after := config.Default(), config.Default()
	require.Empty(t, before.Changed(after))
	after.Auth.Bearer.Tokens = auth.Unnamed("a-token")
	require.Empty(t, before.Changed(after), "a reload applies it")
	after.Timeout, after.Dedupe.Window, after.TrustedProxies = time.Second, time.Minute, []string{"unix"}
	after.SSL = &tlscommon.ServerConfig{}
	require.Equal(t, []string{"rtbeat.ssl", "rtbeat.trusted_proxies", "rtbeat.timeout", "rtbeat.dedupe.window"}, before.Changed(after))
}

// Names of certificates have no effect while ssl is not in force, also if the new file sets ssl.
func TestAuthIsCheckedAgainstTheSettingsInForce(t *testing.T) {
	c := config.Default()
	next, err := c.WithAuth(auth.Settings{Bearer: auth.Bearer{Tokens: auth.Unnamed("t")}, Header: c.Auth.Header, HMAC: c.Auth.HMAC})
	require.NoError(t, err)
	require.Equal(t, auth.Unnamed("t"), next.Auth.Bearer.Tokens)
	require.Empty(t, c.Auth.Bearer.Tokens)
	_, err = c.WithAuth(auth.Settings{Certificate: auth.Certificate{Names: []string{"a"}}, Header: c.Auth.Header, HMAC: c.Auth.HMAC})
	require.ErrorContains(t, err, "rtbeat.auth.certificate.names is set without rtbeat.ssl.client_authentication")
}
