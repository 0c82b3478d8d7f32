// Package effective tells which configuration is in effect, and no secret of it.
//
// What may be shown is listed, setting by setting, with the form that its value must have; there is no list of what may
// not. So a setting that nobody thought of, one of another Beat, or a secret in the wrong place shows nothing. And what
// came out of a variable, whether from the environment or from the keystore, is not shown where it is text.
package effective

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/elastic/elastic-agent-libs/config"
	ucfg "github.com/elastic/go-ucfg"

	rtbeat "github.com/txn2/rtbeat/config"
)

// Setting is one setting in effect: its key in full, and its value as far as it may be shown.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// What stands in the place of a value.
const (
	set          = "set"
	notSet       = "not set"
	fromVariable = "set by a variable"
	withheld     = "set, not shown"
)

// variable is what every variable of the file is read as here, so that its value is never seen.
const variable = "(a variable)"

// New lists the settings in effect: all of rtbeat's own, defaults included, and those of libbeat that are listed here
// and set. root is the whole configuration, command line settings applied; nil stands for none.
func New(root *config.C, c rtbeat.Config) []Setting {
	written, err := read(root)
	settings := ofRtbeat(c, written)
	if err != nil { // it was read before, by libbeat; the error may hold a value
		return append(settings, Setting{Key: "output", Value: "cannot be read again"})
	}
	return append(settings, ofLibbeat(written)...)
}

// tree is the configuration as it is written: leaves by their keys in full, with variable for each variable.
type tree map[string]any

// read makes a tree of root.
func read(root *config.C) (written tree, err error) {
	written = make(tree)
	if root == nil {
		return written, nil
	}
	defer func() {
		if recover() != nil { // ucfg panics on some values of variables, and there are none of them here
			err = errors.New("reading the configuration failed")
		}
	}()
	var values map[string]any
	unseen := ucfg.Resolve(func(string) (string, parseConfig, error) { return variable, noParsing, nil })
	if err := (*ucfg.Config)(root).Unpack(&values, ucfg.PathSep("."), unseen, ucfg.VarExp); err != nil {
		return make(tree), fmt.Errorf("reading the configuration: %w", err)
	}
	written.add("", values)
	return written, nil
}

// add adds the leaves of a value.
func (t tree) add(key string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			t.add(strings.TrimPrefix(key+"."+name, "."), inner)
		}
	case []any:
		// A list is a leaf: what is in it is judged together.
		t[key] = v
	default:
		t[key] = v
	}
}

// text is what is shown of the value of a setting.
func (t tree) text(key string, value any, as form) string {
	if value == "" {
		return notSet
	}
	if t.fromVariable(key) {
		return fromVariable
	}
	text, ok := as(value)
	if !ok || isOfHosts(key) && t.hasElsewhere(value) {
		return withheld
	}
	return text
}

// isOfHosts tells the settings whose texts are of no fixed form.
func isOfHosts(key string) bool {
	return strings.HasSuffix(key, ".host") || strings.HasSuffix(key, ".hosts") || key == "rtbeat.trusted_proxies"
}

// hasElsewhere tells whether a text in value stands in a setting of another kind as well, as a password does that a
// ${reference} to its key repeats. Of a setting that is called like a secret, a part of the text is enough.
func (t tree) hasElsewhere(value any) bool {
	var own []string
	texts(value, func(text string) { own = append(own, text) })
	found := false
	for key, other := range t {
		if isOfHosts(key) {
			continue
		}
		secret := secretPattern.MatchString(key)
		texts(other, func(text string) {
			found = found || slices.Contains(own, text) ||
				secret && len(text) >= shortestSecret && slices.ContainsFunc(own, func(o string) bool { return strings.Contains(o, text) })
		})
	}
	return found
}

// secretPattern finds the usual names of what is secret, in any part of a key. What is shown does not rest on it.
var secretPattern = regexp.MustCompile(`(?i)pass|secret|token|key|auth|cred`)

// shortestSecret is what is looked for within another text. Less is in any.
const shortestSecret = 4

// fromVariable tells whether any of a setting came out of a variable: its value, a part of it, or a group around it.
func (t tree) fromVariable(key string) bool {
	for k, v := range t {
		if (k == key || strings.HasPrefix(k, key+".") || strings.HasPrefix(key, k+".")) && hasVariable(v) {
			return true
		}
	}
	return false
}

func hasVariable(value any) bool {
	switch v := value.(type) {
	case string:
		return strings.Contains(v, variable)
	case []any:
		return slices.ContainsFunc(v, hasVariable)
	case map[string]any:
		for _, inner := range v {
			if hasVariable(inner) {
				return true
			}
		}
	}
	return false
}

// texts goes over every text in a value.
func texts(value any, yield func(string)) {
	switch v := value.(type) {
	case string:
		yield(v)
	case []any:
		for _, inner := range v {
			texts(inner, yield)
		}
	case map[string]any:
		for _, inner := range v {
			texts(inner, yield)
		}
	default:
		if v != nil {
			yield(fmt.Sprint(v))
		}
	}
}
