package config

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elastic/elastic-agent-libs/config"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/setting"
)

// read returns the values of section as they are written. It refuses values that Unpack would change. It writes each duration
// back into section with its unit: ucfg reads a plain number neither in quotes nor from a variable.
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

// written is a section as it is written, with the durations in it.
type written struct {
	section   *config.C
	durations map[string]time.Duration // by key
}

// checkValues checks the values of a group of settings before Unpack reads them. Unpack would change some values in silence: the
// port 8081.5 to 8081, a group of keys to an empty list, the password 0123 to "83". The password null would be "null", and a number
// of seconds that overflows any duration. An error names the key, and never a text.
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

// ofList matches the beginning of a key in the list of sources.
var ofList = regexp.MustCompile(`^sources\.\d+\.`)

// checkNull refuses a key without a value under auth and ssl, and a list of sources without a value: it would switch authentication or
// TLS off. A group there may be empty in the file, but not because of a variable. One of a source may not be null.
func (w *written) checkNull(key string, field Field) error {
	within, _, _ := strings.Cut(ofList.ReplaceAllString(key, ""), ".")
	if within != "auth" && within != "ssl" && within != "sources" {
		return nil
	}
	has, _ := w.section.Has(key, -1) // an error means that a single value stands for a group, which Unpack refuses
	if !has || field.group() != nil && !w.isVariable(key) && (!ofList.MatchString(key) || w.isGroup(key)) {
		return nil
	}
	return noValue(key)
}

// isGroup tells an empty group from null, which ucfg reads as a text too.
func (w *written) isGroup(key string) bool {
	_, err := w.section.String(key, -1)
	return err != nil
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

// noGroup is the error for an element of a list of groups. A variable cannot be one: ucfg reads it as a text or as a list.
func noGroup(key, kind string) error {
	return fmt.Errorf("%s is read as %s and not as a group of settings; write its settings into the file, such as {name: github, path: /github}: a variable can be the value of one setting", key, kind)
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
	case field.Type.Kind() == reflect.Map:
		return checkNames(key, value)
	case field.Type == reflect.TypeFor[auth.Secrets]():
		return checkSecrets(key, value)
	case field.IsList():
		return w.checkGroups(key, field, value)
	case field.Type.Kind() == reflect.Slice:
		return checkList(key, field.Type.Elem(), value)
	default:
		return nil // Unpack checks it
	}
}

// checkGroups checks the groups of a list.
func (w *written) checkGroups(key string, field Field, value any) error {
	list, isList := value.([]any)
	if !isList {
		return fmt.Errorf("rtbeat.%s is read as %s and not as a list; begin each of its groups with a hyphen", key, kindOf(value))
	}
	for i, element := range list {
		key := fmt.Sprintf("%s.%d", key, i)
		group, isGroup := element.(map[string]any)
		switch {
		case element == nil:
			return noValue(key)
		case !isGroup:
			return noGroup("rtbeat."+key, kindOf(element))
		}
		if err := w.checkValues(key+".", field.Type.Elem(), group); err != nil {
			return err
		}
	}
	return nil
}

// parseDuration reads a duration: a number of seconds, in quotes or without, or a number with a unit.
func parseDuration(key string, value any) (time.Duration, error) {
	text, isText := value.(string)
	if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	seconds, err := strconv.ParseFloat(fmt.Sprint(value), 64)
	switch {
	case math.IsNaN(seconds) || err != nil && !errors.Is(err, strconv.ErrRange):
		if isText {
			value = strconv.Quote(text)
		}
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

// checkList refuses a group, null in a list, and a value that is no text in a list of texts. Unpack would read a group as an empty
// list.
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

// checkNames refuses a list where names and values are wanted. Unpack would read it as none.
func checkNames(key string, value any) error {
	if list, isList := value.([]any); isList && len(list) > 0 {
		return fmt.Errorf("rtbeat.%s is read as a list and not as a group of names and values; write {name: value}", key)
	}
	return nil
}

// checkSecrets refuses null and a value that is no text, in a list or in a group of names and texts.
func checkSecrets(key string, value any) error {
	group, isGroup := value.(map[string]any)
	if !isGroup {
		return checkList(key, reflect.TypeFor[string](), value)
	}
	for _, name := range slices.Sorted(maps.Keys(group)) {
		if group[name] == nil {
			return noValue(key + "." + name)
		}
		if err := checkText(key+"."+name, group[name]); err != nil {
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

const (
	kindGroup = "a group of settings"
	kindList  = "a list"
)

func kindOf(value any) string {
	switch value.(type) {
	case map[string]any:
		return kindGroup
	case []any:
		return kindList
	case bool:
		return "true or false"
	case string:
		return "a text"
	default:
		return "a number"
	}
}
