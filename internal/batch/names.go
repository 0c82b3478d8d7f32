package batch

// maxInterned is the longest object key that is kept for reuse, in bytes.
const maxInterned = 64

// names holds object keys of the batch, so that a key of every message is allocated once. Two keys of one slot displace each
// other. That costs an allocation and nothing else, so collisions are no attack.
type names struct {
	slots [256]string
}

// intern returns the string of key. own is whether the string is charged to the object, because the key is long or has
// displaced another. The first key of each slot is not charged: they take 16 KiB at most.
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
