package effective

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/elastic/elastic-agent-libs/config"
	ucfg "github.com/elastic/go-ucfg"

	rtbeat "github.com/txn2/rtbeat/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// load reads a file as rtbeat does, and returns what is shown of it, by key.
func load(t *testing.T, yml string) map[string]string {
	t.Helper()
	root, err := config.NewConfigWithYAML([]byte(yml), "rtbeat.yml")
	require.NoError(t, err)
	section := config.NewConfig()
	if root.HasField("rtbeat") {
		section, err = root.Child("rtbeat", -1)
		require.NoError(t, err)
	}
	c, _, err := rtbeat.Load(section)
	require.NoError(t, err)
	shown := make(map[string]string)
	for _, s := range New(root, c) {
		require.NotContains(t, shown, s.Key)
		shown[s.Key] = s.Value
	}
	return shown
}

// Each secret of the file has this in it, so that none can show, whole or in part.
const mark = "5ecret"

// Every key of rtbeat and of libbeat that is known to hold a secret, and some that are not known to, holds one here; and
// so do the variables.
func TestNoSecretIsShown(t *testing.T) {
	for i := range 6 {
		t.Setenv(fmt.Sprintf("TEST_SECRET_%d", i), fmt.Sprintf("%sVar%d", mark, i))
	}
	t.Setenv("TEST_HOST", mark+"-host:5044")
	file, err := os.ReadFile("testdata/secrets.yml")
	require.NoError(t, err)
	secrets := strings.Count(string(file), mark)
	require.Greater(t, secrets, 30, "the file is to be full of them")

	shown := load(t, string(file))
	text, err := json.Marshal(shown)
	require.NoError(t, err)
	require.NotContains(t, strings.ToLower(string(text)), strings.ToLower(mark))
	require.NotContains(t, string(text), "77001234", "a password that is a number")

	require.Equal(t, "set (2)", shown["rtbeat.auth.bearer.tokens"])
	require.Equal(t, "set", shown["rtbeat.auth.basic.password"])
	require.Equal(t, "set (1)", shown["rtbeat.auth.hmac.keys"])
	require.Equal(t, "set", shown["rtbeat.ssl.key_passphrase"])
	require.Equal(t, "set", shown["output.elasticsearch.password"])
	require.Equal(t, "set", shown["output.elasticsearch.api_key"])
	require.Equal(t, "set", shown["output.elasticsearch.proxy_url"])
	require.Equal(t, "https://es-1.example:9200, (set, not shown)", shown["output.elasticsearch.hosts"])
	require.Equal(t, "set, not shown", shown["output.redis.hosts"], "a reference to the password")
	require.Equal(t, "set by a variable", shown["output.kafka.hosts"])
	require.Equal(t, "add_fields, script, other", shown["processors"])
	require.Equal(t, "set", shown["cloud.auth"])
	require.Regexp(t, `^\d+, not shown$`, shown["other settings"])
}

// What is in the keystore resolves as a variable does, with the resolver that libbeat sets.
func TestNothingOfTheKeystoreIsShown(t *testing.T) {
	config.OverwriteConfigOpts([]ucfg.Option{
		ucfg.PathSep("."), ucfg.ResolveEnv, ucfg.VarExp,
		ucfg.Resolve(func(string) (string, parseConfig, error) { return mark + ".example", noParsing, nil }),
	})
	t.Cleanup(func() { config.OverwriteConfigOpts([]ucfg.Option{ucfg.PathSep("."), ucfg.ResolveEnv, ucfg.VarExp}) })
	shown := load(t, `{rtbeat: {host: "${A}", auth.basic: {username: "${B}", password: "${B}"}}, output.logstash.hosts: ["${A}:5044", "b:1"]}`)
	require.NotContains(t, fmt.Sprint(shown), mark)
	require.Equal(t, "set by a variable", shown["rtbeat.host"])
	require.Equal(t, "set by a variable", shown["output.logstash.hosts"])
}

// A part of a host may be a reference to a secret.
func TestAReferenceWithinAHost(t *testing.T) {
	for _, host := range []string{`"${output.redis.password}-1:6379"`, `["a:1", "https://${output.redis.password}.example:1"]`, `"b.${fields.token}"`} {
		shown := load(t, `{fields.token: `+mark+`, output.redis: {password: `+mark+`, hosts: `+host+`}}`)
		require.Equal(t, "set, not shown", shown["output.redis.hosts"], host)
	}
}

// A variable may hold a whole list.
func TestAListOutOfAVariable(t *testing.T) {
	t.Setenv("TEST_LIST", "192.0.2.1,192.0.2.2")
	t.Setenv("TEST_NUMBER", "77")
	shown := load(t, `{rtbeat: {trusted_proxies: "${TEST_LIST}", timeout: "${TEST_NUMBER}"}, output.logstash.hosts: "${TEST_LIST}"}`)
	require.NotContains(t, fmt.Sprint(shown), "192.0.2")
	require.Equal(t, "set by a variable", shown["rtbeat.trusted_proxies"])
	require.Equal(t, "set by a variable", shown["output.logstash.hosts"])
	require.Equal(t, "1m17s", shown["rtbeat.timeout"], "a duration is no text")
}

func TestWhatIsShown(t *testing.T) {
	shown := load(t, `
rtbeat:
  host: 127.0.0.1
  timeout: 90
  dedupe.window: 1h
  durable: {path: /srv/queue, max_bytes: 1GiB}
  trusted_proxies: [10.0.0.0/8, "::1", unix]
  include_headers: [x-tenant]
  admin: {host: localhost, port: 9090}
output.logstash:
  hosts: ["logstash-1.example:5044", "[2001:db8::1]:5044"]
  loadbalance: true
  bulk_max_size: 1024
  backoff.max: 2s
  ssl.verification_mode: full
queue.mem.events: 4096
logging.level: info
name: shipper
`)
	for key, value := range map[string]string{
		"rtbeat.host":                           "127.0.0.1",
		"rtbeat.port":                           "8081",
		"rtbeat.socket_mode":                    "0660",
		"rtbeat.ssl":                            "off: plain HTTP",
		"rtbeat.auth.bearer.tokens":             "not set",
		"rtbeat.auth.basic.password":            "not set",
		"rtbeat.timeout":                        "1m30s",
		"rtbeat.dedupe.window":                  "1h",
		"rtbeat.durable.enabled":                "true",
		"rtbeat.durable.path":                   "set, not shown",
		"rtbeat.durable.max_bytes":              "1.0 GiB",
		"rtbeat.max_in_flight_bytes":            "32 MiB",
		"rtbeat.trusted_proxies":                "10.0.0.0/8, ::1, unix",
		"rtbeat.include_headers":                "set (1)",
		"rtbeat.document_id":                    "content",
		"rtbeat.admin.host":                     "localhost",
		"output.logstash.hosts":                 "logstash-1.example:5044, [2001:db8::1]:5044",
		"output.logstash.loadbalance":           "true",
		"output.logstash.bulk_max_size":         "1024",
		"output.logstash.backoff.max":           "2s",
		"output.logstash.ssl.verification_mode": "full",
		"queue.mem.events":                      "4096",
		"logging.level":                         "info",
		"other settings":                        "1, not shown",
	} {
		require.Equal(t, value, shown[key], key)
	}
}

// A setting without a place here would be missing from the page.
func TestEverySettingOfRtbeatIsListed(t *testing.T) {
	shown := load(t, "rtbeat.port: 1")
	for _, key := range rtbeat.Keys() {
		require.Contains(t, shown, "rtbeat."+key)
	}
}

// A value that has not the form of its setting shows nothing, whatever it is.
func TestOnlyTheRightFormIsShown(t *testing.T) {
	for key, value := range map[string]string{
		"output.logstash.hosts":                 `["http://u:pw@h:1", "h h", "x?y=z", "https://h/a-token", "a@b"]`,
		"output.logstash.timeout":               `"swordfish"`,
		"output.logstash.bulk_max_size":         `"swordfish"`,
		"output.logstash.loadbalance":           `"swordfish"`,
		"output.logstash.ssl.verification_mode": `"swordfish"`,
		"queue.disk.max_size":                   `"swordfish 10GB"`,
		"logging.level":                         `"swordfish"`,
	} {
		shown := load(t, key+": "+value)
		require.Contains(t, shown, key)
		for _, secret := range []string{"swordfish", "pw", "h h", "y=z", "a@b"} {
			require.NotContains(t, shown[key], secret, key)
		}
		require.NotContains(t, shown[key], "a-token", key)
	}
}

func TestListsAreBounded(t *testing.T) {
	shown := load(t, "output.logstash.hosts: ["+strings.Repeat("a:1,", 100)+"b:1]")
	require.Equal(t, strings.Repeat("a:1, ", 12)+"and 89 more", shown["output.logstash.hosts"])
}

func TestNoConfiguration(t *testing.T) {
	settings := New(nil, rtbeat.Default())
	require.Equal(t, Setting{"rtbeat.host", "not set"}, settings[0])
}
