package batch

// maxInterned is the longest object key that is kept for reuse, in bytes.
const maxInterned = 64

// names holds object keys already seen in a batch, so that a key that stands in every message is allocated once.
// Keys that meet in a slot displace each other: that costs an allocation and nothing else, so that a sender who
// looks for collisions gains nothing.
type names struct {
	slots [256]string
}

// intern returns the string of key. It is the object's own, and not the batch's, if it had to be made because the key is
// long or has displaced another. What the first key in each slot takes, 16 KiB at most, is left out of the books.
func (n *names) intern(key []byte) (name string, own bool) {
	if len(key) > maxInterned {
		return string(key), true
	}
	// FNV-1a.
	hash := uint32(2166136261)
	for _, c := range key {
		hash = (hash ^ uint32(c)) * 16777619
	}
	slot := &n.slots[(hash^hash>>16)%uint32(len(n.slots))]
	if *slot != string(key) {
		own = *slot != ""
		*slot = string(key)
	}
	return *slot, own
}
