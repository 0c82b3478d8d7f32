// Package diskqueue keeps batches on disk until they are delivered.
//
// Append returns when a batch is committed and synced. Next and Load read batches in the order in which they were stored, and
// Delete removes a batch for good. The queue is a directory of bbolt databases, its segments. Each segment has batches in the
// order of their numbers, and only the last segment gets new ones. A segment without batches is removed, which frees its space.
// At most a few segments are open at a time: memory does not depend on the number of stored batches.
//
// One goroutine, run, makes all commits. Batches and deletions that wait for it share the next commit.
//
// # Files
//
//	queue.lock                       locked by the process that uses the queue
//	00000000000000000017.db          a segment. Its batches have larger numbers than its name
//	00000000000000000042.db.new      an incomplete segment. The next start removes it
//
// A segment has two buckets. Their keys are the numbers of batches, 8 bytes, big endian:
//
//	batches   checksum (8 bytes), weight (8), length of the header (4), header (Header as JSON), body
//	keys      checksum (8 bytes), time of the commit in nanoseconds since 1970 (8), 16 bytes for each message
//
// The value in keys has the keys of a batch's messages, by which a retry is known. The value outlives its batch: when its segment is
// removed, it moves to the newest segment, until Settings.Dedupe.Window is over.
//
// The checksum is XXH64 of the rest of the value, with the number as its seed. The sequence of a bucket is the sum of its
// checksums, so a missing value is noticed. A value of half a page or more has a bucket of its own (see values). Numbers of bbolt
// itself have the byte order of the machine.
package diskqueue
