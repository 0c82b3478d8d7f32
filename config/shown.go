package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/elastic/elastic-agent-libs/transport/tlscommon"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/setting"
	"github.com/txn2/rtbeat/internal/source"
)

// Setting is a setting in effect: its full name, and its value without secrets.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

const (
	isSet    = "set"
	isNotSet = "not set"
)

// maxListed is how many entries of a list show.
const maxListed = 12

// Shown returns the settings in effect without secrets, in the order of Config. Numbers, durations, sizes and switches show. A text
// or a list shows as set or not set, unless its field has the tag `show:"text"`. So a new secret is hidden.
func (c Config) Shown() []Setting {
	settings := shown(outside, reflect.ValueOf(c))
	for i := range c.Sources {
		settings = append(settings, c.shownSource(i)...)
	}
	return settings
}

// shownSource returns the settings of a source that are not as outside of the list.
func (c *Config) shownSource(i int) (settings []Setting) {
	prefix, own, each := inList(i), reflect.ValueOf(c.Sources[i]), reflect.ValueOf(source.Source{Settings: c.EachSource})
	isShown := make(map[string]bool)
	for field := range Fields(own.Type()) {
		isShown[field.Key] = !reflect.DeepEqual(own.FieldByIndex(field.Index).Interface(), each.FieldByIndex(field.Index).Interface())
	}
	for _, s := range shown(prefix, own) {
		key, _, _ := strings.Cut(strings.TrimPrefix(s.Key, prefix), ".")
		if isShown[key] {
			settings = append(settings, s)
		}
	}
	return settings
}

func shown(prefix string, group reflect.Value) (settings []Setting) {
	for field := range Fields(group.Type()) {
		key, value := prefix+field.Key, group.FieldByIndex(field.Index)
		if ssl, isSSL := reflect.TypeAssert[*tlscommon.ServerConfig](value); isSSL {
			settings = append(settings, shownSSL(key, ssl)...)
		} else if field.IsGroup() {
			settings = append(settings, shown(key+".", value)...)
		} else {
			settings = append(settings, Setting{key, shownValue(value, field.Tag.Get("show") == "text")})
		}
	}
	return settings
}

// shownValue returns the text of a value. A value of an unknown type is set or not set.
func shownValue(value reflect.Value, isPublic bool) string {
	switch v := value.Interface().(type) {
	case time.Duration:
		return shortDuration(v)
	case setting.ByteSize:
		return humanize.IBytes(uint64(max(v, 0)))
	case setting.FileMode:
		return fmt.Sprintf("%#o", uint32(v))
	case bool, int:
		return fmt.Sprint(v)
	case []source.Source:
		return entries(len(v))
	case []string:
		if isPublic && len(v) > 0 {
			return shownList(v)
		}
		return entries(len(v))
	case auth.Secrets:
		return entries(len(v))
	}
	if isPublic && value.Kind() == reflect.String && !value.IsZero() {
		if strings.HasPrefix(value.String(), "unix://") {
			return "a Unix socket" // the names of files stay hidden
		}
		return value.String()
	}
	return presence(!value.IsZero())
}

func shownSSL(key string, c *tlscommon.ServerConfig) []Setting {
	if !c.IsEnabled() {
		return []Setting{{key, "off: plain HTTP"}}
	}
	asked := "none"
	if c.ClientAuth != nil {
		asked = c.ClientAuth.String()
	}
	return []Setting{
		{key, "on"},
		{key + ".certificate", presence(c.Certificate.Certificate != "")},
		{key + ".key", presence(c.Certificate.Key != "")},
		{key + ".key_passphrase", presence(c.Certificate.Passphrase+c.Certificate.PassphrasePath != "")},
		{key + ".certificate_authorities", entries(len(c.CAs))},
		{key + ".client_authentication", asked},
		{key + ".verification_mode", c.VerificationMode.String()},
	}
}

func presence(is bool) string {
	if is {
		return isSet
	}
	return isNotSet
}

func entries(n int) string {
	if n == 0 {
		return isNotSet
	}
	return fmt.Sprintf("%s (%d)", isSet, n)
}

func shownList(list []string) string {
	text := strings.Join(list[:min(len(list), maxListed)], ", ")
	if more := len(list) - maxListed; more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return text
}

// shortDuration leaves out the zeros that Go appends: 5m, not 5m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
