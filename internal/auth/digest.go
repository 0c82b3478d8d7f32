package auth

import (
	"crypto/sha256"
	"crypto/subtle"
)

// digest is the SHA-256 of a secret. All digests have one length, so that comparing them does not tell the length of a secret.
type digest [sha256.Size]byte

func digestOf(secret string) digest { return sha256.Sum256([]byte(secret)) }

// digests are the secrets of one scheme, with the names of their owners.
type digests struct {
	list  []digest
	names []string // by index; empty for a secret without a name
}

func (ds *digests) add(name, secret string) {
	ds.list, ds.names = append(ds.list, digestOf(secret)), append(ds.names, name)
}

func (ds *digests) addAll(secrets Secrets) {
	for _, s := range secrets {
		ds.add(s.Name, s.Value)
	}
}

func (ds *digests) isEmpty() bool { return len(ds.list) == 0 }

// find tells whether secret is among the secrets, and returns the name of its owner. It compares with all of them: the time of a
// loop that stops at a match tells which secret matched. A test keeps branches out of the loop.
func (ds *digests) find(secret string) (name string, ok bool) {
	d, found, at := digestOf(secret), 0, 0
	for i := range ds.list {
		equal := subtle.ConstantTimeCompare(ds.list[i][:], d[:])
		at = subtle.ConstantTimeSelect(equal, i, at)
		found |= equal
	}
	if found == 0 {
		return "", false
	}
	return ds.names[at], true
}
