package batch

import (
	"crypto/sha256"
	"encoding/base64"
)

// Key identifies a message: equal keys mean equal bytes. It is the first half of a SHA-256. A sender cannot make a message with
// the key of another sender's message. Two different messages of its own with one key take 2^64 attempts.
type Key [16]byte

// Key returns StoredKey, or else the hash of Raw, which has to be there. It is false for a message without a uuid. Such a message
// is never a retry: two of them may be equal, and both be meant.
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
