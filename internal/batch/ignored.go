package batch

// ignored reads a value only to check that it is well-formed. It keeps the keys of each open object, to find a repeated key.
func (d *decoder) ignored() error {
	if err := d.yield(); err != nil {
		return err
	}
	switch d.text.PeekKind() {
	case '{':
		return d.ignoredObject()
	case '[':
		return d.ignoredArray()
	case '"', '0':
		if _, err := d.text.ReadValue(); err != nil {
			return d.malformed(err)
		}
		return nil
	default:
		_, err := d.literal()
		return err
	}
}

func (d *decoder) ignoredObject() error {
	if err := d.open(); err != nil {
		return err
	}
	made := d.made
	var seen keySet
	for d.text.PeekKind() != '}' {
		name, at, err := d.name()
		if err != nil {
			return err
		}
		if err := d.ignored(); err != nil {
			return err
		}
		if err := d.addKey(&seen, name, at); err != nil {
			return err
		}
	}
	d.made = made
	return d.close()
}

func (d *decoder) ignoredArray() error {
	if err := d.open(); err != nil {
		return err
	}
	for d.text.PeekKind() != ']' {
		if err := d.ignored(); err != nil {
			return err
		}
	}
	return d.close()
}

// keySet holds the keys of an object whose values are not kept. The zero value is empty.
type keySet struct {
	keys    map[string]struct{}
	entries int // number of keys that the slots hold
}

// has reports whether the key was added.
func (s *keySet) has(key string) bool {
	_, ok := s.keys[key]
	return ok
}

// addKey adds the key at the offset at. A repeated key is an error.
func (d *decoder) addKey(s *keySet, key string, at int64) error {
	n := len(s.keys)
	if s.keys == nil {
		s.keys, s.entries = make(map[string]struct{}), groupEntries
		d.made += mapBytes + slotsBytes(s.entries)
	}
	if n == s.entries {
		s.entries = growEntries(s.entries)
		d.made += slotsBytes(s.entries) - slotsBytes(n)
	}
	if s.has(key) {
		return d.fail(MalformedJSON, at, msgDuplicate)
	}
	s.keys[key] = struct{}{}
	return d.pay()
}
