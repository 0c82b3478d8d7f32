package config

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"github.com/elastic/elastic-agent-libs/config"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/inflight"
	"github.com/txn2/rtbeat/internal/source"
)

// AllSources returns the sources: those of the list, or the default source without a list.
func (c *Config) AllSources() []source.Source {
	if len(c.Sources) == 0 {
		return []source.Source{source.Default(c.EachSource)}
	}
	return c.Sources
}

// unpack reads the section over c, which has the defaults. The value of a setting of a source is the first of these that there is:
//
//   - in the source
//   - the default, or that of the source's preset: within a group that the source has, and within auth and id if it has a preset
//   - outside of the list
//   - the default, or that of the preset outside of the list
func (c *Config) unpack(section *config.C) error {
	c.EachSource = begin(section, c.EachSource)
	clearLists(section, reflect.ValueOf(c).Elem())
	if err := section.Unpack(c); err != nil {
		return err
	}
	for i := range c.Sources {
		own := ownSettings(section, i)
		s := source.Source{Settings: begin(own, c.EachSource)}
		clearLists(own, reflect.ValueOf(&s).Elem())
		if err := own.Unpack(&s); err != nil {
			return err
		}
		s.Preset = cmp.Or(s.Preset, c.Preset)
		c.Sources[i] = s
	}
	return nil
}

// begin returns the settings over which those in written are read. They are those around, but each group in written has its
// defaults: the ones of the preset in force. A preset in written resets the groups that it knows. An empty one changes nothing: it
// may be the value of a variable, and must not switch authentication off.
func begin(written *config.C, around source.Settings) source.Settings {
	s, groups := around, written.GetFields()
	if preset, _ := written.String("preset", -1); preset != "" { // an error shows in Unpack
		s.Preset = preset
		groups = append(groups, "auth", "id")
	}
	resetGroups(groups, reflect.ValueOf(&s).Elem(), reflect.ValueOf(source.DefaultsOf(s.Preset)))
	return s
}

// completePresets adds to the settings of presets what depends on other settings. Those outside of the list are in force without a
// list only.
func (c *Config) completePresets() error {
	if len(c.Sources) == 0 {
		return c.Complete(outside)
	}
	for i := range c.Sources {
		if err := c.Sources[i].Complete(inList(i)); err != nil {
			return err
		}
	}
	return nil
}

// ownSettings returns the settings of source i as they are written: none without a list.
func ownSettings(section *config.C, i int) *config.C {
	if section.HasField("sources") {
		if own, err := section.Child("sources", i); err == nil {
			return own
		}
	}
	return config.NewConfig()
}

// clearLists empties each list that section has. Unpack would merge the elements by their index.
func clearLists(section *config.C, settings reflect.Value) {
	for field := range Fields(settings.Type()) {
		if !section.HasField(field.Key) {
			continue
		}
		value := settings.FieldByIndex(field.Index)
		switch {
		case field.IsGroup():
			if group, err := section.Child(field.Key, -1); err == nil {
				clearLists(group, value)
			}
		case value.Kind() == reflect.Slice || value.Kind() == reflect.Map:
			value.SetZero()
		}
	}
}

// resetGroups gives the groups with these names their defaults.
func resetGroups(names []string, settings, defaults reflect.Value) {
	for field := range Fields(settings.Type()) {
		if field.IsGroup() && slices.Contains(names, field.Key) {
			settings.FieldByIndex(field.Index).Set(defaults.FieldByIndex(field.Index))
		}
	}
}

// unsetEmpty makes an empty list, or group of fields, the same as none.
func unsetEmpty(settings reflect.Value) {
	for field := range Fields(settings.Type()) {
		switch value := settings.FieldByIndex(field.Index); {
		case field.IsGroup():
			unsetEmpty(value)
		case (value.Kind() == reflect.Slice || value.Kind() == reflect.Map) && value.Len() == 0:
			value.SetZero()
		case field.IsList():
			for i := range value.Len() {
				unsetEmpty(value.Index(i))
			}
		}
	}
}

// outside begins the keys of the settings outside of the list of sources. inList begins those of source i.
const outside = "rtbeat."

func inList(i int) string { return fmt.Sprintf("rtbeat.sources.%d.", i) }

// checkSources applies the rules of the sources.
func (c *Config) checkSources() error {
	if err := c.checkSource(outside, &c.EachSource); err != nil {
		return err
	}
	if err := source.CheckAll(c.Sources, inList); err != nil {
		return err
	}
	for i := range c.Sources {
		if err := c.checkSource(inList(i), &c.Sources[i].Settings); err != nil {
			return err
		}
	}
	return nil
}

// checkSource applies the rules of one source. It refuses names of certificates where no sender is asked for a certificate.
func (c *Config) checkSource(prefix string, s *source.Settings) error {
	if err := s.Check(prefix); err != nil {
		return err
	}
	if len(s.Auth.Certificate.Names) > 0 && !c.AsksForCertificates() {
		return fmt.Errorf("%sauth.certificate.names is set without rtbeat.ssl.client_authentication, so no sender would present a certificate; set rtbeat.ssl.client_authentication to required, with rtbeat.ssl.certificate_authorities", prefix)
	}
	return nil
}

// checkSecrets refuses a group auth of a source that has settings and no secret: everybody could send. An empty group is meant.
func (c *Config) checkSecrets(section *config.C) error {
	for i, s := range c.Sources {
		own, err := ownSettings(section, i).Child("auth", -1)
		if err == nil && !s.Auth.IsSet() && len(own.GetFields()) > 0 {
			return fmt.Errorf("%sauth has no secret, so everybody could send; set bearer.tokens, basic, header.values, hmac.keys or certificate.names there, write auth: {} to let everybody send, or remove it to have rtbeat.auth", inList(i))
		}
	}
	return nil
}

// warnAboutAuth returns a warning for each section auth that is empty.
func (c *Config) warnAboutAuth(section *config.C, values map[string]any) (warnings []string) {
	warn := func(prefix string, section *config.C, values map[string]any) {
		if section.HasField("auth") && !hasValues(values["auth"]) {
			warnings = append(warnings, prefix+"auth is empty, so everybody may send; add tokens, a user, keys or names of certificates, or remove it")
		}
	}
	warn(outside, section, values)
	list, _ := values["sources"].([]any)
	for i, element := range list {
		own, _ := element.(map[string]any)
		warn(inList(i), ownSettings(section, i), own)
	}
	return warnings
}

// warnInClear returns a warning for each section auth with secrets that travel in clear text.
func (c *Config) warnInClear(section *config.C, where string) (warnings []string) {
	for i, s := range c.AllSources() {
		prefix := outside
		if ownSettings(section, i).HasField("auth") {
			prefix = inList(i)
		}
		if sent := s.Auth.SentSecrets(prefix + "auth"); sent != "" {
			warnings = append(warnings, fmt.Sprintf("rtbeat listens on %s with %s, but without rtbeat.ssl: credentials travel in clear text; set rtbeat.ssl, unless a proxy in front ends TLS", where, sent))
		}
	}
	return slices.Compact(warnings)
}

// warnOfOpen returns a warning if a source accepts every request, and others want credentials.
func (c *Config) warnOfOpen() (warnings []string) {
	open := c.openSources()
	if len(open) == 0 || len(open) == len(c.AllSources()) && !c.Auth.IsSet() {
		return nil
	}
	return []string{fmt.Sprintf("rtbeat has credentials for other sources, and none for %s: everybody may send there; set auth there, or rtbeat.auth for all sources", shownList(open))}
}

// openSources are the names of the sources that accept every request.
func (c *Config) openSources() (names []string) {
	for _, s := range c.AllSources() {
		if !s.Auth.IsSet() {
			names = append(names, s.Name)
		}
	}
	return names
}

// WithSecrets returns c with the credentials of read, if the whole keeps the rules. A source that read does not have keeps its own;
// kept are the names of these.
func (c Config) WithSecrets(read Config) (_ Config, kept []string, err error) {
	all := read.AllSources()
	take := func(name string, own *auth.Settings) {
		if i := slices.IndexFunc(all, func(s source.Source) bool { return s.Name == name }); i >= 0 {
			*own = all[i].Auth
		} else {
			kept = append(kept, name)
		}
	}
	if len(c.Sources) == 0 {
		take(inflight.DefaultSource, &c.Auth)
	}
	c.Sources = slices.Clone(c.Sources)
	for i := range c.Sources {
		take(c.Sources[i].Name, &c.Sources[i].Auth)
	}
	err = c.check()
	return c, kept, err
}
