package diskqueue

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/txn2/rtbeat/internal/batch"
)

// smallQueue is a queue of a few small segments, with branch pages, large batches, and pages that have become free.
func smallQueue(t testing.TB, dir string) {
	t.Helper()
	q := open(t, settingsIn(dir))
	q.segmentBytes = 256 << 10
	for i := range 300 {
		size := []int{10, 300, 1000, 3000, 9000}[i%5]
		keys := []batch.Key{keyOf(fmt.Sprint(i)), keyOf(fmt.Sprint(i, "b"))}
		_, _, err := q.Append(t.Context(), record(fmt.Sprint(i, strings.Repeat("x", size))), keys, false)
		require.NoError(t, err)
	}
	for i, ref := range drain(t, q) {
		if i%3 == 0 {
			q.Delete(ref)
		}
	}
	require.NoError(t, q.Close())
}

func segmentFiles(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"+extension))
	require.NoError(t, err)
	return files
}

// contents is a checksum of the content of a segment, as verify reads it; damage is the damage that it finds.
func contents(data []byte) (sum uint64, damage error) {
	var d xxhash.Digest
	t, damage := count(bytes.NewReader(data), int64(len(data)), func(keys []byte) { _, _ = d.Write(keys) })
	_, _ = fmt.Fprint(&d, t.batches, t.bytes, t.keys, t.last)
	return d.Sum64(), damage
}

// Each byte that is read is checked: a file with a wrong byte is damaged, or has the same content.
func TestAWrongByteIsDamageOrChangesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	smallQueue(t, dir)
	files := segmentFiles(t, dir)
	require.Greater(t, len(files), 2)
	every := unlessShort(1, 7)
	for _, path := range []string{files[0], files[len(files)-1]} {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		want, damage := contents(data)
		require.NoError(t, damage)
		damaged := 0
		for at := range data {
			if at%pageSize > 256 && at%17 != 0 || at%every != 0 { // the first bytes of a page refer to others
				continue
			}
			was := data[at]
			data[at] ^= byte(1 << rand.IntN(8))
			got, damage := contents(data)
			if damage == nil {
				require.Equal(t, want, got, "byte %d", at)
			} else {
				damaged++
			}
			data[at] = was
		}
		require.Greater(t, damaged, 1000/every)
	}
}

// A wrong page number leads to a page that is not in use, or back.
func TestAWrongPageNumberIsDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	smallQueue(t, dir)
	data, err := os.ReadFile(segmentFiles(t, dir)[0])
	require.NoError(t, err)
	pages := uint64(len(data) / pageSize)
	wrong := 0
	for at := 2 * pageSize; at < len(data); at += 8 {
		if at%pageSize > 256 {
			continue
		}
		was := binary.NativeEndian.Uint64(data[at:])
		if was < 2 || was >= pages {
			continue
		}
		want, damage := contents(data)
		require.NoError(t, damage)
		for other := range pages {
			binary.NativeEndian.PutUint64(data[at:], other)
			if got, damage := contents(data); damage == nil {
				require.Equal(t, want, got)
			} else {
				wrong++
			}
		}
		binary.NativeEndian.PutUint64(data[at:], was)
	}
	require.Greater(t, wrong, 100)
}

// A key in a branch page has no checksum. With a wrong key, bbolt does not find the values below the page.
func TestAWrongKeyOfABranchIsDamage(t *testing.T) {
	dir := t.TempDir()
	smallQueue(t, dir)
	path := segmentFiles(t, dir)[0]
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	damaged := 0
	for page := 2 * pageSize; page < len(data); page += pageSize {
		if binary.NativeEndian.Uint16(data[page+8:]) != branchPage || data[page+pageHeader+elementSize] == 0 {
			continue // a leaf, or a page that was never used
		}
		for i := range int(binary.NativeEndian.Uint16(data[page+10:])) {
			e := page + pageHeader + i*elementSize
			key := data[e+int(binary.NativeEndian.Uint32(data[e:])):][:8]
			was := bytes.Clone(key)
			for _, other := range []uint64{0, 1, 1 << 40} {
				binary.BigEndian.PutUint64(key, other)
				if _, damage := contents(data); damage != nil {
					damaged++
				} else {
					require.NoError(t, os.WriteFile(path, data, 0o600))
					requireFound(t, path)
				}
			}
			copy(key, was)
		}
	}
	require.Positive(t, damaged)
}

// requireFound looks for each key of a segment.
func requireFound(t *testing.T, path string) {
	t.Helper()
	o := options()
	o.ReadOnly = true
	db, err := bbolt.Open(path, 0o600, o)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(k, _ []byte) error {
				found, _ := b.Cursor().Seek(k)
				require.Equal(t, k, found)
				return nil
			})
		})
	}))
}

// openDamaged opens a queue with a file that may be damaged. If Open succeeds, every batch is read and deleted.
func openDamaged(t *testing.T, dir string, want []string) (isDamaged bool) {
	t.Helper()
	q, err := Open(settingsIn(dir))
	if err != nil {
		damage := new(DamagedError)
		require.ErrorAs(t, err, &damage)
		require.FileExists(t, damage.Path)
		return true
	}
	require.Equal(t, want, bodies(t, q))
	_, _, err = q.Append(t.Context(), record("new"), nil, false)
	require.NoError(t, err)
	for _, ref := range drain(t, q) {
		q.Delete(ref)
	}
	require.NoError(t, q.Close())
	return false
}

// bodies returns the bodies of all batches that Next returns, in order.
func bodies(t testing.TB, q *Queue) (found []string) {
	t.Helper()
	for _, ref := range drain(t, q) {
		r, err := q.Load(ref)
		require.NoError(t, err)
		found = append(found, string(r.Body))
	}
	return found
}

func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	require.NoError(t, os.CopyFS(to, os.DirFS(from)))
	return to
}

func TestOpenOfADamagedQueue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	smallQueue(t, dir)
	q := open(t, settingsIn(dir))
	want := bodies(t, q)
	require.NoError(t, q.Close())
	require.Len(t, want, 200)
	files := segmentFiles(t, dir)
	n := unlessShort(150, 30)
	damaged := 0
	note := func(isDamaged bool) {
		if isDamaged {
			damaged++
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range n {
		broken := copyDir(t, dir)
		path := filepath.Join(broken, filepath.Base(files[random.IntN(len(files))]))
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		info, err := file.Stat()
		require.NoError(t, err)
		at := random.Int64N(info.Size())
		if random.IntN(4) == 0 {
			require.NoError(t, file.Truncate(at))
		} else {
			at -= at % pageSize / 64 * 64 // often among the first bytes of a page
			b := make([]byte, 1)
			_, err = file.ReadAt(b, at)
			require.NoError(t, err)
			b[0] ^= byte(1 + random.IntN(255))
			_, err = file.WriteAt(b, at)
			require.NoError(t, err)
		}
		require.NoError(t, file.Close())
		note(openDamaged(t, broken, want))
	}
	require.Greater(t, damaged, n/4)
	require.Less(t, damaged, n)
}

func TestOpenOfFilesThatAreNoSegments(t *testing.T) {
	broken := map[string]func(path string){
		"empty":    func(path string) { require.NoError(t, os.Truncate(path, 0)) },
		"one page": func(path string) { require.NoError(t, os.Truncate(path, pageSize)) },
		"zeros":    func(path string) { require.NoError(t, os.WriteFile(path, make([]byte, 1<<20), 0o600)) },
		"another program": func(path string) {
			require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte("text\n"), 5000), 0o600))
		},
		"directory": func(path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Mkdir(path, 0o700))
		},
		"another bucket": func(path string) {
			require.NoError(t, os.Remove(path))
			db, err := bbolt.Open(path, 0o600, options())
			require.NoError(t, err)
			require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
				_, err := tx.CreateBucket([]byte("another"))
				return err
			}))
			require.NoError(t, db.Close())
		},
		"a bucket is missing": func(path string) {
			db, err := bbolt.Open(path, 0o600, options())
			require.NoError(t, err)
			require.NoError(t, db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket(keysBucket) }))
			require.NoError(t, db.Close())
		},
		"a batch is missing": func(path string) {
			db, err := bbolt.Open(path, 0o600, options())
			require.NoError(t, err)
			require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
				b := tx.Bucket(batchesBucket)
				k, _ := b.Cursor().First()
				return b.Delete(k)
			}))
			require.NoError(t, db.Close())
		},
	}
	for name, breakIt := range broken {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			q := open(t, settingsIn(dir))
			_, _, err := q.Append(t.Context(), record("x"), []batch.Key{keyOf("x")}, false)
			require.NoError(t, err)
			require.NoError(t, q.Close())
			path := segmentFiles(t, dir)[0]
			breakIt(path)
			was, _ := os.ReadFile(path) // a directory has nothing to read
			_, err = Open(settingsIn(dir))
			damage := new(DamagedError)
			require.ErrorAs(t, err, &damage)
			require.Equal(t, path, damage.Path)
			is, _ := os.ReadFile(path)
			require.True(t, bytes.Equal(was, is), "the file was changed")
			_, err = Open(settingsIn(dir))
			require.ErrorAs(t, err, &damage, "the directory is still locked")
		})
	}
}

func TestOpenOfAFileThatCannotBeReadIsNotDamage(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read every file")
	}
	dir := t.TempDir()
	smallQueue(t, dir)
	require.NoError(t, os.Chmod(segmentFiles(t, dir)[0], 0))
	_, err := Open(settingsIn(dir))
	require.ErrorIs(t, err, os.ErrPermission)
	require.NotErrorAs(t, err, new(*DamagedError))
}

// A file that is damaged while the queue is open is an error of Load. The other segments are not affected.
func TestDamageWhileTheQueueIsOpen(t *testing.T) {
	dir := t.TempDir()
	smallQueue(t, dir)
	q := open(t, settingsIn(dir))
	defer func() { require.NoError(t, q.Close()) }()
	refs := drain(t, q)
	path := refs[0].segment.path
	require.NoError(t, os.Truncate(path, 2*pageSize))
	_, err := q.Load(refs[0])
	damage := new(DamagedError)
	require.ErrorAs(t, err, &damage)
	require.Equal(t, path, damage.Path)
	last := refs[len(refs)-1]
	require.NotEqual(t, path, last.segment.path)
	_, err = q.Load(last)
	require.NoError(t, err)
	_, _, err = q.Append(t.Context(), record("new"), nil, false)
	require.NoError(t, err)
}

// A message is stored again when its only copy may be in a damaged file. Otherwise its sender would be answered 200 for nothing.
func TestNothingIsKnownAfterDamage(t *testing.T) {
	t.Parallel()
	for name, find := range map[string]func(*testing.T, *Queue, Ref){
		"Load": func(t *testing.T, q *Queue, first Ref) {
			t.Helper()
			_, err := q.Load(first)
			require.ErrorAs(t, err, new(*DamagedError))
		},
		"Next": func(t *testing.T, q *Queue, first Ref) {
			t.Helper()
			requirePassed(t, q, first.segment.path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			smallQueue(t, dir)
			q := open(t, settingsIn(dir))
			defer func() { require.NoError(t, q.Close()) }()
			first, ok, err := q.Next()
			require.NoError(t, err)
			require.True(t, ok)
			again := func() (Ref, []int) {
				ref, known, err := q.Append(t.Context(), record("again"), []batch.Key{keyOf("1"), keyOf("new")}, false)
				require.NoError(t, err)
				return ref, known
			}
			before, known := again()
			require.Equal(t, []int{0}, known, "before the damage")

			require.NoError(t, os.Truncate(first.segment.path, 2*pageSize))
			find(t, q, first)
			after, known := again()
			require.Empty(t, known)
			require.Greater(t, after.Number, before.Number, "it is stored")
			r, err := q.Load(before)
			require.NoError(t, err)
			require.Equal(t, []int{0}, r.Skip, "an attempt publishes nothing that was delivered")
			_, trouble := q.Trouble()
			require.ErrorAs(t, trouble, new(*DamagedError))
		})
	}
}

// An open file that is cut blocks no call, and Next returns the batches behind it.
func TestAnOpenFileThatIsCutBlocksNothing(t *testing.T) {
	dir := t.TempDir()
	smallQueue(t, dir)
	q := open(t, settingsIn(dir))
	first, ok, err := q.Next()
	require.NoError(t, err)
	require.True(t, ok)
	path := first.segment.path
	require.NoError(t, os.Truncate(path, 0))
	requirePassed(t, q, path)
	q.Delete(first)
	_, _, err = q.Append(t.Context(), record("new"), nil, false)
	require.NoError(t, err)
	refs := drain(t, q)
	require.NotEmpty(t, refs)
	r, err := q.Load(refs[len(refs)-1])
	require.NoError(t, err)
	require.Equal(t, "new", string(r.Body))
	q.Stats()
	require.NoError(t, q.Close())
	_, err = Open(settingsIn(dir))
	require.ErrorAs(t, err, new(*DamagedError), "the next start refuses it")
}

// A closed file that is cut does not end the process, as it would in bbolt.
func TestAClosedFileThatIsCutIsPassedOver(t *testing.T) {
	dir := t.TempDir()
	smallQueue(t, dir)
	files, err := filepath.Glob(filepath.Join(dir, "*"+extension))
	require.NoError(t, err)
	require.Greater(t, len(files), 1)
	q := open(t, settingsIn(dir))
	require.NoError(t, os.Truncate(files[0], 5*pageSize))
	requirePassed(t, q, files[0])
	require.NotEmpty(t, drain(t, q))
	require.NoError(t, q.Close())
}

// requirePassed calls Next until it returns the file as damaged.
func requirePassed(t *testing.T, q *Queue, path string) {
	t.Helper()
	for {
		ref, ok, err := q.Next()
		if err == nil {
			require.True(t, ok, "there is no batch behind the file")
			continue
		}
		damage := new(DamagedError)
		require.ErrorAs(t, err, &damage)
		require.Equal(t, path, damage.Path)
		require.True(t, ok)
		require.NotEqual(t, path, ref.segment.path)
		_, trouble := q.Trouble()
		require.ErrorAs(t, trouble, &damage)
		return
	}
}
