package diskqueue

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// event is a recorded system call.
type event struct {
	call    string
	paths   []string // of its file, or its names
	data    []byte   // of a write
	numbers []int64  // the last arguments
	begin   int      // the number of the event at which a sync began
	create  bool
	line    string // of the writer, on descriptor 3
}

var (
	callPattern   = regexp.MustCompile(`^(\d+) +(\w+)\((.*)$`)
	resumePattern = regexp.MustCompile(`^(\d+) +<\.{3} (\w+) resumed>(.*)$`)
	failedPattern = regexp.MustCompile(`\) += -1 `)
	textPattern   = regexp.MustCompile(`[<"]((?:\\x[0-9a-f]{2})+)[>"]`)
)

// readRecord reads the record of strace. A write counts when it begins, a sync when it ends.
func readRecord(t *testing.T, path, root string) (events []*event) {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<30)
	unfinished := make(map[string]*event)
	for lines.Scan() {
		line := lines.Text()
		if m := resumePattern.FindStringSubmatch(line); m != nil {
			e, ok := unfinished[m[1]]
			require.True(t, ok, line)
			delete(unfinished, m[1])
			if strings.Contains(m[3], "= -1") {
				e.call = "failed"
			} else if isSync(e.call) {
				events = append(events, e)
			}
			continue
		}
		m := callPattern.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		rest, isUnfinished := strings.CutSuffix(m[3], " <unfinished ...>")
		if !isUnfinished && failedPattern.MatchString(rest) {
			continue
		}
		e := newEvent(t, m[2], rest, len(events))
		if len(e.paths) == 0 || !strings.HasPrefix(e.paths[0], root) {
			e.call = "other"
		}
		if isUnfinished {
			unfinished[m[1]] = e
		}
		if e.call != "other" && (!isUnfinished || !isSync(e.call)) {
			events = append(events, e)
		}
	}
	require.NoError(t, lines.Err())
	return events
}

func isSync(call string) bool { return call == "fsync" || call == "fdatasync" }

func newEvent(t *testing.T, call, rest string, begin int) *event {
	t.Helper()
	e := &event{call: call, begin: begin, create: strings.Contains(rest, "O_CREAT")}
	args, result, _ := strings.Cut(rest, ") = ")
	if strings.Contains(result, "deleted") || strings.Contains(args, "(deleted)") {
		e.call = "other"
		return e
	}
	for _, m := range textPattern.FindAllStringSubmatch(args, -1) {
		text, err := hex.DecodeString(strings.ReplaceAll(m[1], `\x`, ""))
		require.NoError(t, err)
		e.paths = append(e.paths, string(text))
	}
	if strings.HasSuffix(call, "at") || strings.HasSuffix(call, "at2") { // AT_FDCWD and its path
		cwd := e.paths[0]
		e.paths = slices.DeleteFunc(e.paths, func(p string) bool { return p == cwd })
	}
	if call == "pwrite64" || call == "write" {
		e.data = []byte(e.paths[len(e.paths)-1])
		e.paths = e.paths[:1]
	}
	for arg := range strings.SplitSeq(args, ", ") {
		if n, err := strconv.ParseInt(arg, 10, 64); err == nil {
			e.numbers = append(e.numbers, n)
		}
	}
	if call == "write" && filepath.Base(e.paths[0]) == "report" {
		e.line = string(e.data)
	}
	return e
}

// disk is the synced content of the disk, and the changes that are not synced.
type disk struct {
	root    string
	live    map[string]*node // as the process sees it
	durable map[string]*node
	names   []nameChange // not synced
}

type node struct {
	isDir   bool
	durable []byte
	writes  []fileChange // not synced
}

// nameChange is a new name of a file: it loses the name from, and gets the name to.
type nameChange struct {
	at       int
	from, to string
	node     *node
}

// fileChange is a write, or another length if data is nil.
type fileChange struct {
	at     int
	offset int64
	data   []byte
}

func newDisk(root string) *disk {
	return &disk{root: root, live: map[string]*node{root: {isDir: true}}, durable: map[string]*node{root: {isDir: true}}}
}

func (d *disk) apply(at int, e *event) {
	rename := func(from, to string, n *node) {
		d.names = append(d.names, nameChange{at, from, to, n})
		delete(d.live, from)
		if to != "" {
			d.live[to] = n
		}
	}
	n := d.live[e.paths[0]]
	change := func(offset int64, data []byte) { n.writes = append(n.writes, fileChange{at, offset, data}) }
	switch e.call {
	case "openat":
		if n == nil && e.create {
			rename("", e.paths[0], &node{})
		}
	case "mkdir", "mkdirat":
		rename("", e.paths[0], &node{isDir: true})
	case "rename", "renameat", "renameat2":
		rename(e.paths[0], e.paths[1], n)
	case "unlink", "unlinkat":
		rename(e.paths[0], "", n)
	case "pwrite64":
		change(e.numbers[len(e.numbers)-1], e.data)
	case "ftruncate":
		change(e.numbers[0], nil)
	case "fallocate":
		change(max(e.numbers[1]+e.numbers[2], n.length()), nil)
	case "fsync", "fdatasync":
		d.sync(e.paths[0], n, e.begin)
	}
}

func (d *disk) sync(path string, n *node, begin int) {
	for len(n.writes) > 0 && n.writes[0].at < begin {
		n.durable = n.writes[0].applyTo(n.durable)
		n.writes = n.writes[1:]
	}
	d.names = slices.DeleteFunc(d.names, func(c nameChange) bool {
		isSynced := n.isDir && c.at < begin && filepath.Dir(cmp.Or(c.to, c.from)) == path
		if isSynced {
			c.applyTo(d.durable)
		}
		return isSynced
	})
}

func (n *node) length() int64 {
	size := int64(len(n.durable))
	for _, c := range n.writes {
		size = c.lengthAfter(size)
	}
	return size
}

func (c nameChange) applyTo(names map[string]*node) {
	delete(names, c.from)
	if c.to != "" {
		names[c.to] = c.node
	}
}

func (c fileChange) lengthAfter(size int64) int64 {
	if c.data == nil {
		return c.offset
	}
	return max(size, c.offset+int64(len(c.data)))
}

func (c fileChange) applyTo(content []byte) []byte {
	if size := c.lengthAfter(int64(len(content))); size <= int64(len(content)) {
		content = content[:size]
	} else {
		content = append(content, make([]byte, size-int64(len(content)))...)
	}
	copy(content[min(c.offset, int64(len(content))):], c.data)
	return content
}

// crash makes a directory as the disk may be after a power failure.
func (d *disk) crash(t *testing.T, random *rand.Rand, dir string) {
	t.Helper()
	names := maps.Clone(d.durable)
	share := random.IntN(3) // no change that is not synced is kept, or some, or all
	for _, c := range d.names {
		if random.IntN(2) < share {
			c.applyTo(names)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) { // a directory precedes its files
		relative, err := filepath.Rel(d.root, name)
		require.NoError(t, err)
		path := filepath.Join(dir, relative)
		if n := names[name]; n.isDir {
			require.NoError(t, os.MkdirAll(path, 0o700))
		} else if _, err := os.Stat(filepath.Dir(path)); err == nil && names[filepath.Dir(name)] != nil {
			require.NoError(t, os.WriteFile(path, n.crash(random), 0o600))
		}
	}
}

// crash returns a possible content of a file. Each page may have its newest version, an earlier one, or sectors of both.
func (n *node) crash(random *rand.Rand) []byte {
	const sector = 512
	content, share := slices.Clone(n.durable), random.IntN(3)
	lost := make(map[int64]bool) // pages without newer versions
	for _, c := range n.writes {
		if c.data == nil {
			if random.IntN(2) < share {
				content = c.applyTo(content)
			}
			continue
		}
		for from := int64(0); from < int64(len(c.data)); from += pageSize {
			page := fileChange{offset: c.offset + from, data: c.data[from:min(from+pageSize, int64(len(c.data)))]}
			number := page.offset / pageSize
			if lost[number] || random.IntN(2) >= share {
				lost[number] = true
				if share == 1 && random.IntN(4) == 0 {
					cut := min(sector*(1+random.IntN(7)), len(page.data))
					content = fileChange{offset: page.offset, data: page.data[:cut]}.applyTo(content)
				}
				continue
			}
			content = page.applyTo(content)
		}
	}
	return content
}
