package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/elastic/elastic-agent-libs/config"
)

// checkReadable reads each value of section by itself, down to depth levels of groups and lists. An error names the key in full.
// It leaves out the error of ucfg, which holds the whole value of a variable.
func checkReadable(section *config.C, prefix string, depth int) error {
	if section.IsArray() && section.IsDict() {
		return fmt.Errorf("rtbeat.%s is a list and a group of names at once; write one of them (a name of digits alone makes a list)", strings.TrimSuffix(prefix, "."))
	}
	for _, key := range slices.Sorted(slices.Values(section.GetFields())) {
		if err := checkReadableValue(section, key, -1, prefix+key, depth); err != nil {
			return err
		}
	}
	if !section.IsArray() {
		return nil
	}
	entries, _ := section.CountField("")
	for i := range entries {
		if err := checkReadableValue(section, "", i, prefix+strconv.Itoa(i), depth); err != nil {
			return err
		}
	}
	return nil
}

// checkReadableValue reads one value: the value called name, or element i of a list.
func checkReadableValue(section *config.C, name string, i int, key string, depth int) error {
	if name == "" && i < 0 {
		return fmt.Errorf("%s has an empty key; name it, or remove it", strings.TrimSuffix("rtbeat."+key, "."))
	}
	var group *config.C
	err := recovered(func() (err error) {
		group, err = section.Child(name, i)
		return err
	})
	switch {
	case err == nil && depth > 0: // a variable may lead to its own group
		return checkReadable(group, key+".", depth-1)
	case err == nil || reasonOf(err) == reasonMismatch: // neither a group nor a list
		return nil
	case reasonOf(err) == reasonMissing:
		return fmt.Errorf("rtbeat.%s has a ${NAME} without a value in the keystore and in the environment; add it with \"rtbeat keystore add NAME\", or set the variable", key)
	default:
		return unreadable(key, err)
	}
}

func unreadable(key string, err error) error {
	if strings.HasPrefix(reasonOf(err), reasonCycle) {
		return fmt.Errorf("rtbeat.%s cannot be read: its ${NAME} refers to itself; name another setting or variable", key)
	}
	return fmt.Errorf("rtbeat.%s cannot be read: its variable has quotes, brackets or commas, which mean a list; put single quotes around the whole value, or put the value into the keystore", key)
}

// recovered turns a panic into an error: ucfg reads beyond the end of a variable with an open bracket (parse/parse.go).
func recovered(read func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the value ends too early")
		}
	}()
	return read()
}

// maxLevels is how deep values are read one by one. No setting is deeper.
const maxLevels = 6

// The reasons of ucfg (error.go) that have messages of their own.
const (
	reasonMissing  = "missing field" // a variable: no setting is required
	reasonMismatch = "type mismatch"
	reasonCycle    = "cyclic reference detected" // and the key
)

func reasonOf(err error) string {
	var reading interface{ Reason() error }
	if errors.As(err, &reading) {
		return reading.Reason().Error()
	}
	return ""
}

// valuesOf returns the values of section as they are written, by group and key. A value of null is nil, or left out.
func valuesOf(section *config.C) (values map[string]any, err error) {
	err = recovered(func() error { return section.Unpack(&values) })
	if err == nil {
		return values, nil
	}
	// A variable deep in a list, or one that leads to itself: checkReadable has seen all others.
	var reading interface{ Path() string }
	if errors.As(err, &reading) && reading.Path() != "" {
		return nil, unreadable(strings.TrimPrefix(reading.Path(), "rtbeat."), err)
	}
	return nil, errors.New("a variable in the rtbeat section cannot be read, or refers to itself; correct its ${NAME}")
}
