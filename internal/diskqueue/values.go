package diskqueue

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
)

// values is a bucket of values by the numbers of batches. Each value begins with its checksum. The sequence of the bucket is the
// sum of the checksums: a missing value is noticed. Errors are bbolt's.
//
// A large value has a bucket of its own, with the key largeKey, and so pages of its own. bbolt writes a whole page again when a
// value on it is added or removed.
type values struct{ *bbolt.Bucket }

const largeValue = pageSize / 2

var largeKey = []byte{0}

// valuesOf returns a bucket of a segment. Values are added in order, so pages may be nearly full.
func valuesOf(tx *bbolt.Tx, name []byte) (values, error) {
	b := tx.Bucket(name)
	if b == nil {
		return values{}, fmt.Errorf("there is no bucket %s", name)
	}
	b.FillPercent = 0.9
	return values{b}, nil
}

func numberKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// at returns the value at a cursor, which has returned k and value. bbolt returns nil for a value with a bucket of its own.
func (v values) at(k, value []byte) []byte {
	if k == nil || value != nil {
		return value
	}
	if own := v.Bucket.Bucket(k); own != nil {
		return own.Get(largeKey)
	}
	return nil
}

// get returns the value of a number, or nil.
func (v values) get(number uint64) []byte {
	k := numberKey(number)
	return v.at(k, v.Get(k))
}

// put adds a value under a number that has none.
func (v values) put(number uint64, value []byte) error {
	err := v.SetSequence(v.Sequence() + binary.BigEndian.Uint64(value))
	k, bucket := numberKey(number), v.Bucket
	if err == nil && len(value) >= largeValue {
		bucket, err = v.CreateBucket(k)
		k = largeKey
	}
	if err == nil {
		err = bucket.Put(k, value)
	}
	return err
}

// edited returns the value of a batch after an edit: nil if the batch is deleted, by this edit or before.
func (v values) edited(e edit) ([]byte, error) {
	value := v.get(e.ref.Number)
	if e.isDelete || value == nil {
		return nil, nil
	}
	r, err := decode(e.ref.Number, value)
	if err != nil {
		return nil, err
	}
	r.Skip = e.skip
	return r.encode(e.ref.Number)
}

// replace removes a value, which must exist, and adds another, unless that is nil.
func (v values) replace(number uint64, other []byte) error {
	value := v.get(number)
	if len(value) < 8 {
		return fmt.Errorf("batch %d is missing", number)
	}
	remove := v.Delete
	if len(value) >= largeValue {
		remove = v.DeleteBucket
	}
	err := v.SetSequence(v.Sequence() - binary.BigEndian.Uint64(value))
	if err == nil {
		err = remove(numberKey(number))
	}
	if err == nil && other != nil {
		err = v.put(number, other)
	}
	return err
}
