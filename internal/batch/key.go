package batch

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
)

// Key identifies a message: equal keys mean equal bytes. It is the first half of a SHA-256. A sender cannot make a message with
// the key of another sender's message. Two different messages of its own with one key take 2^64 attempts.
type Key [16]byte

// ID returns the key as text for URLs: 22 characters of base64url without padding. Stores hold documents under this id,
// so the same bytes must have the same id in every version.
func (k Key) ID() string {
	var text [22]byte
	base64.RawURLEncoding.Encode(text[:], k[:])
	return string(text[:])
}

// The kinds of keys that hash more than the message. The kind is the first byte that is hashed. A valid message begins with a brace,
// so no key of one kind hashes the bytes of another.
const (
	scopedKey byte = 's' // the scope, the message
	givenKey  byte = 'g' // the scope, the id of the request, the index of the message, the message

	// The others are of messages that are not valid.

	contentKey byte = 'c' // the scope, the message
	beforeKey  byte = 'b' // the scope, the key of the first message with an id, each message up to this one with its length
	behindKey  byte = 'i' // the scope, the key of the last message with an id, each message from there with its length
)

// keyMaker makes the keys of a body.
type keyMaker struct {
	Identity
	hash   hash.Hash
	before []byte // what is hashed before the message
}

// identify sets the ID and the Key of the message with this index in the body.
func (k *keyMaker) identify(m *Message, index int) {
	m.ID = k.id(m.Fields)
	switch {
	case k.Off:
	case m.ID == "" && k.Given != "":
		k.identifyGiven(m, index)
	case m.ID == "" && !k.Content:
	case k.Scope == "":
		sum := sha256.Sum256(m.Raw)
		copy(m.Key[:], sum[:])
	default:
		k.begin(scopedKey)
		m.Key = k.sum(m.Raw)
	}
}

func (k *keyMaker) identifyGiven(m *Message, index int) {
	k.begin(givenKey)
	k.add(k.Given)
	k.before = binary.BigEndian.AppendUint64(k.before, uint64(index)) //nolint:gosec // not negative
	m.Key = k.sum(m.Raw)
}

func (k *keyMaker) begin(kind byte) {
	k.before = append(k.before[:0], kind)
	k.add(k.Scope)
}

// add adds a text behind its length, so that no two lists of texts are hashed alike.
func (k *keyMaker) add(text string) {
	k.before = append(binary.AppendUvarint(k.before, uint64(len(text))), text...)
}

func (k *keyMaker) sum(raw []byte) (key Key) {
	if k.hash == nil {
		k.hash = sha256.New()
	}
	k.hash.Reset()
	_, _ = k.hash.Write(k.before) // never fails
	_, _ = k.hash.Write(raw)
	k.before = k.hash.Sum(k.before[:0])
	copy(key[:], k.before)
	return key
}
