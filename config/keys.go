package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/elastic/elastic-agent-libs/config"
)

// checkKeys returns an error that names the first key of section that no setting has: a misspelt limit that is
// silently ignored costs somebody data.
func checkKeys(section *config.C) error {
	known := Keys()
	unknown := slices.DeleteFunc(section.GetFields(), func(key string) bool {
		return slices.Contains(known, key)
	})
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	return fmt.Errorf("rtbeat.%s is no setting of rtbeat (known: %s)", unknown[0], strings.Join(known, ", "))
}

// Keys returns the names of all settings under rtbeat:, in the order of Config.
func Keys() []string {
	var keys []string
	for field := range reflect.TypeFor[Config]().Fields() {
		keys = append(keys, field.Tag.Get("config"))
	}
	return keys
}
