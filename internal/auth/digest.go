package auth

import (
	"crypto/sha256"
	"crypto/subtle"
)

// digest is the SHA-256 of a secret. All digests have one length, so that comparing them does not tell the length of a secret.
type digest [sha256.Size]byte

func digestOf(secret string) digest { return sha256.Sum256([]byte(secret)) }

// digests are the secrets of one scheme.
type digests []digest

// contain tells whether d is among the secrets. It compares with all of them: the time of a loop that stops at a match tells which
// secret matched. A test keeps branches out of the loop.
func (ds digests) contain(d digest) bool {
	found := 0
	for i := range ds {
		found |= subtle.ConstantTimeCompare(ds[i][:], d[:])
	}
	return found == 1
}
