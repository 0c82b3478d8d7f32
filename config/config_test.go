package config_test

import (
	"cmp"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/txn2/rtbeat/config"
	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/setting"
	"github.com/txn2/rtbeat/internal/source"
)

// open is the warning about the defaults.
const open = "rtbeat listens on every address of this machine with neither rtbeat.ssl nor rtbeat.auth: anybody who reaches it can send events; " +
	"set rtbeat.auth, or set rtbeat.host to 127.0.0.1"

// withoutEffect is the warning that auth earns with nothing under it.
const withoutEffect = "rtbeat.auth is empty, so everybody may send; add tokens, a user, keys or names of certificates, or remove it"

// noValue ends the refusal of null.
const noValue = " has no value: it is null, or its variable is null, [] or {}; give it a value, or remove it"

// Each case of testdata/accepted.txt ends with the settings that differ from their defaults, after "=> ", and its warnings, after
// "! ".
func TestLoadAccepts(t *testing.T) {
	setVariables(t)
	texts := cases(t, "testdata/accepted.txt")
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			yaml, want := parted(text)
			c, warnings, err := config.Load(sectionOf(t, yaml))
			require.NoError(t, err)
			got := changes("=> ", reflect.ValueOf(config.Default()), reflect.ValueOf(c))
			for _, warning := range warnings {
				got = append(got, "! "+warning)
			}
			require.Equal(t, want, got)
		})
	}
	for _, key := range keys("", reflect.TypeFor[config.Config]()) {
		require.Contains(t, texts["everything"], "\n=> "+key+": ", "a value other than the default")
	}
}

// parted cuts off the result that is expected of a configuration.
func parted(text string) (yaml string, want []string) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "=> ") || strings.HasPrefix(line, "! ") {
			want = append(want, strings.TrimSuffix(line, "\n"))
		} else {
			yaml += line
		}
	}
	return yaml, want
}

// changes are the settings that differ between two values of a group, and the settings of a source that are not as outside.
func changes(prefix string, before, after reflect.Value) (lines []string) {
	for field := range config.Fields(before.Type()) {
		was, is := before.FieldByIndex(field.Index), after.FieldByIndex(field.Index)
		if is.Kind() == reflect.Pointer && !is.IsNil() {
			was, is = reflect.Zero(is.Type().Elem()), is.Elem()
		}
		key := prefix + field.Key
		switch {
		case field.IsList():
			c, _ := reflect.TypeAssert[config.Config](after)
			for i := range is.Len() {
				lines = append(lines, changes(fmt.Sprintf("%s.%d.", key, i), reflect.ValueOf(source.Source{Settings: c.EachSource}), is.Index(i))...)
			}
		case is.Kind() == reflect.Struct:
			lines = append(lines, changes(key+".", was, is)...)
		case field.Type.Kind() != is.Kind(), !reflect.DeepEqual(was.Interface(), is.Interface()): // the first is a pointer that is set
			value := fmt.Sprint(is.Interface())
			switch v := is.Interface().(type) {
			case setting.FileMode:
				value = fmt.Sprintf("%#o", uint32(v))
			case auth.Secrets:
				value = "[" + strings.Join(secrets(v), " ") + "]"
			}
			lines = append(lines, key+": "+cmp.Or(value, `""`))
		}
	}
	return lines
}

// secrets returns each secret, with its name if it has one.
func secrets(list auth.Secrets) (texts []string) {
	for _, s := range list {
		if s.Name != "" {
			s.Value = s.Name + ":" + s.Value
		}
		texts = append(texts, s.Value)
	}
	return texts
}

// Each case of testdata/rejected.txt ends with its message, after "=> ". The message names the key. Load returns no settings with
// it.
func TestLoadRejects(t *testing.T) {
	setVariables(t)
	for name, text := range cases(t, "testdata/rejected.txt") {
		t.Run(name, func(t *testing.T) {
			yaml, message, found := strings.Cut(text, "\n=> ")
			require.True(t, found)
			c, warnings, err := config.Load(sectionOf(t, yaml))
			require.EqualError(t, err, strings.TrimSpace(message))
			require.Zero(t, c)
			require.Nil(t, warnings)
		})
	}
}

// cases reads a file of configurations, each under a line with its name.
func cases(t *testing.T, path string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	texts := make(map[string]string)
	for text := range strings.SplitSeq(string(data), "\n-- ") {
		name, text, found := strings.Cut(strings.TrimPrefix(text, "-- "), " --\n")
		require.True(t, found, name)
		require.NotContains(t, texts, name)
		texts[name] = text
	}
	return texts
}

// sectionOf is the rtbeat section of a file as libbeat hands it to the Beater: an empty one if there is none.
func sectionOf(t *testing.T, yaml string) *conf.C {
	t.Helper()
	file, err := conf.NewConfigWithYAML([]byte(yaml), "rtbeat.yml")
	require.NoError(t, err)
	if !file.HasField("rtbeat") {
		return conf.NewConfig()
	}
	section, err := file.Child("rtbeat", -1)
	require.NoError(t, err)
	return section
}

// setVariables sets the environment variables of the files.
func setVariables(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"PORT": "9001", "SECONDS": "90", "MINUTES": "2m", "SIZE": "1MiB", "QUEUE": "5MiB", "FRACTION": "8081.5",
		"TRUE": "true", "QUOTED": "'0123'", "DIGITS": "0123", "COMMA": "one,another", "EMPTY": "",
	} {
		t.Setenv(name, value)
	}
}

// No error repeats a value that may be a secret.
func TestErrorsHoldNoSecrets(t *testing.T) {
	const secret = "Zq7xW"
	t.Setenv("LISTED", secret+",b")
	for _, file := range []string{
		"auth.bearer.tokens: [" + secret + ", '']",
		"auth.bearer.tokens: ['" + secret + "', {" + secret + ": 1}]",
		"auth.bearer.tokens: {'" + secret + "!': " + secret + "}",
		"auth.bearer.tokens: {alice: " + secret + ", bob: [" + secret + "]}",
		"auth.bearer.tokens: {alice: " + secret + ", bob: " + secret + "}",
		"auth.hmac.keys: {alice: {" + secret + ": 1}}",
		"auth.bearer.tokens: [['" + secret + "']]",
		`auth.bearer.tokens: ["` + secret + `\n"]`,
		"auth.bearer.tokens: ['${LISTED}']",
		"auth.hmac.keys: [" + secret + ", 5]",
		"auth.basic.password: " + secret,
		"auth.basic: {username: '', password: " + secret + "}",
		"auth.basic: {username: a, password: ['" + secret + "']}",
		"auth.basic: {username: a, password: {" + secret + ": 1}}",
		`auth.basic: {username: a, password: "` + secret + `\t"}`,
		"ssl: {certificate: a, key_passphrase: " + secret + "}",
		"sources: [{name: a, path: /a, auth.bearer.tokens: [" + secret + ", '']}]",
		"sources: [{name: a, path: /a, auth.basic: {username: a, password: ['" + secret + "']}}]",
		"sources: [{name: a, path: /a, auth.hmac.keys: [" + secret + ", {a: 1}]}]",
		"ssl: {certificate: a, key: b, key_passphrase: [" + secret + "]}",
	} {
		section, err := conf.NewConfigWithYAML([]byte(file), "rtbeat.yml")
		require.NoError(t, err, file)
		_, _, err = config.Load(section)
		require.Error(t, err, file)
		require.NotContains(t, err.Error(), secret)
	}
}

// A variable is text to ucfg, or a list, but no list of groups.
func TestSourcesInAVariable(t *testing.T) {
	t.Setenv("LIST", "[{name: a, path: /a}]")
	t.Setenv("GROUP", "{name: a, path: /a}")
	t.Setenv("PAIRS", "name: a, path: /a")
	for _, sources := range []string{"${LIST}", "['${LIST}']", "['${GROUP}']", "${GROUP}", "['${PAIRS}']", "${PAIRS}"} {
		_, _, err := config.Load(sectionOf(t, "rtbeat.sources: "+sources))
		require.ErrorContains(t, err, "a variable can be the value of one setting", sources)
	}
}

// Each source has its own lines in /metrics.
func TestSourcesAreBounded(t *testing.T) {
	list := func(n int) *conf.C {
		yaml := "rtbeat:\n  sources:\n"
		for i := range n {
			yaml += fmt.Sprintf("    - {name: s%d, path: /s%[1]d}\n", i)
		}
		return sectionOf(t, yaml)
	}
	_, _, err := config.Load(list(100))
	require.NoError(t, err)
	_, _, err = config.Load(list(101))
	require.EqualError(t, err, "rtbeat.sources has 101 sources; there may be 100 at most, because each has its own metrics: let one take several paths, with /* at its end")
}

// A section loads twice: Load changes the form of durations in it, and nothing else.
func TestLoadTwice(t *testing.T) {
	yaml, _ := parted(cases(t, "testdata/accepted.txt")["everything"])
	section := sectionOf(t, yaml)
	first, _, err := config.Load(section)
	require.NoError(t, err)
	second, _, err := config.Load(section)
	require.NoError(t, err)
	require.Equal(t, first, second)
}

// keys returns the full names of all settings under rtbeat:, in the order of Config. It leaves out the settings under ssl, which
// libbeat declares, and the settings of a source that are also outside.
func keys(prefix string, settings reflect.Type) (names []string) {
	for field := range config.Fields(settings) {
		switch key := prefix + field.Key; {
		case field.IsShared():
		case field.IsList():
			names = append(names, key+".0.name", key+".0.path")
		case field.IsGroup():
			names = append(names, keys(key+".", field.Type)...)
		default:
			names = append(names, key)
		}
	}
	return names
}
