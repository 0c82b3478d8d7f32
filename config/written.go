package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/elastic/elastic-agent-libs/config"
)

// checkWritten looks at the values of section as they are written, before they are read into a Config. Reading them takes
// what nobody means: 8081.5 as the port 8081, a group of keys as an empty list, a password that looks like a number as
// another password, and a number of seconds that overflows as any duration. An error names the key, and no text.
//
// It writes each duration back into section with its unit, which changes its form only: ucfg takes a plain number neither
// in quotes nor out of a variable.
func checkWritten(section *config.C) error {
	var values map[string]any
	if err := section.Unpack(&values); err != nil {
		// Only a Config has names for what is inside of a group.
		if detailed := section.Unpack(new(Default())); isMissing(detailed) {
			err = detailed
		}
		return readingFailed(err)
	}
	return checkValues(section, "", reflect.TypeFor[Config](), values)
}

func readingFailed(err error) error {
	if isMissing(err) {
		return fmt.Errorf("reading the rtbeat section: %w: a ${NAME} in it is neither in the keystore nor in the environment, or has no value there", err)
	}
	return fmt.Errorf("reading the rtbeat section: %w", err)
}

// isMissing tells whether err is about a variable, which is what ucfg misses: no setting is required.
func isMissing(err error) bool {
	var reading interface{ Reason() error }
	return errors.As(err, &reading) && reading.Reason().Error() == "missing field"
}

// checkValues looks at the values of a group of settings. What it passes over is judged when it is read.
func checkValues(section *config.C, prefix string, settings reflect.Type, values map[string]any) error {
	for field := range fieldsOf(settings) {
		value := values[keyOf(field)]
		if value == nil {
			continue
		}
		if err := checkValue(section, prefix+keyOf(field), field.Type, value); err != nil {
			return err
		}
	}
	return nil
}

func checkValue(section *config.C, key string, setting reflect.Type, value any) error {
	switch {
	case isGroup(setting) || isShared(setting):
		group, _ := value.(map[string]any)
		return checkValues(section, key+".", groupOf(setting), group)
	case setting == reflect.TypeFor[time.Duration]():
		d, err := parseDuration(key, value)
		if err != nil {
			return err
		}
		return section.SetString(key, -1, d.String())
	case setting.Kind() == reflect.Int:
		return checkWhole(key, value)
	case setting == reflect.TypeFor[string]():
		return checkText(key, value)
	case setting.Kind() == reflect.Slice:
		return checkList(key, setting.Elem(), value)
	default:
		return nil
	}
}

// parseDuration reads a duration: a number of seconds, in quotes or without, or a number with a unit.
func parseDuration(key string, value any) (time.Duration, error) {
	var seconds float64
	switch v := value.(type) {
	case int64:
		seconds = float64(v)
	case uint64:
		seconds = float64(v)
	case float64:
		seconds = v
	case string:
		if d, err := time.ParseDuration(v); err == nil {
			return d, nil
		}
		n, err := strconv.ParseFloat(v, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return 0, fmt.Errorf("rtbeat.%s is %q, which is no duration; write 5 (seconds), 1500ms or 2m", key, v)
		}
		seconds = n
	default:
		seconds = math.NaN()
	}
	switch {
	case math.IsNaN(seconds):
		return 0, fmt.Errorf("rtbeat.%s is %v, which is no duration; write 5 (seconds), 1500ms or 2m", key, value)
	case seconds > maxDuration.Seconds():
		return 0, fmt.Errorf("rtbeat.%s is %v seconds; it may be %s at most (plain numbers are seconds)", key, value, maxDuration)
	}
	// One that is far below zero is as wrong as the one that it becomes here.
	return time.Duration(max(seconds, -maxDuration.Seconds()) * float64(time.Second)), nil
}

// checkWhole refuses a number with a fraction, which would be cut off.
func checkWhole(key string, value any) error {
	if n, ok := value.(float64); ok && n != math.Trunc(n) { // nor is NaN equal to anything
		return fmt.Errorf("rtbeat.%s is %v; it must be a whole number", key, n)
	}
	return nil
}

// checkText refuses what is no text, because as a text it would be another one: 0123 is 83, and 1e5 is 100000.
func checkText(key string, value any) error {
	if _, ok := value.(string); ok {
		return nil
	}
	return fmt.Errorf("rtbeat.%s is read as %s and not as text; put it in quotes, which belong into the value of an environment variable too, or put it in the keystore", key, kindOf(value))
}

// checkList refuses what would be read as an empty list, and in a list of texts what is no text.
func checkList(key string, element reflect.Type, value any) error {
	elements, isList := value.([]any)
	switch {
	case kindOf(value) == kindGroup:
		return fmt.Errorf("rtbeat.%s is read as %s and not as a list; write [\"one\", \"another\"]", key, kindGroup)
	case element != reflect.TypeFor[string]():
		return nil
	case !isList:
		return checkText(key, value)
	}
	for i, e := range elements {
		if e == nil {
			continue // an empty text
		}
		if err := checkText(key+"."+strconv.Itoa(i), e); err != nil {
			return err
		}
	}
	return nil
}

const kindGroup = "a group of settings"

func kindOf(value any) string {
	switch value.(type) {
	case map[string]any:
		return kindGroup
	case []any:
		return "a list"
	case bool:
		return "true or false"
	default:
		return "a number"
	}
}
