package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elastic/elastic-agent-libs/config"

	"github.com/txn2/rtbeat/internal/setting"
)

// read returns the values of section as they are written, and refuses values that Unpack would read as something else. It
// writes each duration back into section with its unit: ucfg reads a plain number neither in quotes nor from a variable.
func read(section *config.C) (values map[string]any, err error) {
	if err := checkReadable(section, "", maxLevels); err != nil {
		return nil, err
	}
	if err := checkKeys(section); err != nil {
		return nil, err
	}
	if values, err = valuesOf(section); err != nil {
		return nil, err
	}
	w := written{section: section, durations: make(map[string]time.Duration)}
	if err := w.checkValues("", reflect.TypeFor[Config](), values); err != nil {
		return nil, err
	}
	for key, d := range w.durations {
		if err := section.SetString(key, -1, d.String()); err != nil {
			return nil, fmt.Errorf("rtbeat.%s: %w", key, err)
		}
	}
	return values, nil
}

// checkReadable reads each value of section by itself, down to depth levels of groups and lists. An error names the key in
// full, and leaves out the error of ucfg, which has the whole value of a variable in it.
func checkReadable(section *config.C, prefix string, depth int) error {
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
		return unreadable(key)
	}
}

func unreadable(key string) error {
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
const maxLevels = 4

// The reasons of ucfg (error.go) that have messages of their own.
const (
	reasonMissing  = "missing field" // a variable: no setting is required
	reasonMismatch = "type mismatch"
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
		return nil, unreadable(strings.TrimPrefix(reading.Path(), "rtbeat."))
	}
	return nil, errors.New("a variable in the rtbeat section cannot be read, or refers to itself; correct its ${NAME}")
}

// written is a section as it is written, with the durations that were found in it.
type written struct {
	section   *config.C
	durations map[string]time.Duration // by key
}

// checkValues checks the values of a group of settings before Unpack reads them. Unpack accepts values that nobody means:
// 8081.5 as the port 8081, a group of keys as an empty list, a password that looks like a number as another password, null as
// the password "null", and a number of seconds that overflows as any duration. An error names the key, and no text.
func (w *written) checkValues(prefix string, settings reflect.Type, values map[string]any) error {
	for field := range Fields(settings) {
		key := prefix + field.Key
		value := values[field.Key]
		if value == nil {
			if err := w.checkNull(key, field); err != nil {
				return err
			}
			continue
		}
		if err := w.checkValue(key, field, value); err != nil {
			return err
		}
	}
	return nil
}

// checkNull refuses a key without a value under auth and ssl, where it would let everybody in. A group there may be empty in
// the file, but not because of a variable.
func (w *written) checkNull(key string, field Field) error {
	within, _, _ := strings.Cut(key, ".")
	if within != "auth" && within != "ssl" {
		return nil
	}
	has, _ := w.section.Has(key, -1) // it fails for a value in place of a group, which Unpack refuses
	if !has {
		return nil
	}
	if field.group() != nil && !w.isVariable(key) {
		return nil
	}
	return noValue(key)
}

// isVariable tells whether a group comes from a variable: Remove fails at a variable. It removes nothing, because no setting
// has this name.
func (w *written) isVariable(key string) bool {
	_, err := w.section.Remove(key+".no setting", -1)
	return err != nil
}

func noValue(key string) error {
	return fmt.Errorf("rtbeat.%s has no value: it is null, or its variable is null, [] or {}; give it a value, or remove it", key)
}

func (w *written) checkValue(key string, field Field, value any) (err error) {
	switch group := field.group(); {
	case group != nil:
		if enabled, isBool := value.(bool); isBool {
			if _, known := fieldOf(group, "enabled"); known {
				return fmt.Errorf("rtbeat.%s is %v, and it is a group of settings; write rtbeat.%[1]s.enabled: %[2]v", key, enabled)
			}
		}
		values, _ := value.(map[string]any)
		return w.checkValues(key+".", group, values)
	case field.Type == reflect.TypeFor[time.Duration]():
		w.durations[key], err = parseDuration(key, value)
		return err
	case field.Type.Kind() == reflect.Int:
		return checkWhole(key, value)
	case field.Type == reflect.TypeFor[string]():
		return checkText(key, value)
	case field.Type.Kind() == reflect.Slice:
		return checkList(key, field.Type.Elem(), value)
	default:
		return nil // Unpack judges it
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
	case seconds > setting.MaxDuration.Seconds():
		return 0, fmt.Errorf("rtbeat.%s is %v seconds; it may be %s at most (plain numbers are seconds)", key, value, setting.MaxDuration)
	}
	// A large negative number must not overflow. It stays negative, and no setting accepts that.
	return time.Duration(max(seconds, -setting.MaxDuration.Seconds()) * float64(time.Second)), nil
}

// checkWhole refuses a number with a fraction, which Unpack would cut off.
func checkWhole(key string, value any) error {
	if n, ok := value.(float64); ok && n != math.Trunc(n) { // NaN too
		return fmt.Errorf("rtbeat.%s is %v; it must be a whole number", key, n)
	}
	return nil
}

// checkText refuses a value that is no text: Unpack would read 0123 as "83", and 1e5 as "100000".
func checkText(key string, value any) error {
	if _, ok := value.(string); ok {
		return nil
	}
	return fmt.Errorf("rtbeat.%s is read as %s and not as text; put it in quotes, for an environment variable inside its value. The keystore cannot have such a text", key, kindOf(value))
}

// checkList refuses a group, which Unpack would read as an empty list, null in any list, and a value that is no text in a list of
// texts.
func checkList(key string, element reflect.Type, value any) error {
	elements, isList := value.([]any)
	if i := slices.Index(elements, nil); i >= 0 {
		return noValue(key + "." + strconv.Itoa(i))
	}
	switch {
	case kindOf(value) == kindGroup:
		return fmt.Errorf("rtbeat.%s is read as %s and not as a list; write [\"one\", \"another\"]", key, kindGroup)
	case element != reflect.TypeFor[string]():
		return nil
	case !isList:
		return checkText(key, value)
	}
	for i, e := range elements {
		if err := checkText(key+"."+strconv.Itoa(i), e); err != nil {
			return err
		}
	}
	return nil
}

// hasValues tells whether a group, or a group in it, has a value.
func hasValues(value any) bool {
	group, isGroup := value.(map[string]any)
	if !isGroup {
		return value != nil
	}
	for _, v := range group {
		if hasValues(v) {
			return true
		}
	}
	return false
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
