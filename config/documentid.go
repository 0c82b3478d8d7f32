package config

import "fmt"

// DocumentID says what the id of an event's document is made of.
type DocumentID string

// The choices: a hash of the message as it was sent, its uuid, or no id, so that the store makes one up.
const (
	DocumentIDContent DocumentID = "content"
	DocumentIDUUID    DocumentID = "uuid"
	DocumentIDNone    DocumentID = "none"
)

// Unpack reads a value of the configuration; ucfg calls it.
func (d *DocumentID) Unpack(v string) error {
	switch id := DocumentID(v); id {
	case DocumentIDContent, DocumentIDUUID, DocumentIDNone:
		*d = id
		return nil
	default:
		return fmt.Errorf("%q is no document id; it must be %s, %s or %s", v, DocumentIDContent, DocumentIDUUID, DocumentIDNone)
	}
}
