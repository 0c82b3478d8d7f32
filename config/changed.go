package config

import (
	"fmt"
	"reflect"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/diskqueue"
)

// WithDurable returns c with other settings of durable mode, if they keep the rules.
func (c Config) WithDurable(d diskqueue.Settings) (Config, error) {
	c.Durable = d
	err := c.checkDurable()
	return c, err
}

// Changed returns the full names of the settings that differ between c and other. It leaves out the credentials, and names ssl
// as a whole.
func (c Config) Changed(other Config) []string {
	return changed(outside, reflect.ValueOf(c), reflect.ValueOf(other))
}

func changed(prefix string, a, b reflect.Value) (keys []string) {
	for field := range Fields(a.Type()) {
		before, after := a.FieldByIndex(field.Index), b.FieldByIndex(field.Index)
		switch key := prefix + field.Key; {
		case field.Type == reflect.TypeFor[auth.Settings]():
		case field.IsList() && before.Len() == after.Len():
			for i := range before.Len() {
				keys = append(keys, changed(fmt.Sprintf("%s.%d.", key, i), before.Index(i), after.Index(i))...)
			}
		case field.IsGroup():
			keys = append(keys, changed(key+".", before, after)...)
		case !reflect.DeepEqual(before.Interface(), after.Interface()):
			keys = append(keys, key)
		}
	}
	return keys
}
