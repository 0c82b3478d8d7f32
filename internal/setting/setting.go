// Package setting has the value types of settings, and the rules that settings of several packages share.
//
// A package of rtbeat declares its settings as a struct with `config` tags. The doc comments of its fields are the text of
// rtbeat.reference.yml and docs/configuration.md, in Markdown: `make generate` writes both. Its method Check applies the
// rules of the settings. The name is not Validate: go-ucfg would call Validate while it reads, before defaults
// replace a timeout of zero. It would also put its own text around the error.
//
// An error names the setting in full, and never holds a secret.
package setting

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// MaxDuration bounds every duration. A longer one was meant in another unit.
const MaxDuration = 24 * time.Hour

// CheckDuration refuses a duration below least or above MaxDuration.
func CheckDuration(key string, d, least time.Duration) error {
	allowed := "a positive duration"
	if least == 0 {
		allowed = "zero or " + allowed
	}
	if d < least {
		return fmt.Errorf("%s is %s; it must be %s, such as 5 (seconds) or 1500ms", key, d, allowed)
	}
	if d > MaxDuration {
		return fmt.Errorf("%s is %s; it may be %s at most (plain numbers are seconds)", key, d, MaxDuration)
	}
	return nil
}

// CheckNumber refuses a number that is not between least and most.
func CheckNumber(key string, n, least, most int) error {
	if n < least || n > most {
		return fmt.Errorf("%s is %d; it must be between %d and %d", key, n, least, most)
	}
	return nil
}

// CheckSize refuses a size that is not positive.
func CheckSize(key string, s ByteSize) error {
	if s <= 0 {
		return fmt.Errorf("%s is %d; it must be a positive size, such as 33554432 or 32MiB", key, s)
	}
	return nil
}

// CheckText refuses an empty text: a variable without a value leaves it. It also refuses a control character, such as the line break
// at the end of a file.
func CheckText(key, text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return fmt.Errorf("%s is empty; give it a value, or leave it out", key)
	case strings.ContainsFunc(text, unicode.IsControl):
		return fmt.Errorf("%s has a control character, such as a line break at its end; remove it", key)
	default:
		return nil
	}
}
