package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/elastic/elastic-agent-libs/config"
)

// checkKeys returns an error that names the first key of section that no setting has: a misspelt limit that is
// silently ignored costs somebody data.
func checkKeys(section *config.C) error {
	unknown := unknownKeys(section, "", reflect.TypeFor[Config]())
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	return fmt.Errorf("rtbeat.%s is no setting of rtbeat (known: %s)", unknown[0], strings.Join(Keys(), ", "))
}

// unknownKeys returns the full names of the keys of section, and of the groups in it, that no field of settings has.
func unknownKeys(section *config.C, prefix string, settings reflect.Type) (unknown []string) {
	for _, key := range section.GetFields() {
		field, known := fieldOf(settings, key)
		switch {
		case !known:
			unknown = append(unknown, prefix+key)
		case isGroup(field.Type):
			// What is no group of keys has none that could be unknown; Unpack says what is wrong with it.
			group, err := section.Child(key, -1)
			if err != nil {
				continue
			}
			// A list has keys as well, and Unpack would pass over them.
			if group.IsArray() {
				unknown = append(unknown, prefix+key+".0")
			}
			unknown = append(unknown, unknownKeys(group, prefix+key+".", field.Type)...)
		}
	}
	return unknown
}

// Keys returns the full names of all settings under rtbeat:, such as "dedupe.window", in the order of Config.
func Keys() []string {
	return keysOf("", reflect.TypeFor[Config]())
}

func keysOf(prefix string, settings reflect.Type) (keys []string) {
	for field := range settings.Fields() {
		key := prefix + keyOf(field)
		if isGroup(field.Type) {
			keys = append(keys, keysOf(key+".", field.Type)...)
			continue
		}
		keys = append(keys, key)
	}
	return keys
}

func fieldOf(settings reflect.Type, key string) (reflect.StructField, bool) {
	for field := range settings.Fields() {
		if keyOf(field) == key {
			return field, true
		}
	}
	return reflect.StructField{}, false
}

func keyOf(field reflect.StructField) string { return field.Tag.Get("config") }

// isGroup tells a group of settings from a setting: no single value is a struct.
func isGroup(t reflect.Type) bool { return t.Kind() == reflect.Struct }
