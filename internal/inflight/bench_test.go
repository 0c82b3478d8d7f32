package inflight_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/dedupe"
	"github.com/txn2/rtbeat/internal/inflight"
)

// BenchmarkRegistry takes batches of 500 messages of 370 bytes through the registry. Each message is new, and the dedupe window is at
// its limit.
func BenchmarkRegistry(b *testing.B) {
	const n, length = 500, 370
	for name, keys := range map[string]inflight.Settings{
		"dedupe=false": {}, "dedupe=true": {Dedupe: dedupe.Settings{Enabled: true}, DocumentID: inflight.ContentID}, "keys=true": {DocumentID: inflight.ContentID},
	} {
		keys.Dedupe.Window, keys.Dedupe.MaxEntries = time.Hour, 1<<18
		b.Run(name, func(b *testing.B) {
			registry := inflight.NewRegistry(keys)
			admission := inflight.NewAdmission(1 << 30)
			acks := make([]any, 0, n)
			id := uint64(0)
			pass := func() {
				messages := make([]batch.Message, n)
				for i := range messages {
					id++
					messages[i] = batch.Message{Weight: length}
					binary.BigEndian.PutUint64(messages[i].Key[:], id)
				}
				reservation, _ := admission.Open(n * length)
				_ = reservation.Grow(n * length)
				token, err := registry.Claim(messages, inflight.Origin{}, reservation)
				if err != nil {
					b.Fatal(err)
				}
				token.Publish()
				taken := registry.Take()
				acks = acks[:0]
				for _, e, ok := taken.Next(); ok; _, e, ok = taken.Next() {
					acks = append(acks, e)
				}
				registry.Ack(acks)
				token.Withdraw()
			}
			for range 2 * registry.DedupeLimit() / n {
				pass()
			}
			b.ReportAllocs()
			for b.Loop() {
				pass()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/msg")
		})
	}
}
