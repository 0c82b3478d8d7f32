package config

import "fmt"

// DocumentID says what the id of an event's document is made of.
type DocumentID string

// What there is: the uuid of the message, and none, so that the store makes one up.
const (
	DocumentIDUUID DocumentID = "uuid"
	DocumentIDNone DocumentID = "none"
)

// Unpack reads a value of the configuration; ucfg calls it.
func (d *DocumentID) Unpack(v string) error {
	switch id := DocumentID(v); id {
	case DocumentIDUUID, DocumentIDNone:
		*d = id
		return nil
	default:
		return fmt.Errorf("%q is no document id; it must be %s or %s", v, DocumentIDUUID, DocumentIDNone)
	}
}
