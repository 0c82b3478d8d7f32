package config_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elastic/elastic-agent-libs/transport/tlscommon"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/source"
)

func shown(t *testing.T, c config.Config) map[string]string {
	t.Helper()
	values := make(map[string]string)
	for _, s := range c.Shown() {
		require.NotContains(t, values, s.Key)
		values[s.Key] = s.Value
	}
	return values
}

// mark is in every text of a configuration that is full of secrets.
const mark = "5ecret"

// public are the texts that show: a directory, and settings whose checks, or whose listener, accept no secret.
var public = []string{"rtbeat.auth.hmac.key_encoding", "rtbeat.auth.hmac.encoding", "rtbeat.sources.0.auth.hmac.key_encoding", "rtbeat.sources.0.auth.hmac.encoding", "rtbeat.host", "rtbeat.name", "rtbeat.path", "rtbeat.id.fields", "rtbeat.on_invalid", "rtbeat.cors.allowed_origins", "rtbeat.preset", "rtbeat.type", "rtbeat.target", "rtbeat.timestamp.field", "rtbeat.timestamp.formats", "rtbeat.tags", "rtbeat.trusted_proxies", "rtbeat.document_id", "rtbeat.durable.path", "rtbeat.admin.host"}

// fillSettings puts a secret into every text and list of the settings below value, except those in public.
func fillSettings(prefix string, value reflect.Value) (filled int) {
	for field := range config.Fields(value.Type()) {
		key, inner := prefix+field.Key, value.FieldByIndex(field.Index)
		switch {
		case field.IsList():
			inner.Set(reflect.MakeSlice(field.Type, 1, 1))
			filled += fillSettings(key+".0.", inner.Index(0))
		case field.IsGroup():
			filled += fillSettings(key+".", inner)
		case !slices.Contains(public, strings.Replace(key, "sources.0.", "", 1)):
			filled += fill(inner)
		}
	}
	return filled
}

// fill puts a secret into every text below value, whatever its struct is.
func fill(value reflect.Value) (filled int) {
	switch value.Kind() { //nolint:exhaustive // no other kind holds a text
	case reflect.String:
		value.SetString(mark)
		return 1
	case reflect.Slice:
		if kind := value.Type().Elem().Kind(); kind == reflect.String || value.Type() == reflect.TypeFor[auth.Secrets]() {
			value.Set(reflect.MakeSlice(value.Type(), 2, 2))
			return fill(value.Index(0)) + fill(value.Index(1))
		}
	case reflect.Pointer:
		if value.Type().Elem().Kind() == reflect.Struct {
			value.Set(reflect.New(value.Type().Elem()))
			return fill(value.Elem())
		}
	case reflect.Struct:
		for _, field := range value.Fields() {
			if field.CanSet() {
				filled += fill(field)
			}
		}
	}
	return filled
}

func TestNoSecretIsShown(t *testing.T) {
	c := config.Default()
	require.Greater(t, fillSettings("rtbeat.", reflect.ValueOf(&c).Elem()), 20, "texts in all sections, ssl included")
	values := shown(t, c)
	require.NotContains(t, strings.ToLower(fmt.Sprint(values)), mark)
	for key, value := range map[string]string{
		"rtbeat.auth.bearer.tokens": "set (2)", "rtbeat.auth.basic.username": "set", "rtbeat.auth.basic.password": "set",
		"rtbeat.auth.header.name": "set", "rtbeat.auth.header.values": "set (2)",
		"rtbeat.auth.hmac.keys": "set (2)", "rtbeat.auth.hmac.header": "set", "rtbeat.auth.hmac.window": "5m",
		"rtbeat.auth.certificate.names": "set (2)", "rtbeat.ssl": "on", "rtbeat.ssl.certificate": "set", "rtbeat.ssl.key": "set",
		"rtbeat.ssl.key_passphrase": "set", "rtbeat.ssl.certificate_authorities": "set (2)", "rtbeat.ssl.client_authentication": "none",
		"rtbeat.include_headers": "set (2)", "rtbeat.sources": "set (1)", "rtbeat.durable.path": "queue",
	} {
		require.Equal(t, value, values[key], key)
	}
}

func TestShownValues(t *testing.T) {
	c, _, err := config.Load(sectionOf(t, `
rtbeat:
  host: 127.0.0.1
  timeout: 90
  dedupe.window: 1h
  durable: {path: /srv/queue, max_bytes: 1GiB}
  trusted_proxies: [10.0.0.0/8, "::1", unix]
  include_headers: [x-tenant]
  admin: {host: localhost, port: 9090}
`))
	require.NoError(t, err)
	values := shown(t, c)
	for key, value := range map[string]string{
		"rtbeat.host":                "127.0.0.1",
		"rtbeat.port":                "8081",
		"rtbeat.socket_mode":         "0660",
		"rtbeat.ssl":                 "off: plain HTTP",
		"rtbeat.auth.bearer.tokens":  "not set",
		"rtbeat.auth.basic.password": "not set",
		"rtbeat.timeout":             "1m30s",
		"rtbeat.dedupe.window":       "1h",
		"rtbeat.durable.enabled":     "true",
		"rtbeat.durable.path":        "/srv/queue",
		"rtbeat.durable.max_bytes":   "1.0 GiB",
		"rtbeat.max_in_flight_bytes": "32 MiB",
		"rtbeat.trusted_proxies":     "10.0.0.0/8, ::1, unix",
		"rtbeat.include_headers":     "set (1)",
		"rtbeat.document_id":         "content",
		"rtbeat.admin.host":          "localhost",
	} {
		require.Equal(t, value, values[key], key)
	}
	c.Host = "unix:///run/5ecret/in.sock"
	require.Equal(t, "a Unix socket", shown(t, c)["rtbeat.host"])
	c.SSL = &tlscommon.ServerConfig{}
	require.Equal(t, "on", shown(t, c)["rtbeat.ssl"])
}

func TestEverySettingIsShown(t *testing.T) {
	c := config.Default()
	c.Sources = make([]source.Source, 1)
	fillSettings("rtbeat.", reflect.ValueOf(&c).Elem())
	c.Sources[0].Name, c.Sources[0].Path, c.Sources[0].Auth.HMAC.Window = "a", "/a", 7
	c.EachSource = source.DefaultSettings()
	values := shown(t, c)
	for _, key := range keys("", reflect.TypeFor[config.Config]()) {
		require.Contains(t, values, "rtbeat."+key)
	}
	require.Equal(t, config.Setting{Key: "rtbeat.host", Value: "not set"}, config.Default().Shown()[0])
}

// A source shows the settings that are not as outside of the list.
func TestSourcesAreShown(t *testing.T) {
	c, _, err := config.Load(sectionOf(t, `
rtbeat:
  auth.bearer.tokens: [5ecret]
  include_headers: [a]
  sources:
    - {name: one, path: /one}
    - {name: two, path: "/two/*", auth.basic: {username: 5ecret, password: 5ecret}, include_headers: []}
`))
	require.NoError(t, err)
	values := shown(t, c)
	require.NotContains(t, fmt.Sprint(values), mark)
	maps.DeleteFunc(values, func(key, _ string) bool { return !strings.HasPrefix(key, "rtbeat.sources") })
	require.Subset(t, values, map[string]string{
		"rtbeat.sources": "set (2)", "rtbeat.sources.0.name": "one", "rtbeat.sources.0.path": "/one",
		"rtbeat.sources.1.name": "two", "rtbeat.sources.1.path": "/two/*", "rtbeat.sources.1.auth.bearer.tokens": "not set",
		"rtbeat.sources.1.auth.basic.username": "set", "rtbeat.sources.1.include_headers": "not set",
	})
	require.NotContains(t, values, "rtbeat.sources.0.auth.bearer.tokens")
	require.NotContains(t, values, "rtbeat.sources.1.content_types")
}

func TestListsAreBounded(t *testing.T) {
	c := config.Default()
	c.TrustedProxies = strings.Fields(strings.Repeat("::1 ", 101))
	require.Equal(t, strings.Repeat("::1, ", 12)+"and 89 more", shown(t, c)["rtbeat.trusted_proxies"])
}
