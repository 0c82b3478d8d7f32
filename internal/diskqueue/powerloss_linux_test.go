package diskqueue

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/batch"
)

// TestPowerLoss simulates power failures. strace records the writes and syncs of a process, and its reports: which batches are
// stored, and which are deleted. At many moments of the record, the test makes the disk as a power failure may leave it: a page
// that was not synced may have any of its versions. The queue must have each batch that was reported stored, and none that was
// reported deleted.
//
// The simulation has no disk that reports a sync before it is done, and no defects of a file system.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	appends, moments := unlessShort(150, 60), unlessShort(250, 40)
	root := t.TempDir()
	record := filepath.Join(root, "record")
	report, err := os.Create(filepath.Join(root, "report"))
	require.NoError(t, err)
	defer func() { require.NoError(t, report.Close()) }()
	cmd := childCommand(t, "writer", []string{
		strace, "-f", "--seccomp-bpf", "-y", "-xx", "-s", "100000000", "-o", record, "-e",
		"trace=openat,pwrite64,write,ftruncate,fallocate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat",
	}, filepath.Join(root, "data", "queue"), strconv.Itoa(appends))
	cmd.ExtraFiles = []*os.File{report}
	if err := cmd.Run(); err != nil {
		t.Skipf("strace cannot run a process here: %v", err)
	}
	events := readRecord(t, record, root)
	require.Greater(t, len(events), 20*appends/10)
	random := rand.New(rand.NewPCG(uint64(appends), 3))
	at := make(map[int]bool)
	for range moments {
		at[random.IntN(len(events))] = true
	}
	at[len(events)-1] = true
	for i, e := range events {
		if strings.HasPrefix(e.call, "rename") || strings.HasPrefix(e.call, "unlink") {
			at[min(i+random.IntN(8), len(events)-1)] = true
		}
	}
	d := newDisk(root)
	var seen reported
	for i, e := range events {
		d.apply(i, e)
		seen.add(e.line)
		if at[i] {
			after := t.TempDir()
			d.crash(t, random, after)
			seen.verify(t, filepath.Join(after, "data", "queue"), i)
			require.NoError(t, os.RemoveAll(after))
		}
	}
	require.Len(t, seen.stored, 3*appends, "the record is complete")
	t.Logf("%d events, %d power failures", len(events), len(at))
}

// TestFailingSystemCalls lets strace fail some calls of a process that appends and deletes. Each batch that was reported stored is in
// the queue, and the messages of a failed batch are not known.
func TestFailingSystemCalls(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	for _, fault := range []string{
		"fdatasync:error=EIO:when=9+17", "pwrite64:error=EIO:when=25+61", "pwrite64:error=ENOSPC:when=30+41",
		"fallocate:error=ENOSPC:when=1..4", "fsync:error=EIO:when=3..6", "renameat:error=EIO:when=1+2",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			report, err := os.Create(filepath.Join(root, "report"))
			require.NoError(t, err)
			defer func() { require.NoError(t, report.Close()) }()
			call, _, _ := strings.Cut(fault, ":")
			cmd := childCommand(t, "writer", []string{strace, "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=" + call, "-e", "inject=" + fault},
				filepath.Join(root, "queue"), "60")
			cmd.ExtraFiles = []*os.File{report}
			if err := exec.CommandContext(t.Context(), strace, "-o", "/dev/null", "true").Run(); err != nil {
				t.Skipf("strace cannot run a process here: %v", err)
			}
			require.NoError(t, cmd.Run())
			lines, err := os.ReadFile(report.Name())
			require.NoError(t, err)
			var seen reported
			for line := range strings.Lines(string(lines)) {
				seen.add(line)
			}
			require.Len(t, seen.stored, 180)
			require.Positive(t, seen.failed)
			t.Logf("%d failed", seen.failed)
			seen.verify(t, filepath.Join(root, "queue"), 0)
		})
	}
}

// writer appends, loads and deletes, and reports each step on file descriptor 3. It opens the queue twice.
func writer(args []string) {
	reports := os.NewFile(3, "report")
	report := func(step string, id int) {
		_, err := fmt.Fprintf(reports, "%s %d\n", step, id)
		check(err)
	}
	n, err := strconv.Atoi(args[1])
	check(err)
	for life := range 2 {
		q, err := Open(powerLossSettings(args[0]))
		for range 10 {
			if err != nil {
				q, err = Open(powerLossSettings(args[0]))
			}
		}
		check(err)
		q.segmentBytes = 96 << 10
		ctx, cancel := context.WithCancel(context.Background())
		var senders, shipper sync.WaitGroup
		for g := range 3 {
			senders.Go(func() {
				for i := range n / 2 {
					id := g*100_000 + life*n/2 + i
					for {
						_, known, err := q.Append(context.Background(), powerLossRecord(id), powerLossKeys(id), false)
						if len(known) > 0 {
							panic("a message is known without being stored")
						}
						if err == nil {
							break
						}
						report("failed", id)
					}
					report("stored", id)
				}
			})
		}
		shipper.Go(func() {
			var loaded []Ref
			var ids []int
			for i := 0; ; i++ {
				ref, ok, err := q.Next()
				check(err)
				if !ok {
					select {
					case <-q.Added():
						continue
					case <-ctx.Done():
						return
					}
				}
				r, err := q.Load(ref)
				check(err)
				loaded, ids = append(loaded, ref), append(ids, idOf(r))
				if len(loaded) > 15 {
					if i%200 != 99 { // most segments are removed
						report("deleting", ids[0])
						q.Delete(loaded[0])
					}
					loaded, ids = loaded[1:], ids[1:]
				}
			}
		})
		senders.Wait()
		cancel()
		shipper.Wait()
		check(q.Close())
		report("closed", 0)
	}
}

func powerLossSettings(dir string) Settings {
	s := settingsIn(dir)
	s.Dedupe.MaxEntries = 100_000
	return s
}

// powerLossRecord is the batch of an id. Its size and bytes follow from that.
func powerLossRecord(id int) Record {
	random := rand.New(rand.NewPCG(uint64(id), 1))
	r := record("")
	r.Body = fmt.Appendf(nil, "%d ", id)
	size := []int{10, 200, 1500, 5000, 20_000}[random.IntN(5)]
	for range random.IntN(size) {
		r.Body = append(r.Body, byte(random.Uint32()))
	}
	return r
}

func powerLossKeys(id int) []batch.Key { return []batch.Key{keyOf(fmt.Sprint("key ", id))} }

func idOf(r Record) int {
	text, _, _ := strings.Cut(string(r.Body), " ")
	id, err := strconv.Atoi(text)
	check(err)
	return id
}

// reported are the batches that the process has reported.
type reported struct {
	stored            []int
	failed            int
	deleting, deleted map[int]bool
}

func (s *reported) add(line string) {
	step, number, _ := strings.Cut(strings.TrimSpace(line), " ")
	id, _ := strconv.Atoi(number)
	switch step {
	case "stored":
		s.stored = append(s.stored, id)
	case "failed":
		s.failed++
	case "deleting":
		if s.deleting == nil {
			s.deleting, s.deleted = make(map[int]bool), make(map[int]bool)
		}
		s.deleting[id] = true
	case "closed":
		for id := range s.deleting {
			s.deleted[id] = true
		}
	}
}

// verify opens the queue. After failed commits it may have a batch that was not reported stored, the same batch twice, or a deleted
// batch.
func (s *reported) verify(t *testing.T, dir string, moment int) {
	t.Helper()
	q, err := Open(powerLossSettings(dir))
	require.NoError(t, err, "event %d", moment)
	found := make(map[int]bool)
	last := [3]int{-1, -1, -1}
	refs := drain(t, q)
	for _, ref := range refs {
		r, err := q.Load(ref)
		require.NoError(t, err)
		id := idOf(r)
		require.Equal(t, powerLossRecord(id).Body, r.Body)
		if s.failed == 0 {
			require.False(t, found[id], "event %d: batch %d is stored twice", moment, id)
			require.False(t, s.deleted[id], "event %d: batch %d was deleted", moment, id)
			require.Greater(t, id, last[id/100_000], "the order")
		}
		last[id/100_000] = id
		found[id] = true
	}
	now := time.Since(q.start)
	for _, id := range s.stored {
		require.True(t, found[id] || s.deleting[id], "event %d: batch %d is lost", moment, id)
		require.True(t, q.window.Find(powerLossKeys(id)[0], now), "event %d: the keys of batch %d are lost", moment, id)
	}
	if s.failed == 0 {
		require.Equal(t, len(found), q.Stats().Batches)
	}
	n := 0
	for _, ref := range refs {
		if ref.segment != refs[len(refs)-1].segment { // removes segments, also segments that a power failure brought back
			q.Delete(ref)
			n++
		}
	}
	_, _, err = q.Append(t.Context(), record("-1 "), nil, false)
	require.NoError(t, err)
	require.NoError(t, q.Close())
	q, err = Open(powerLossSettings(dir))
	require.NoError(t, err)
	require.Equal(t, len(refs)-n+1, q.Stats().Batches)
	for _, id := range s.stored {
		require.True(t, q.window.Find(powerLossKeys(id)[0], time.Since(q.start)))
	}
	require.NoError(t, q.Close())
}
