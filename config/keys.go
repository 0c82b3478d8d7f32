package config

import (
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"

	"github.com/elastic/elastic-agent-libs/config"
)

// checkKeys returns an error that names the first key of section that no setting has: a misspelt limit that is
// silently ignored costs somebody data.
func checkKeys(section *config.C) error {
	// A list has no keys, and Unpack would pass over it.
	if section.IsArray() {
		return errors.New("rtbeat is a list; it must be a group of settings, such as rtbeat.port")
	}
	unknown := unknownKeys(section, "", reflect.TypeFor[Config]())
	if len(unknown) == 0 {
		return nil
	}
	slices.SortFunc(unknown, func(a, b unknownKey) int { return strings.Compare(a.key, b.key) })
	return fmt.Errorf("rtbeat.%s is no setting of rtbeat (known there: %s)", unknown[0].key, strings.Join(unknown[0].known, ", "))
}

// unknownKey is a full name that no setting has, and the names that there are at its place.
type unknownKey struct {
	key   string
	known []string
}

// unknownKeys returns the keys of section, and of the groups in it, that no field of settings has.
func unknownKeys(section *config.C, prefix string, settings reflect.Type) (unknown []unknownKey) {
	for _, key := range section.GetFields() {
		field, known := fieldOf(settings, key)
		switch {
		case !known:
			unknown = append(unknown, unknownKey{prefix + key, namesOf(settings)})
		case isGroup(field.Type) || isShared(field.Type):
			// What is no group of keys has none that could be unknown; Unpack says what is wrong with it.
			group, err := section.Child(key, -1)
			if err != nil {
				continue
			}
			// A list has keys as well, and Unpack would pass over them.
			if group.IsArray() {
				unknown = append(unknown, unknownKey{prefix + key + ".0", namesOf(groupOf(field.Type))})
			}
			unknown = append(unknown, unknownKeys(group, prefix+key+".", groupOf(field.Type))...)
		}
	}
	return unknown
}

// namesOf returns the names of the settings and groups that stand in a group.
func namesOf(settings reflect.Type) (names []string) {
	for field := range fieldsOf(settings) {
		name := keyOf(field)
		if isGroup(field.Type) || isShared(field.Type) {
			name += ".*"
		}
		names = append(names, name)
	}
	return names
}

// Keys returns the full names of all settings under rtbeat:, such as "dedupe.window", in the order of Config. Those under
// ssl are not rtbeat's own, and left out.
func Keys() []string {
	return keysOf("", reflect.TypeFor[Config]())
}

func keysOf(prefix string, settings reflect.Type) (keys []string) {
	for field := range fieldsOf(settings) {
		key := prefix + keyOf(field)
		switch {
		case isShared(field.Type):
		case isGroup(field.Type):
			keys = append(keys, keysOf(key+".", field.Type)...)
		default:
			keys = append(keys, key)
		}
	}
	return keys
}

// fieldsOf goes over the settings of a group, and over those that it takes in from another one.
func fieldsOf(settings reflect.Type) iter.Seq[reflect.StructField] {
	return func(yield func(reflect.StructField) bool) {
		for field := range settings.Fields() {
			if keyOf(field) != ",inline" {
				if !yield(field) {
					return
				}
				continue
			}
			for inlined := range fieldsOf(field.Type) {
				if !yield(inlined) {
					return
				}
			}
		}
	}
}

func fieldOf(settings reflect.Type, key string) (reflect.StructField, bool) {
	for field := range fieldsOf(settings) {
		if keyOf(field) == key {
			return field, true
		}
	}
	return reflect.StructField{}, false
}

func keyOf(field reflect.StructField) string { return field.Tag.Get("config") }

// isGroup tells a group of settings from a setting: no single value is a struct.
func isGroup(t reflect.Type) bool { return t.Kind() == reflect.Struct }

// isShared tells a group that is the same in every Beat.
func isShared(t reflect.Type) bool { return t.Kind() == reflect.Pointer && isGroup(t.Elem()) }

// groupOf is the struct with the settings of a group.
func groupOf(t reflect.Type) reflect.Type {
	if isShared(t) {
		return t.Elem()
	}
	return t
}
