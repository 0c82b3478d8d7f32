package durable

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/dustin/go-humanize"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/publisher/queue/diskqueue"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/monitoring"
	"github.com/elastic/elastic-agent-libs/paths"
)

// Queue is what rtbeat has to know of a disk queue.
type Queue struct {
	key      string // of its settings: "queue.disk"
	settings diskqueue.Settings
}

// NewQueue reads the settings of a disk queue, which stand under key, and refuses those with which it could not keep
// what it takes, or would stop taking anything.
func NewQueue(key string, settings *conf.C) (*Queue, error) {
	q := &Queue{key: key}
	var err error
	if q.settings, err = diskqueue.SettingsForUserConfig(settings); err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	if err := q.judge(); err != nil {
		return nil, err
	}
	return q, nil
}

// segmentsAtLeast is how many segments must fit into max_size. libbeat deletes a segment when an event of a later one
// has been delivered, and may write one event too many into each; with fewer, a full queue could stay full for ever
// although everything in it has been delivered.
const segmentsAtLeast = 5

func (q *Queue) judge() error {
	s := q.settings
	switch {
	case s.MaxBufferSize == 0:
		return fmt.Errorf("%s.max_size is 0, without limit: the queue would fill the disk. Set it to what the disk can spare", q.key)
	case s.MaxBufferSize/segmentsAtLeast < s.MaxSegmentSize:
		return fmt.Errorf("%[1]s.segment_size (%[2]s) is more than a fifth of %[1]s.max_size (%[3]s), and a queue of so few segments can stay full for ever. "+
			"Leave %[1]s.segment_size away: it is a tenth of max_size then", q.key, bytes(s.MaxSegmentSize), bytes(s.MaxBufferSize))
	case s.WriteAheadLimit < 1:
		return fmt.Errorf("%s.write_ahead is %d: the queue would take nothing. Leave it away", q.key, s.WriteAheadLimit)
	case s.ReadAheadLimit < 0:
		return fmt.Errorf("%s.read_ahead is %d. Leave it away", q.key, s.ReadAheadLimit)
	case s.Path != "" && !filepath.IsAbs(s.Path):
		return fmt.Errorf("%s.path is %q, which depends on the directory that rtbeat is started in. Give the whole path, or leave it away: the queue is in path.data then", q.key, s.Path)
	}
	return nil
}

const (
	// growth is how many times larger than its JSON text a message can get in the queue: "-0," takes 9 bytes there.
	growth = 3
	// surroundings is room for what libbeat and the configuration add to a message: fields, tags, processors.
	surroundings = 64 << 10
)

// JudgeBodies refuses bodies that could hold a message which does not fit into a segment: the queue would never take
// it, and its sender would repeat it for ever.
//
// maxHeaders is how many bytes of headers may be copied into each event.
func (q *Queue) JudgeBodies(maxBody, maxHeaders int64) error {
	body, surroundings := uint64(max(maxBody, 0)), uint64(surroundings+max(maxHeaders, 0)*growth)
	needed := body*growth + surroundings
	if needed <= q.largest() {
		return nil
	}
	remedy := fmt.Sprintf("Raise %s.max_size to %s", q.key, upTo(10*needed+segmentHeader*10))
	if q.settings.MaxSegmentSize != q.settings.MaxBufferSize/10 {
		remedy = fmt.Sprintf("Leave %s.segment_size away and have max_size at %s or more", q.key, upTo(10*needed+segmentHeader*10))
	}
	return fmt.Errorf("a message of rtbeat.max_body_bytes (%s) may need a segment of %s, and those of %s have %s. %s, or lower rtbeat.max_body_bytes to %s",
		bytes(body), bytes(needed), q.key, bytes(q.settings.MaxSegmentSize), remedy, downTo((q.largest()-surroundings)/growth))
}

// judgeLargest refuses a max_size that was lowered below what is in the queue: a segment is deleted only when the next
// one is begun, for which a queue of so few has no room.
func (q *Queue) judgeLargest(size int64) error {
	if q.settings.MaxBufferSize/segmentsAtLeast >= uint64(max(size, 0)) {
		return nil
	}
	return fmt.Errorf("%[1]s.max_size is %[2]s, and there is a segment of %[3]s in %[4]s, more than a fifth of it. "+
		"Set %[1]s.max_size to %[5]s or more until what is queued has been delivered",
		q.key, bytes(q.settings.MaxBufferSize), bytes(uint64(size)), q.dir(), upTo(segmentsAtLeast*uint64(size))) //nolint:gosec // not negative
}

// mostAhead bounds the files that are kept open for segments to come.
const mostAhead = 128

// segmentsInOneWrite is how many segments libbeat may fill before it syncs and acknowledges.
func (q *Queue) segmentsInOneWrite(maxInFlight int64) int {
	const added = 1 << 10 // to an event, by libbeat and the configuration
	bytes := growth*maxInFlight + int64(q.settings.WriteAheadLimit)*added
	return 2 + int(min(bytes/int64(q.settings.MaxSegmentSize), mostAhead)) //nolint:gosec // mostAhead bounds it
}

// segmentHeader is what a segment takes for itself.
const segmentHeader = 12

// upTo and downTo write a size that can be used as a setting.
func upTo(n uint64) string   { return fmt.Sprintf("%dMiB", (n+1<<20-1)>>20) }
func downTo(n uint64) string { return fmt.Sprintf("%dKiB", n>>10) }

// largest is the largest event that the queue takes, frame and all.
func (q *Queue) largest() uint64 {
	return q.settings.MaxSegmentSize - segmentHeader
}

// dir is where the queue is.
func (q *Queue) dir() string {
	if q.settings.Path != "" {
		return q.settings.Path
	}
	return defaultQueueDir()
}

// defaultQueueDir is where libbeat puts a disk queue (directoryPath in diskqueue/config.go).
func defaultQueueDir() string { return paths.Resolve(paths.Data, "diskqueue") }

func bytes(n uint64) string { return humanize.IBytes(n) }

// CheckInForce makes sure that libbeat made the queue that is configured. Where it cannot make a disk queue, it takes
// a memory queue with settings of its own, and goes on (createQueueIfNeeded in libbeat/publisher/pipeline/controller.go).
func (q *Queue) CheckInForce(b *beat.Beat) error {
	state := b.Monitoring.StateRegistry()
	if state == nil {
		return errors.New("libbeat does not tell which queue is in force")
	}
	name, ok := state.Get("queue.name").(*monitoring.String)
	if !ok || name.Get() != diskqueue.QueueType {
		return fmt.Errorf("libbeat could not make the queue of %s in %s, and its log says why", q.key, q.dir())
	}
	return nil
}
