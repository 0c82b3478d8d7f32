package event

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Settings are the form of the events.
type Settings struct {
	// Type is the field `type` of each event. Logstash and index templates select events by it.
	Type string `config:"type" show:"text"`

	// Target is the field that holds the message. A dot makes an inner field: `event.data` is the field `data` within `event`. `""`
	// puts the message's own fields beside those of the event. Of these, `rxtxMsg` has those with a name that rtbeat or libbeat
	// uses, so that neither overwrites the other: [http-api.md](http-api.md#a-message-at-the-root) lists the names.
	Target string `config:"target" show:"text"`

	// Timestamp is the time of the event, taken from the message.
	Timestamp Timestamp `config:"timestamp"`

	// Fields are fields of each event, in its field `fields`. They are those of any Beat: values may be texts, numbers, lists and
	// groups. The Beat's own `fields`, outside of `rtbeat`, are added as well; of a field in both, this value counts.
	Fields map[string]any `config:"fields"`

	// FieldsUnderRoot is whether `fields` become fields of the event itself. They replace fields that rtbeat or libbeat set,
	// such as `type`.
	FieldsUnderRoot bool `config:"fields_under_root"`

	// Tags are added to the field `tags` of each event, beside the Beat's own `tags`.
	Tags []string `config:"tags" show:"text"`
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
	if err := s.checkTarget(prefix); err != nil {
		return err
	}
	if err := s.Timestamp.check(prefix); err != nil {
		return err
	}
	return s.checkFields(prefix)
}

// maxTargetNames bounds the levels that the target adds to a message. Logstash reads ten levels more than a message may have, and
// processors need some of them.
const maxTargetNames = 5

func (s *Settings) checkTarget(prefix string) error {
	if s.Target == "" {
		return nil
	}
	names := strings.Split(s.Target, ".")
	switch {
	case slices.Contains(names, ""):
		return fmt.Errorf("%starget is %q; it must be the name of a field, such as %s", prefix, s.Target, messageField)
	case len(names) > maxTargetNames:
		return fmt.Errorf("%starget is %q; it may have %d names at most", prefix, s.Target, maxTargetNames)
	case names[0] != messageField && slices.Contains(ownFields, names[0]):
		return fmt.Errorf("%starget is %q, and rtbeat or libbeat writes the field %s itself; choose another name", prefix, s.Target, names[0])
	}
	return nil
}

func (s *Settings) checkFields(prefix string) error {
	if _, err := json.Marshal(s.Fields); err != nil { // such as .nan
		return fmt.Errorf("%sfields has a value that JSON does not have: %w", prefix, err)
	}
	if !s.FieldsUnderRoot {
		return nil
	}
	first, _, _ := strings.Cut(s.Target, ".")
	for _, name := range slices.Sorted(maps.Keys(s.Fields)) {
		switch name {
		case "@timestamp", "@metadata":
			return fmt.Errorf("%sfields.%s is no field of the event itself; use the processor add_fields to set it", prefix, name)
		case first, messageField:
			return fmt.Errorf("%sfields.%s is where the message is; choose another name, or another target", prefix, name)
		}
	}
	return nil
}
