package event

import (
	"fmt"
	"slices"
	"strings"
)

// Settings are the form of the events.
type Settings struct {
	// Type is the field `type` of each event. Logstash and index templates select events by it.
	Type string `config:"type"`

	// Target is the field that holds the message. A dot makes an inner field: `event.data` is the field `data` within `event`.
	Target string `config:"target"`
}

// messageField is the default of Target.
const messageField = "rxtxMsg"

// DefaultSettings are the settings of a file without any.
func DefaultSettings() Settings {
	return Settings{Type: "rtbeat", Target: messageField}
}

// Check applies the rules of the settings. prefix is the path of the settings in the file, with the dot at its end.
func (s *Settings) Check(prefix string) error {
	if s.Type == "" {
		return fmt.Errorf("%stype is empty; it must be the value of the field type", prefix)
	}
	if s.Target == "" || slices.Contains(strings.Split(s.Target, "."), "") {
		return fmt.Errorf("%starget is %q; it must be the name of a field, such as %s", prefix, s.Target, messageField)
	}
	return nil
}
