package config_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/transport/tlscommon"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/auth"
)

const (
	reference = "../rtbeat.reference.yml"
	shipped   = "../rtbeat.yml"
)

// The reference file states the defaults.
func TestReferenceFile(t *testing.T) {
	c, warnings, err := config.Load(sectionOf(t, read(t, reference)))
	require.NoError(t, err)
	require.Equal(t, config.Default(), c)
	require.Equal(t, []string{open}, warnings)
}

// The shipped file states defaults only: removing a line changes nothing. Its settings of libbeat are in the reference file too.
func TestShippedFile(t *testing.T) {
	c, warnings, err := config.Load(sectionOf(t, read(t, shipped)))
	require.NoError(t, err)
	require.Equal(t, config.Default(), c)
	require.Equal(t, []string{open}, warnings)

	referenced := flat(t, reference)
	for key, value := range flat(t, shipped) {
		require.Contains(t, referenced, key)
		require.Equal(t, referenced[key], value, key)
	}
}

// The settings in comments of the reference file are YAML without the #.
func TestReferenceFileUncommented(t *testing.T) {
	data, err := os.ReadFile(reference)
	require.NoError(t, err)
	// Settings follow the # directly, or indented by two. Text follows it after one space.
	commented := regexp.MustCompile(`(?m)^( *)#(\w| {2})`)
	require.Regexp(t, commented, string(data))
	c, err := conf.NewConfigWithYAML(commented.ReplaceAll(data, []byte("$1$2")), reference)
	require.NoError(t, err)
	for _, key := range []string{"queue.mem.flush.timeout", "output.logstash.bulk_max_size", "output.logstash.timeout", "processors"} {
		found, err := c.Has(key, -1)
		require.NoError(t, err)
		require.True(t, found, key)
	}
}

// The TLS settings and the token in comments of the two files load, each as the right setting.
func TestExamplesUncommented(t *testing.T) {
	t.Setenv("TLS_KEY_PASSPHRASE", "a passphrase")
	t.Setenv("RTBEAT_TOKEN", "a-token")

	section := uncommented(t, reference)
	// Each key of the example is a setting of ssl.
	ssl, err := section.Child("ssl", -1)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{
		"enabled", "certificate", "key", "key_passphrase", "certificate_authorities", "client_authentication",
		"supported_protocols", "cipher_suites", "verification_mode",
	}, ssl.GetFields())
	c, warnings, err := config.Load(section)
	require.NoError(t, err)
	require.Empty(t, warnings) // a certificate is needed
	require.True(t, c.SSL.IsEnabled())
	require.Equal(t, "/etc/rtbeat/server.pem", c.SSL.Certificate.Certificate)
	require.Equal(t, "/etc/rtbeat/server.key", c.SSL.Certificate.Key)
	require.Equal(t, "a passphrase", c.SSL.Certificate.Passphrase)
	require.Equal(t, []string{"/etc/rtbeat/senders-ca.pem"}, c.SSL.CAs)
	require.Equal(t, tlscommon.TLSClientAuthRequired, *c.SSL.ClientAuth)
	require.Equal(t, tlscommon.TLSDefaultVersions, c.SSL.Versions, "the default in the file")
	require.Equal(t, tlscommon.VerifyFull, c.SSL.VerificationMode)
	c.SSL = nil
	require.Equal(t, config.Default(), c)

	c, warnings, err = config.Load(uncommented(t, shipped))
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.True(t, c.SSL.IsEnabled())
	require.Equal(t, auth.Unnamed("a-token"), c.Auth.Bearer.Tokens)
}

// uncommented is the rtbeat section of a file, with the settings in its comments. They follow the # directly, and are at most two
// levels deep.
func uncommented(t *testing.T, path string) *conf.C {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	data = regexp.MustCompile(`(?m)^ {2}#(\w)`).ReplaceAll(data, []byte("  $1"))
	file, err := conf.NewConfigWithYAML(data, path)
	require.NoError(t, err)
	c, err := file.Child("rtbeat", -1)
	require.NoError(t, err)
	return c
}

// flat is a whole file as paths and values.
func flat(t *testing.T, path string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	file, err := conf.NewConfigWithYAML(data, path)
	require.NoError(t, err)
	var tree map[string]any
	require.NoError(t, file.Unpack(&tree))
	leaves := make(map[string]any)
	var add func(prefix string, v any)
	add = func(prefix string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, child := range v {
				add(prefix+"."+key, child)
			}
		default:
			leaves[prefix] = v
		}
	}
	add("", tree)
	return leaves
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}
