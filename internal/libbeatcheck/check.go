// Package libbeatcheck finds settings that libbeat accepts, and that later crash the process, deliver nothing, or have another
// effect than they seem to have. limits.go has the ranges of values, sections.go the other rules.
package libbeatcheck

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	conf "github.com/elastic/elastic-agent-libs/config"
)

// networked are the outputs that connect to a host, and wait between two attempts.
var networked = []string{"logstash", "elasticsearch", "kafka", "redis"}

// Check reads the whole configuration, with the settings of the command line and the variables resolved. err joins an error
// for each setting that must not start, with its key and a remedy. warnings are about settings that may be meant. Check changes
// nothing. It accepts settings that libbeat refuses by itself.
func Check(root *conf.C) (warnings []string, err error) {
	output, err := outputOf(root)
	if err != nil || output == "" { // libbeat refuses to start without an output
		return nil, err
	}
	var errs []error
	for _, check := range []func(root *conf.C, output string) []error{
		checkSections, checkEnabled, checkLimits, checkHosts, checkSlowStart, checkRestart,
		checkQueue, checkProcessors, checkHTTP, checkMonitoring, checkDashboards,
	} {
		errs = append(errs, check(root, output)...)
	}
	warnings = slices.Concat(warnOfTimeout(root, output), warnOfProcessors(root), warnOfUnknownKeys(root, output))
	return warnings, errors.Join(errs...)
}

// outputOf is the name of the output in force, empty if there is none.
func outputOf(root *conf.C) (string, error) {
	var c struct {
		Output conf.Namespace `config:"output"`
	}
	if err := root.Unpack(&c); err != nil {
		return "", fmt.Errorf("reading the output: %w", err)
	}
	return c.Output.Name(), nil
}

// value reads one setting as libbeat would, in its units. It is fallback when the setting is missing, null, or of another type:
// libbeat refuses a wrong type by itself.
func value[T any](root *conf.C, key string, fallback T) T {
	field := reflect.StructField{Name: "Value", Type: reflect.TypeFor[T](), Tag: reflect.StructTag(fmt.Sprintf("config:%q", key))}
	into := reflect.New(reflect.StructOf([]reflect.StructField{field}))
	into.Elem().Field(0).Set(reflect.ValueOf(&fallback).Elem())
	if err := root.Unpack(into.Interface()); err != nil {
		return fallback
	}
	read, _ := reflect.TypeAssert[T](into.Elem().Field(0)) // it is a T: the line above made it
	return read
}

// section is the map or list at a path, nil if there is none.
func section(root *conf.C, path string) *conf.C {
	found, err := root.Child(path, -1)
	if err != nil {
		return nil
	}
	return found
}

// isOn reports whether a section is there and not disabled, as libbeat reads it.
func isOn(root *conf.C, path string) bool {
	return section(root, path).Enabled() // a nil section is disabled
}

// keysBelow returns the keys of all values at a path and below, in order. A reference to another setting (${...}) counts as a value.
// FlattenedKeys of conf.C follows references: one to its own section overflows the stack.
func keysBelow(root *conf.C, path string) (keys []string) {
	found := section(root, path)
	if found == nil || found.Path() != path {
		return []string{path}
	}
	fields := found.GetFields()
	slices.Sort(fields)
	for _, field := range fields {
		keys = append(keys, keysBelow(root, path+"."+field)...)
	}
	if n, _ := found.CountField(""); found.IsArray() {
		for i := range n {
			keys = append(keys, keysBelow(root, fmt.Sprintf("%s.%d", path, i))...)
		}
	}
	return keys
}

// has tells whether there is anything at a path.
func has(root *conf.C, path string) bool {
	found, err := root.Has(path, -1)
	return err == nil && found
}
