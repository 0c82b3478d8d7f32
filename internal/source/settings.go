// Package source has the settings of a source: a path that takes requests, who may send there, and how their messages are read.
//
// The settings outside of the list of sources are the default of each source. Without the list there is one source, Default.
package source

import (
	"cmp"
	"fmt"
	"mime"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/event"
	"github.com/txn2/rtbeat/internal/preset"
	"github.com/txn2/rtbeat/internal/setting"
)

// Event is the form of the events of a source. Settings embeds it: the alias gives the field its name.
type Event = event.Settings

// Settings are the settings that each source may have of its own.
type Settings struct {
	// Preset is a well-known sender of webhooks: `github`, `gitlab`, `grafana`, `okta`, `shopify`, `slack`,
	// `standard-webhooks`, `stripe` or `zoom`. It sets the [form of its signature or the header of its token](#presets), and
	// `id`; you give the key or the token. Settings beside it override it. Empty is none; in a source, it is the preset outside
	// of the list.
	Preset string `config:"preset" show:"text"`

	// Auth is who may send batches. A request needs one of bearer, basic, header and hmac, and certificate on top of it. With
	// nothing set, everybody may send. Keep secrets out of this file: write ${NAME}, and put NAME into the keystore (rtbeat keystore
	// create; rtbeat keystore add NAME) or into the environment.
	Auth auth.Settings `config:"auth"`

	// ID is what makes a message known: rtbeat [dedupes](delivery.md#retries) its retries.
	ID ID `config:"id"`

	// OnInvalid is what happens to a body with a message that is not valid: a line that is no JSON, a key twice, invalid UTF-8,
	// half of a surrogate pair, too many levels. `reject` refuses the whole body. `event` publishes the other messages. The one
	// that is not valid becomes an event with `error.type`, `error.message`, `event.original` and the tag `_jsonparsefailure`,
	// and the answer counts it as `invalid`. Both refuse a body whose messages cannot be told apart.
	OnInvalid string `config:"on_invalid" show:"text"`

	// ContentTypes are the content types that rtbeat takes beside JSON and NDJSON, such as `text/plain`, and reads as JSON. Of
	// `application/x-www-form-urlencoded` it reads the field `payload`. A browser sends these two to any address, for any web page,
	// without asking rtbeat first. So admit them only where a request needs a credential that browsers do not add by themselves.
	ContentTypes []string `config:"content_types"`

	// IncludeHeaders are the request headers that rtbeat copies into each event under `headers`, with names in lower case.
	// `Authorization`, `Proxy-Authorization` and `Cookie` carry credentials: to copy one of them, name it twice.
	IncludeHeaders []string `config:"include_headers"`

	// IncludePath is whether rtbeat copies the path of the request into each event, as `url.path`.
	IncludePath bool `config:"include_path"`

	Event `config:",inline"`
}

// The values of OnInvalid.
const (
	invalidReject = "reject"
	// InvalidEvent makes an event of a message that is not valid.
	InvalidEvent = "event"
)

// DefaultSettings are the settings where the file says nothing.
func DefaultSettings() Settings { return DefaultsOf("") }

// DefaultsOf are the settings where the file names a preset and says nothing else. Check refuses a name that is not known.
func DefaultsOf(name string) Settings {
	s := Settings{
		Preset: name, Auth: auth.DefaultSettings(), OnInvalid: invalidReject,
		ID: ID{Fields: []string{"uuid"}, IdempotencyKey: true}, Event: event.DefaultSettings(),
	}
	if p, known := preset.Find(name); known {
		s.Auth = p.Defaults()
		s.ID.Header, s.ID.Fields = p.IDHeaders, p.IDFields
	}
	return s
}

// Complete adds to the settings of a preset what depends on other settings. It comes before Check.
func (s *Settings) Complete(prefix string) error {
	if p, known := preset.Find(s.Preset); known {
		return p.Complete(&s.Auth, prefix) //nolint:wrapcheck // it names the setting
	}
	return nil
}

// Check applies the rules of the settings. prefix is the path of the settings in the file, with the dot at its end.
func (s *Settings) Check(prefix string) error {
	if _, known := preset.Find(s.Preset); s.Preset != "" && !known {
		return fmt.Errorf("%spreset is %q; it must be one of %s", prefix, s.Preset, strings.Join(preset.Names(), ", "))
	}
	tokenHeader := ""
	if len(s.Auth.Header.Values) > 0 {
		tokenHeader = s.Auth.Header.Name
	}
	return cmp.Or(s.checkInvalid(prefix), s.Auth.Check(prefix+"auth"), s.ID.check(prefix+"id.", tokenHeader), s.checkTypes(prefix+"content_types"), s.checkHeaders(prefix), s.Event.Check(prefix))
}

func (s *Settings) checkInvalid(prefix string) error {
	if s.OnInvalid != invalidReject && s.OnInvalid != InvalidEvent {
		return fmt.Errorf("%son_invalid is %q; it must be %s or %s", prefix, s.OnInvalid, invalidReject, InvalidEvent)
	}
	for _, name := range []string{"error", "event"} {
		if _, isSet := s.Fields[name]; isSet && s.FieldsUnderRoot && s.OnInvalid == InvalidEvent {
			return fmt.Errorf("%sfields.%s would replace the same field of a message that is not valid (%[1]son_invalid: event); choose another name", prefix, name)
		}
	}
	return nil
}

func (s *Settings) checkTypes(list string) error {
	for i, value := range s.ContentTypes {
		key := fmt.Sprintf("%s.%d", list, i)
		if err := setting.CheckText(key, value); err != nil {
			return err
		}
		media, params, err := mime.ParseMediaType(value)
		if err != nil || len(params) > 0 || !strings.Contains(media, "/") {
			return fmt.Errorf("%s is no content type; write type and subtype without parameters, such as text/plain", key)
		}
		if strings.Contains(media, "*") {
			return fmt.Errorf("%s is %s, and a star stands for no type; name each type, such as text/plain", key, media)
		}
		if strings.HasPrefix(media, "multipart/") {
			return fmt.Errorf("%s is %s, and rtbeat reads no body of several parts; remove it", key, media)
		}
	}
	return nil
}

// credentials are the headers that have to be named twice.
var credentials = []string{"authorization", "proxy-authorization", "cookie"}

func (s *Settings) checkHeaders(prefix string) error {
	times := make(map[string]int)
	for i, name := range s.IncludeHeaders {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("%sinclude_headers.%d is not the name of a header; use letters, digits and hyphens, such as X-Request-Id", prefix, i)
		}
		times[strings.ToLower(name)]++
	}
	for i, name := range s.IncludeHeaders {
		lower := strings.ToLower(name)
		switch {
		case times[lower] > 1:
		case slices.Contains(credentials, lower):
			return fmt.Errorf("%sinclude_headers.%d is %s, which carries credentials, and each event would have them; remove it, or name it twice to copy it", prefix, i, name)
		case len(s.Auth.Header.Values) > 0 && strings.EqualFold(name, s.Auth.Header.Name):
			return fmt.Errorf("%sinclude_headers.%d is %s, which carries the tokens of %[1]sauth.header, and each event would have them; remove it, or name it twice to copy it", prefix, i, name)
		}
	}
	return nil
}

// Headers returns the names of IncludeHeaders in lower case, each once, in their order.
func (s *Settings) Headers() []string {
	var names []string
	for _, name := range s.IncludeHeaders {
		if name = strings.ToLower(name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
