package batch

// maxInterned is the longest object key that is kept for reuse, in bytes.
const maxInterned = 64

// names holds object keys already seen in a batch, so that a key that stands in every message is allocated once.
// Keys that meet in a slot displace each other: that costs an allocation and nothing else, so that a sender who
// looks for collisions gains nothing.
type names struct {
	slots [256]string
}

// intern returns the string of key.
func (n *names) intern(key []byte) string {
	if len(key) > maxInterned {
		return string(key)
	}
	// FNV-1a.
	hash := uint32(2166136261)
	for _, c := range key {
		hash = (hash ^ uint32(c)) * 16777619
	}
	slot := &n.slots[(hash^hash>>16)%uint32(len(n.slots))]
	if *slot != string(key) {
		*slot = string(key)
	}
	return *slot
}
