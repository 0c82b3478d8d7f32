package batch

import (
	"crypto/sha256"
	"encoding/base64"
)

// Key tells messages apart: equal keys mean equal bytes. It is the first half of a SHA-256. Nobody can make a message
// with the key of another's, and have it taken for a retry; making two of his own that are alike takes 2^64 attempts.
type Key [16]byte

// Key returns the StoredKey, or the key of the message as it was sent, and false when the message has no uuid: such a message is never
// taken for a retry, because two of them may be alike and both be meant. Valid as long as Raw is.
func (m Message) Key() (key Key, ok bool) {
	if m.StoredKey != (Key{}) {
		return m.StoredKey, true
	}
	if m.UUID == "" {
		return Key{}, false
	}
	sum := sha256.Sum256(m.Raw)
	copy(key[:], sum[:])
	return key, true
}

// ID returns the key as text for URLs: 22 characters of base64url without padding. Stores hold documents under this id,
// so the same bytes must have the same id in every version.
func (k Key) ID() string {
	var text [22]byte
	base64.RawURLEncoding.Encode(text[:], k[:])
	return string(text[:])
}
