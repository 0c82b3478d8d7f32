package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/elastic/elastic-agent-libs/config"
)

// checkKeys refuses a section with a key that no setting has, and names the first of them. A misspelt limit must not be ignored in
// silence.
func checkKeys(section *config.C) error {
	// A list has no keys, and Unpack would ignore it.
	if section.IsArray() {
		return errors.New("rtbeat is a list; it must be a group of settings, such as rtbeat.port")
	}
	return checkGroup(section, "rtbeat.", reflect.TypeFor[Config]())
}

// checkGroup refuses a key of section, or of the groups in it, that no field of settings has.
func checkGroup(section *config.C, prefix string, settings reflect.Type) error {
	for _, key := range slices.Sorted(slices.Values(section.GetFields())) {
		field, known := fieldOf(settings, key)
		if !known {
			return unknown(prefix+key, settings)
		}
		if field.IsList() {
			if err := checkGroups(section, prefix, field); err != nil {
				return err
			}
			continue
		}
		inner := field.group()
		if inner == nil {
			continue
		}
		group, err := section.Child(key, -1)
		if err != nil { // a single value, which Unpack refuses
			continue
		}
		if group.IsArray() { // Unpack would ignore its elements
			return unknown(prefix+key+".0", inner)
		}
		if err := checkGroup(group, prefix+key+".", inner); err != nil {
			return err
		}
	}
	return nil
}

// checkGroups refuses a key in a list of groups that no field of the groups has.
func checkGroups(section *config.C, prefix string, field Field) error {
	n := 0
	if list, err := section.Child(field.Key, -1); err == nil && list.IsArray() { // else checkValue refuses it
		n, _ = list.CountField("")
	}
	for i := range n {
		group, err := section.Child(field.Key, i)
		if err != nil {
			continue
		}
		key := prefix + field.Key + "." + strconv.Itoa(i)
		if group.IsArray() {
			return noGroup(key, kindList)
		}
		if err := checkGroup(group, key+".", field.Type.Elem()); err != nil {
			return err
		}
	}
	return nil
}

// unknown is the error for a key that is not in a group of settings.
func unknown(key string, group reflect.Type) error {
	var names []string
	for field := range Fields(group) {
		name := field.Key
		if field.group() != nil || field.IsList() {
			name += ".*"
		}
		names = append(names, name)
	}
	return fmt.Errorf("%s is not a setting of rtbeat; known here: %s", key, strings.Join(names, ", "))
}
