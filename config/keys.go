package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/elastic/elastic-agent-libs/config"
)

// checkKeys refuses a section with a key that no setting has, and names the first one. A misspelt limit that is silently
// ignored costs somebody data.
func checkKeys(section *config.C) error {
	// A list has no keys, and Unpack would pass over it.
	if section.IsArray() {
		return errors.New("rtbeat is a list; it must be a group of settings, such as rtbeat.port")
	}
	unknown := unknownKeys(section, "", reflect.TypeFor[Config]())
	if len(unknown) == 0 {
		return nil
	}
	first := slices.MinFunc(unknown, func(a, b unknownKey) int { return strings.Compare(a.key, b.key) })
	return fmt.Errorf("rtbeat.%s is no setting of rtbeat (known there: %s)", first.key, strings.Join(namesOf(first.group), ", "))
}

// unknownKey is a full name that no setting has, and the group that it is in.
type unknownKey struct {
	key   string
	group reflect.Type
}

// unknownKeys returns the keys of section, and of the groups in it, that no field of settings has.
func unknownKeys(section *config.C, prefix string, settings reflect.Type) (unknown []unknownKey) {
	for _, key := range section.GetFields() {
		field, known := fieldOf(settings, key)
		if !known {
			unknown = append(unknown, unknownKey{prefix + key, settings})
			continue
		}
		inner := field.group()
		if inner == nil {
			continue
		}
		// A value that is no group has no keys; Unpack says what is wrong with it.
		group, err := section.Child(key, -1)
		if err != nil {
			continue
		}
		// A list has keys as well, and Unpack would pass over them.
		if group.IsArray() {
			unknown = append(unknown, unknownKey{prefix + key + ".0", inner})
		}
		unknown = append(unknown, unknownKeys(group, prefix+key+".", inner)...)
	}
	return unknown
}

// namesOf returns the names of the settings and groups in a group.
func namesOf(settings reflect.Type) (names []string) {
	for field := range Fields(settings) {
		name := field.Key
		if field.group() != nil {
			name += ".*"
		}
		names = append(names, name)
	}
	return names
}
