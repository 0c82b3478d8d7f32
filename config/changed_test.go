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
	read := config.Default()
	read.Auth.Bearer.Tokens = auth.Unnamed("t")
	next, kept, err := c.WithSecrets(read)
	require.NoError(t, err)
	require.Empty(t, kept)
	require.Equal(t, auth.Unnamed("t"), next.Auth.Bearer.Tokens)
	require.Empty(t, c.Auth.Bearer.Tokens)
	read.Auth.Certificate.Names = []string{"a"}
	_, _, err = c.WithSecrets(read)
	require.ErrorContains(t, err, "rtbeat.auth.certificate.names is set without rtbeat.ssl.client_authentication")
}

// A reload applies the credentials of the sources by name. A source that the file has lost keeps its own.
func TestSecretsOfSources(t *testing.T) {
	load := func(yaml string) config.Config {
		c, _, err := config.Load(sectionOf(t, "rtbeat:\n  sources:\n"+yaml))
		require.NoError(t, err)
		return c
	}
	c := load("    - {name: a, path: /a, auth.bearer.tokens: [old]}\n    - {name: b, path: /b, auth.bearer.tokens: [kept]}\n")
	read := load("    - {name: c, path: /c, auth.bearer.tokens: [c]}\n    - {name: a, path: /a, auth.bearer.tokens: [new], include_headers: [x]}\n")
	next, kept, err := c.WithSecrets(read)
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, kept)
	require.Equal(t, auth.Unnamed("new"), next.Sources[0].Auth.Bearer.Tokens)
	require.Empty(t, next.Sources[0].IncludeHeaders)
	require.Equal(t, auth.Unnamed("kept"), next.Sources[1].Auth.Bearer.Tokens)
	require.Equal(t, auth.Unnamed("old"), c.Sources[0].Auth.Bearer.Tokens)
	require.Empty(t, c.Changed(next))
	require.Equal(t, []string{"rtbeat.sources.0.name", "rtbeat.sources.0.path", "rtbeat.sources.1.name", "rtbeat.sources.1.path", "rtbeat.sources.1.include_headers"}, c.Changed(read))
	require.Equal(t, []string{"rtbeat.sources"}, c.Changed(config.Default()))

	// Without a list there is the source "in".
	alone, _, err := config.Load(sectionOf(t, "rtbeat.auth.bearer.tokens: [alone]"))
	require.NoError(t, err)
	next, kept, err = alone.WithSecrets(read)
	require.NoError(t, err)
	require.Equal(t, []string{"in"}, kept)
	require.Equal(t, auth.Unnamed("alone"), next.Auth.Bearer.Tokens)
	next, kept, err = alone.WithSecrets(load("    - {name: in, path: /in, auth.bearer.tokens: [new]}\n"))
	require.NoError(t, err)
	require.Empty(t, kept)
	require.Equal(t, auth.Unnamed("new"), next.Auth.Bearer.Tokens)
	_, kept, err = c.WithSecrets(alone)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, kept)
}
