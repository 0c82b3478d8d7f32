// Package diskqueue keeps batches on disk until they are delivered.
//
// Append returns when a batch is committed and synced. Next and Load read batches in the order in which they were stored,
// and Delete removes one for good. The queue is a directory of bbolt databases, its segments. Each holds batches in the order of
// their numbers; the last one is written. A segment is removed when nothing of it is left, so that the disk gets its
// room back. At most a few are open at a time: memory does not depend on what is stored.
//
// One goroutine, run, makes all commits. Batches that wait for it share the next commit, and so do deletions.
//
// # Files
//
//	queue.lock                       locked by the process that uses the queue
//	00000000000000000017.db          a segment. Its batches have larger numbers than its name
//	00000000000000000042.db.new      a segment that was not completed. The next start removes it
//
// A segment has two buckets. Their keys are the numbers of batches, 8 bytes, big endian:
//
//	batches   checksum (8 bytes), weight (8), length of the header (4), header (Header as JSON), body
//	keys      checksum (8 bytes), time of the commit in nanoseconds since 1970 (8), 16 bytes for each message
//
// The value in keys has the messages of a batch by which a retry is known. Such a value outlives its batch: it moves to the
// newest segment when its own is removed, until Settings.Window is over.
//
// The checksum is XXH64 of the rest of the value, with the number as its seed. The sequence of a bucket is the sum of its
// checksums, so that a missing value shows. A value of half a page or more has a bucket of its own (see values). Numbers of bbolt
// itself have the byte order of the machine.
package diskqueue
