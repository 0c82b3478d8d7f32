package publish

import (
	"maps"
	"slices"

	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/mapstr"
)

// RootFields returns the names of the fields that libbeat adds to the root of each event: the Beat's own fields, with
// fields_under_root. root is the whole configuration. Settings that libbeat refuses have none.
func RootFields(root *conf.C) []string {
	var s struct {
		mapstr.EventMetadata `config:",inline"`
	}
	if err := root.Unpack(&s); err != nil || !s.FieldsUnderRoot {
		return nil
	}
	return slices.Sorted(maps.Keys(s.Fields))
}
