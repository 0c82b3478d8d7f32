package config

import "reflect"

// WithAuth returns c with another auth section, judged by the rules that hold between it and the rest of c.
func (c Config) WithAuth(a Auth) (Config, error) {
	c.Auth = a
	err := c.check()
	return c, err
}

// WithDurable returns c with other settings of durable mode, if they keep the rules.
func (c Config) WithDurable(d Durable) (Config, error) {
	c.Durable = d
	err := c.checkDurable()
	return c, err
}

// Changed returns the full names of the settings that differ between c and other, those of auth left out, and ssl as one.
func (c Config) Changed(other Config) []string {
	return changed("rtbeat.", reflect.ValueOf(c), reflect.ValueOf(other))
}

func changed(prefix string, a, b reflect.Value) (keys []string) {
	for field := range fieldsOf(a.Type()) {
		before, after := a.FieldByName(field.Name), b.FieldByName(field.Name)
		switch key := prefix + keyOf(field); {
		case field.Type == reflect.TypeFor[Auth]():
		case isGroup(field.Type):
			keys = append(keys, changed(key+".", before, after)...)
		case !reflect.DeepEqual(before.Interface(), after.Interface()):
			keys = append(keys, key)
		}
	}
	return keys
}
