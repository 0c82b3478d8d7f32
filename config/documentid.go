package config

import "fmt"

// DocumentID says what the id of an event's document is made of.
type DocumentID string

const (
	DocumentIDUUID DocumentID = "uuid" // the uuid of the message
	DocumentIDNone DocumentID = "none" // the store makes one up
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
