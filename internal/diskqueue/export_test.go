package diskqueue

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/txn2/rtbeat/internal/batch"
)

// filled are the bodies of a queue by their numbers: stored, deleted by the last commit, and deleted before.
type filled struct{ stored, deletedLast, deleted map[uint64]string }

// fillSome stores batches of many sizes in a new queue, deletes some, and closes it.
func fillSome(t *testing.T, dir string, n int) filled {
	t.Helper()
	q := open(t, settingsIn(dir))
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		body := fmt.Sprintf("%d %s", i, strings.Repeat(fmt.Sprint(i, " "), random.IntN(1500)))
		_, _, err := q.Append(t.Context(), record(body), []batch.Key{keyOf(fmt.Sprint(i))}, false)
		require.NoError(t, err)
	}
	f := filled{make(map[uint64]string), make(map[uint64]string), make(map[uint64]string)}
	var last Ref
	for i, ref := range drain(t, q) {
		r, err := q.Load(ref)
		require.NoError(t, err)
		switch {
		case i == 10:
			f.deletedLast[ref.Number] = string(r.Body)
			last = ref
		case i%4 == 1:
			f.deleted[ref.Number] = string(r.Body)
			q.Delete(ref)
		default:
			f.stored[ref.Number] = string(r.Body)
		}
	}
	require.Eventually(t, func() bool { return q.Stats().Batches == n-len(f.deleted) }, 10*time.Second, time.Millisecond)
	q.Delete(last)
	require.NoError(t, q.Close())
	return f
}

// requireSound compares the batches that were read from a damaged file, and returns how many are lost.
func (f filled) requireSound(t *testing.T, found map[uint64]string) (lost int) {
	t.Helper()
	for number, body := range found {
		want, ok := f.stored[number]
		if !ok {
			want, ok = f.deletedLast[number]
		}
		require.True(t, ok && body == want, "batch %d was never stored so", number)
	}
	for number := range f.stored {
		if _, ok := found[number]; !ok {
			lost++
		}
	}
	return lost
}

// requireOpenedOrRefused opens the queue. If Open succeeds, every batch is in it.
func (f filled) requireOpenedOrRefused(t *testing.T, dir string, lost int) {
	t.Helper()
	q, err := Open(settingsIn(dir))
	if err != nil {
		require.ErrorAs(t, err, new(*DamagedError))
		return
	}
	require.Zero(t, lost)
	refs := drain(t, q)
	require.Len(t, refs, len(f.stored))
	for _, ref := range refs {
		r, err := q.Load(ref)
		require.NoError(t, err)
		require.Equal(t, f.stored[ref.Number], string(r.Body))
	}
	require.NoError(t, q.Close())
}

func readAll(t *testing.T, dir string) (found map[uint64]string, files Files) {
	t.Helper()
	found = make(map[uint64]string)
	files, err := Read(dir, func(s ExportedBatch) error {
		require.NotContains(t, found, s.Number, "handed over twice")
		found[s.Number] = string(s.Body)
		return nil
	})
	require.NoError(t, err)
	return found, files
}

func onlyFile(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.db"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	return files[0]
}

func TestReadReturnsTheStoredBatches(t *testing.T) {
	dir := t.TempDir()
	left := fillSome(t, dir, 200)
	numbers := []uint64{}
	var size int64
	files, err := Read(dir, func(s ExportedBatch) error {
		require.Equal(t, left.stored[s.Number], string(s.Body))
		require.Equal(t, "192.0.2.1", s.Origin.ClientIP)
		numbers = append(numbers, s.Number)
		size += s.Bytes
		return nil
	})
	require.NoError(t, err)
	require.Len(t, numbers, len(left.stored))
	require.True(t, slices.IsSorted(numbers))
	require.Empty(t, files.Damaged)

	q := open(t, settingsIn(dir))
	stats := q.Stats()
	require.Len(t, numbers, stats.Batches)
	require.Equal(t, stats.Bytes, size)
	require.Equal(t, stats.Files, files.Bytes)
	_, err = Read(dir, func(ExportedBatch) error { return nil })
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, q.Close())

	stop := errors.New("stop")
	_, err = Read(dir, func(ExportedBatch) error { return stop })
	require.ErrorIs(t, err, stop)
}

func TestReadOfOneBatchAndOfNone(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, open(t, settingsIn(dir)).Close())
	found, files := readAll(t, dir)
	require.Empty(t, found)
	require.Zero(t, files.Count)

	q := open(t, settingsIn(dir))
	_, _, err := q.Append(t.Context(), record("{}"), []batch.Key{keyOf("a")}, false) // so small a bucket has no page of its own
	require.NoError(t, err)
	require.NoError(t, q.Close())
	found, files = readAll(t, dir)
	require.Equal(t, map[uint64]string{2: "{}"}, found)
	require.Empty(t, files.Damaged)

	_, err = Read(filepath.Join(dir, "absent"), func(ExportedBatch) error { return nil })
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A copy of a queue is read without the right to write, with the file of the lock or without it.
func TestReadNeedsNoRightToWrite(t *testing.T) {
	dir := t.TempDir()
	left := fillSome(t, dir, 20)
	before, err := os.ReadFile(onlyFile(t, dir))
	require.NoError(t, err)
	require.NoError(t, os.Chmod(onlyFile(t, dir), 0o400))
	for _, removeLock := range []bool{false, true} {
		if removeLock {
			require.NoError(t, os.Remove(filepath.Join(dir, lockName)))
		}
		require.NoError(t, os.Chmod(dir, 0o500))
		found, files := readAll(t, dir)
		require.Equal(t, left.stored, found)
		require.Empty(t, files.Damaged)
		require.NoError(t, os.Chmod(dir, 0o700))
	}
	require.NoFileExists(t, filepath.Join(dir, lockName))
	after, err := os.ReadFile(onlyFile(t, dir))
	require.NoError(t, err)
	require.True(t, bytes.Equal(before, after))
}

// pageInfo is the kind of a page, and how many elements it has.
type pageInfo struct {
	Type  string
	Count int
}

// pagesOf returns the kind of each page, or of the page that it continues, as bbolt reports it.
func pagesOf(t *testing.T, path string) (pages []pageInfo) {
	t.Helper()
	o := options()
	o.ReadOnly = true
	o.PreLoadFreelist = true // else bbolt reports free pages by their old content
	db, err := bbolt.Open(path, fileMode, o)
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		for id := 0; ; {
			info, err := tx.Page(id)
			if info == nil || err != nil {
				return err
			}
			length := 1
			if info.Type != "free" { // else it is the old content of the page
				length += info.OverflowCount
			}
			for range length {
				pages = append(pages, pageInfo{info.Type, info.Count})
				id++
			}
		}
	}))
	return pages
}

// With any wrong byte, Read returns only batches as they were stored. It loses only batches of the page, or below it.
func TestReadOfAFileWithAWrongByte(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	left := fillSome(t, dir, 250)
	path := onlyFile(t, dir)
	pages := pagesOf(t, path)
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer file.Close()
	random := rand.New(rand.NewPCG(3, 4))
	lostOf := map[string]int{}
	for i := range unlessShort(600, 120) {
		page := i % len(pages)
		within := random.IntN(pageSize)
		if i%2 == 0 {
			within = random.IntN(128) // in the header of the page and its elements
		}
		offset := int64(page)*pageSize + int64(within)
		var was, is [1]byte
		_, err := file.ReadAt(was[:], offset)
		require.NoError(t, err)
		is[0] = was[0] ^ byte(1+random.IntN(255))
		_, err = file.WriteAt(is[:], offset)
		require.NoError(t, err)

		found, files := readAll(t, dir)
		lost := left.requireSound(t, found)
		info := pages[page]
		require.Equal(t, lost > 0, lost > 0 && len(files.Damaged) > 0, "%d batches are lost without an error, byte %d", lost, offset)
		switch info.Type {
		case "free":
			require.Zero(t, lost)
			require.Empty(t, files.Damaged)
		case "leaf":
			require.LessOrEqual(t, lost, info.Count, "byte %d of a leaf", within)
		case "meta":
			require.LessOrEqual(t, lost, 1, "byte %d of a meta page", within)
		}
		lostOf[info.Type] += lost
		if info.Type != "free" || i%16 == 0 {
			left.requireOpenedOrRefused(t, dir, lost)
		}

		_, err = file.WriteAt(was[:], offset)
		require.NoError(t, err)
	}
	require.Positive(t, lostOf["leaf"])
	t.Log("lost by the kind of the page:", lostOf)
	found, files := readAll(t, dir)
	require.Equal(t, left.stored, found)
	require.Empty(t, files.Damaged)
}

func TestReadOfAFileThatIsCutShort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	left := fillSome(t, dir, 250)
	path := onlyFile(t, dir)
	info, err := os.Stat(path)
	require.NoError(t, err)
	wasLost := 0
	for size := info.Size() / int64(unlessShort(1, 4)); size > 0; size -= info.Size()/100 + 13 {
		require.NoError(t, os.Truncate(path, size))
		found, files := readAll(t, dir)
		lost := left.requireSound(t, found)
		require.GreaterOrEqual(t, lost, wasLost)
		wasLost = lost
		if lost > 0 {
			require.Len(t, files.Damaged, 1)
		}
		left.requireOpenedOrRefused(t, dir, lost)
	}
	require.Positive(t, wasLost)
	require.NoError(t, os.Truncate(path, 0))
	found, files := readAll(t, dir)
	require.Empty(t, found)
	require.Len(t, files.Damaged, 1)
}

// Without the root page of the last commit, the commit before leads to the batches, also to batches that the last commit deleted.
func TestReadOfAFileWithoutItsRoot(t *testing.T) {
	dir := t.TempDir()
	left := fillSome(t, dir, 250)
	file, err := os.OpenFile(onlyFile(t, dir), os.O_RDWR, 0)
	require.NoError(t, err)
	defer file.Close()
	pages := tree{file: file}
	metas := pages.metas()
	require.Len(t, metas, 2)
	_, err = file.WriteAt(make([]byte, pageSize), int64(metas[0].root)*pageSize)
	require.NoError(t, err)
	found, files := readAll(t, dir)
	require.Zero(t, left.requireSound(t, found))
	require.Len(t, found, len(left.stored)+len(left.deletedLast))
	require.Len(t, files.Damaged, 1)
}

// Pages that lead back to themselves do not make Read or Open read for ever.
func TestPagesThatLeadBackToThemselves(t *testing.T) {
	dir := t.TempDir()
	left := fillSome(t, dir, 250)
	path := onlyFile(t, dir)
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer file.Close()
	branches := 0
	for id, info := range pagesOf(t, path) {
		if info.Type != "branch" {
			continue
		}
		branches++
		for i := range info.Count {
			back := binary.NativeEndian.AppendUint64(nil, uint64(id))
			_, err = file.WriteAt(back, int64(id)*pageSize+pageHeader+int64(i)*elementSize+8)
			require.NoError(t, err)
		}
	}
	require.Positive(t, branches)
	found, files := readAll(t, dir)
	left.requireSound(t, found)
	require.Len(t, files.Damaged, 1)

	_, err = Open(settingsIn(dir))
	require.ErrorAs(t, err, new(*DamagedError))
}

func TestAppendLine(t *testing.T) {
	r := record("{\"u\": \"a\\nb\" }\r\n\n {\"n\":1.50}\n{}\n")
	r.Lines, r.Skip = true, []int{2}
	r.Origin.Received, r.Origin.Headers = time.Unix(0, 0).UTC(), map[string]string{"a": "\n"}
	line, n, err := (&ExportedBatch{Number: 17, Record: r}).AppendLine([]byte("before:"))
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, `before:{"uuid":{"batch":17,"source":"in","received":"1970-01-01T00:00:00Z","client_ip":"192.0.2.1","headers":{"a":"\n"}},"size":2,`+
		`"messages":[{"u": "a\nb" },{"n":1.50}]}`+"\n", string(line))
	posted, err := batch.Decode(bytes.TrimPrefix(line, []byte("before:")), batch.Options{})
	require.NoError(t, err)
	require.Len(t, posted.Messages, 2, "it is a batch")

	r = record("{\"messages\":[{\n\"a\":\r\n1}]}")
	r.Origin.ClientIP, r.Origin.Source = "", "github"
	line, _, err = (&ExportedBatch{Record: r}).AppendLine(nil)
	require.NoError(t, err)
	require.Contains(t, string(line), `"messages":[{ "a":  1}]}`)
	require.NotContains(t, string(line), "client_ip")
	require.Regexp(t, `^{"uuid":{"batch":[0-9]*,"source":"github",`, string(line), "as docs/durable.md has it")
	_, _, err = (&ExportedBatch{Record: record("no JSON")}).AppendLine(nil)
	require.Error(t, err)
}
