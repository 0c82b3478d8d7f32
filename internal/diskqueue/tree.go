package diskqueue

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
)

// tree reads the pages of a segment without bbolt, and trusts no page. bbolt trusts them all: on a page that leads back to itself it
// reads for ever, and on others it panics in a goroutine of its own. In a tree without damage, each page has its own number, and
// one page leads to it. The keys are in order, each value has its checksum, and no value is missing.
//
// The format is that of bbolt's internal/common: page.go, meta.go, bucket.go.
type tree struct {
	file   io.ReaderAt
	size   int64
	pages  uint64          // the pages of the file that were ever used
	seen   map[uint64]bool // the pages that were read; false for a continuation of the page before
	damage error           // the first that was found
}

const (
	pageHeader   = 16 // number, flags, number of elements, number of further pages
	elementSize  = 16
	bucketHeader = 16 // first page, sequence
	branchPage   = 1
	leafPage     = 2
	bucketFlag   = 1
)

// meta is the content of a meta page: the root page of a commit, the number of pages that were ever used, and the number of the
// commit.
type meta struct{ root, pages, commit uint64 }

// readMeta reads page 0 or 1. The page has its checksum at its end.
func readMeta(file io.ReaderAt, page int64) (meta, error) {
	const length = 56
	data := make([]byte, pageHeader+length+8)
	if _, err := file.ReadAt(data, page*pageSize); err != nil {
		return meta{}, fmt.Errorf("reading meta page %d: %w", page, err)
	}
	data = data[pageHeader:]
	sum := fnv.New64a()
	_, _ = sum.Write(data[:length]) // never fails
	if sum.Sum64() != binary.NativeEndian.Uint64(data[length:]) || binary.NativeEndian.Uint32(data[8:]) != pageSize {
		return meta{}, fmt.Errorf("meta page %d is damaged", page)
	}
	u64 := binary.NativeEndian.Uint64
	return meta{root: u64(data[16:]), pages: u64(data[40:]), commit: u64(data[48:])}, nil
}

// metas reads both meta pages, and returns the newest first. bbolt needs one: if the newer is damaged, it uses the commit before.
func (t *tree) metas() (metas []meta) {
	for page := range int64(2) {
		m, err := readMeta(t.file, page)
		if err != nil {
			t.note("%w", err)
			continue
		}
		metas = append(metas, m)
	}
	slices.SortFunc(metas, func(a, b meta) int { return cmp.Compare(b.commit, a.commit) })
	return metas
}

func (t *tree) note(format string, args ...any) {
	if t.damage == nil {
		t.damage = fmt.Errorf(format, args...)
	}
}

// scan calls each with the undamaged values of a commit, which are valid until each returns. The error is the error of each.
func (t *tree) scan(m meta, each func(isBatch bool, number uint64, value []byte) error) error {
	t.pages = m.pages
	if m.pages > uint64(t.size)/pageSize { //nolint:gosec // not negative
		t.note("the file is too short")
	}
	var found []string
	err := t.descend(m.root, nil, nil, func(bucket element) error {
		found = append(found, string(bucket.key))
		if !bucket.isBucket || len(bucket.value) < bucketHeader {
			t.note("a bucket is damaged")
			return nil
		}
		var sum uint64
		err := t.bucket(bucket.value, func(e element) error {
			value, err := t.valueOf(e)
			if err == nil && (len(e.key) != 8 || len(value) < 8) {
				err = errors.New("a key is wrong")
			}
			if err != nil {
				t.note("%w", err)
				return nil
			}
			number := binary.BigEndian.Uint64(e.key)
			if binary.BigEndian.Uint64(value) != checksum(number, value) {
				t.note("batch %d: %w", number, errChecksum)
				return nil
			}
			sum += binary.BigEndian.Uint64(value)
			return each(bytes.Equal(bucket.key, batchesBucket), number, value)
		})
		if sum != binary.NativeEndian.Uint64(bucket.value[8:]) {
			t.note("batches or keys are missing")
		}
		return err
	})
	if len(found) != 2 || found[0] != string(batchesBucket) || found[1] != string(keysBucket) {
		t.note("a bucket is missing")
	}
	return err
}

// valueOf returns the value of an element, also if the value has a bucket of its own.
func (t *tree) valueOf(e element) (value []byte, err error) {
	if !e.isBucket {
		return e.value, nil
	}
	n := 0
	err = t.bucket(e.value, func(inner element) error {
		n++
		value = inner.value
		if inner.isBucket || !bytes.Equal(inner.key, largeKey) {
			return errors.New("a value is damaged")
		}
		return nil
	})
	if err == nil && (n != 1 || binary.NativeEndian.Uint64(e.value[8:]) != 0) {
		err = errors.New("a value is missing")
	}
	return value, err
}

// element is an element of a page: a key, and a value or, in a branch page, the number of a page.
type element struct {
	key, value []byte
	page       uint64
	isBucket   bool
}

// bucket calls leaf with the elements of a bucket. bbolt keeps a small bucket in its parent's page.
func (t *tree) bucket(header []byte, leaf func(element) error) error {
	if len(header) < bucketHeader {
		t.note("a bucket is damaged")
		return nil
	}
	if root := binary.NativeEndian.Uint64(header); root != 0 {
		return t.descend(root, nil, nil, leaf)
	}
	return t.elements(header[bucketHeader:], nil, nil, leaf)
}

// descend calls leaf with the elements below a page, and notes keys outside of low and high. It notes unreadable pages, and goes on.
// The error is the error of leaf.
func (t *tree) descend(page uint64, low, high []byte, leaf func(element) error) error {
	data, err := t.read(page)
	if err != nil {
		t.note("page %d: %w", page, err)
		return nil
	}
	return t.elements(data, low, high, leaf)
}

// read returns a page, once.
func (t *tree) read(page uint64) ([]byte, error) {
	if page < 2 || page >= t.pages {
		return nil, errors.New("it is not in the file")
	}
	first, offset := make([]byte, pageSize), int64(page)*pageSize //nolint:gosec // it is in the file
	if _, err := t.file.ReadAt(first, offset); err != nil {
		return nil, fmt.Errorf("reading it: %w", err)
	}
	further := uint64(binary.NativeEndian.Uint32(first[12:]))
	if binary.NativeEndian.Uint64(first) != page || page+further >= t.pages {
		return nil, errors.New("it is damaged")
	}
	if isRead := t.seen[page]; isRead {
		return nil, errors.New("two pages lead to it")
	}
	for p := page; p <= page+further; p++ {
		if _, isPart := t.seen[p]; isPart {
			t.note("page %d is a part of two others", p)
			continue
		}
		t.seen[p] = false
	}
	t.seen[page] = true
	if further == 0 {
		return first, nil
	}
	data := make([]byte, (1+further)*pageSize)
	if _, err := t.file.ReadAt(data, offset); err != nil {
		return nil, fmt.Errorf("reading it: %w", err)
	}
	return data, nil
}

// elements calls leaf with the elements of a page, or below it. bbolt writes keys and values without a gap.
func (t *tree) elements(page []byte, low, high []byte, leaf func(element) error) (err error) {
	if len(page) < pageHeader {
		t.note("a page is too short")
		return nil
	}
	flags, n := binary.NativeEndian.Uint16(page[8:]), int(binary.NativeEndian.Uint16(page[10:]))
	isBranch := flags == branchPage
	end := pageHeader + n*elementSize // of the keys and values so far
	if !isBranch && flags != leafPage || isBranch && n == 0 || end > len(page) {
		t.note("a page is damaged")
		return nil
	}
	elements := make([]element, 0, n)
	for i := range n {
		e, at := t.element(page, pageHeader+i*elementSize, isBranch)
		if at != end {
			t.note("an element is damaged")
			return nil
		}
		if i > 0 && bytes.Compare(e.key, elements[i-1].key) <= 0 || bytes.Compare(e.key, low) < 0 || high != nil && bytes.Compare(e.key, high) >= 0 {
			t.note("keys are not in order")
		}
		end += len(e.key) + len(e.value)
		elements = append(elements, e)
	}
	for i, e := range elements {
		if !isBranch {
			err = leaf(e)
		} else {
			next := high
			if i+1 < n {
				next = elements[i+1].key
			}
			err = t.descend(e.page, e.key, next, leaf)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// element reads an element; at is the position of its key. If it is not within the page, the element is empty and at is 0.
func (t *tree) element(page []byte, start int, isBranch bool) (e element, at int) {
	u32 := binary.NativeEndian.Uint32
	head := page[start:]
	var position, keySize, valueSize uint32
	if isBranch {
		position, keySize = u32(head), u32(head[4:])
		e.page = binary.NativeEndian.Uint64(head[8:])
	} else {
		e.isBucket = u32(head) == bucketFlag
		position, keySize, valueSize = u32(head[4:]), u32(head[8:]), u32(head[12:])
		if !e.isBucket && u32(head) != 0 {
			return element{}, 0
		}
	}
	keyEnd := int64(position) + int64(keySize)
	if keyEnd+int64(valueSize) > int64(len(head)) {
		return element{}, 0
	}
	e.key, e.value = head[position:keyEnd], head[keyEnd:][:valueSize]
	return e, start + int(position)
}
