package diskqueue

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/batch"
)

// model is the expected content of the queue. Each sender has keys of its own.
type model struct {
	mu      sync.Mutex
	bodies  map[string]bool // stored and not deleted
	known   []map[string]bool
	deleted int
}

func (m *model) locked(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

const modelSenders = 4

func newModel() *model {
	m := &model{bodies: make(map[string]bool)}
	for range modelSenders {
		m.known = append(m.known, make(map[string]bool))
	}
	return m
}

// Random calls from several goroutines, with small segments, reopenings, and a queue that is full now and then.
func TestModel(t *testing.T) {
	lives, appends := unlessShort(5, 3), 150
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			s := settingsIn(t.TempDir())
			s.MaxBytes, s.Dedupe.MaxEntries = 4<<20>>(seed%3), 1<<20
			m := newModel()
			for life := range lives {
				q := open(t, s)
				q.segmentBytes = 256 << 10
				stored, taken := m.live(t, q, seed, life, appends)
				require.NoError(t, q.Close())
				q = open(t, s)
				m.verify(t, q, stored, taken)
				require.NoError(t, q.Close())
			}
			require.Positive(t, m.deleted)
		})
	}
}

// live appends and deletes. It returns how many batches were refused with ErrFull, and how many were taken.
func (m *model) live(t *testing.T, q *Queue, seed uint64, life, appends int) (full, taken int) {
	t.Helper()
	var senders, shipper sync.WaitGroup
	done := make(chan struct{})
	for g := range modelSenders {
		senders.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(life*100+g)))
			for i := range appends {
				isFull, isTaken := m.append(t, q, random, g, fmt.Sprintf("%d/%05d", g, life*appends+i))
				m.locked(func() {
					if isFull {
						full++
					}
					if isTaken {
						taken++
					}
				})
			}
		})
	}
	shipper.Go(func() {
		random := rand.New(rand.NewPCG(seed, uint64(life*100+99)))
		for {
			ref, ok, err := q.Next()
			require.NoError(t, err)
			if !ok {
				select {
				case <-q.Added():
					continue
				case <-done:
					return
				}
			}
			m.ship(t, q, random, ref)
		}
	})
	senders.Wait()
	close(done)
	shipper.Wait()
	return full, taken
}

func (m *model) append(t *testing.T, q *Queue, random *rand.Rand, sender int, id string) (isFull, isTaken bool) {
	t.Helper()
	r := record(id + " ")
	for range random.IntN([]int{10, 300, 3000, 60_000}[random.IntN(4)]) {
		r.Body = append(r.Body, byte(random.Uint32()))
	}
	names := []string{id + "a", id + "b"}
	for name := range m.known[sender] { // in random order
		if len(names) < 3+random.IntN(3) {
			names = append(names, name)
		}
	}
	if random.IntN(4) == 0 {
		names = names[2:] // retries alone
	}
	if random.IntN(4) == 0 && len(names) > 0 {
		names = append(names, names[0]) // twice in a batch
	}
	var keys []batch.Key
	var want []int
	seen, isNew := make(map[string]bool), len(names) == 0
	for i, name := range names {
		keys = append(keys, keyOf(fmt.Sprint(sender, " ", name)))
		if m.known[sender][name] || seen[name] {
			want = append(want, i)
		} else {
			isNew = true
		}
		seen[name] = true
	}
	m.locked(func() { m.bodies[string(r.Body)] = true }) // before Next can return it
	take := random.IntN(5) == 0
	ref, known, err := q.Append(t.Context(), r, keys, take)
	if err != nil || !isNew {
		m.locked(func() { delete(m.bodies, string(r.Body)) })
	}
	if err != nil {
		require.ErrorIs(t, err, ErrFull)
		require.True(t, isNew, "a batch of known messages needs no space")
		return true, false
	}
	require.Equal(t, want, known)
	for _, name := range names {
		m.known[sender][name] = true
	}
	require.LessOrEqual(t, filesIn(t, q), int64(q.settings.MaxBytes))
	require.Equal(t, isNew, ref != Ref{})
	if isNew && take {
		m.ship(t, q, random, ref)
	}
	return false, isNew && take
}

func filesIn(t *testing.T, q *Queue) (bytes int64) {
	t.Helper()
	entries, err := os.ReadDir(q.settings.Path)
	require.NoError(t, err)
	for _, entry := range entries {
		info, err := entry.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		require.NoError(t, err)
		bytes += info.Size()
	}
	return bytes
}

// ship loads a batch, and deletes most.
func (m *model) ship(t *testing.T, q *Queue, random *rand.Rand, ref Ref) {
	t.Helper()
	r, err := q.Load(ref)
	require.NoError(t, err)
	m.locked(func() {
		require.True(t, m.bodies[string(r.Body)], "batch %d was never stored, or was deleted", ref.Number)
		if random.IntN(50) == 0 {
			return
		}
		delete(m.bodies, string(r.Body))
		m.deleted++
		q.Delete(ref)
	})
}

// verify compares the reopened queue with the model.
func (m *model) verify(t *testing.T, q *Queue, full, taken int) {
	t.Helper()
	stats := q.Stats()
	require.Equal(t, len(m.bodies), stats.Batches)
	found := bodies(t, q)
	require.Len(t, found, len(m.bodies))
	var last [modelSenders]string
	for _, body := range found {
		require.True(t, m.bodies[body])
		sender, id := body[0]-'0', body[:7]
		require.Greater(t, id, last[sender], "in order, once")
		last[sender] = id
	}
	n, now := 0, time.Since(q.start)
	for sender, names := range m.known {
		for name := range names {
			require.True(t, q.window.Find(keyOf(fmt.Sprint(sender, " ", name)), now), "%d %s", sender, name)
			n++
		}
	}
	require.Equal(t, n, q.window.Len(now), "nothing else is known")
	t.Logf("%d batches wait, %d segments, %d were full, %d were taken, %d keys", len(found), len(q.segments), full, taken, n)
	require.True(t, slices.IsSortedFunc(q.segments, func(a, b *segment) int { return int(a.first) - int(b.first) }))
}
