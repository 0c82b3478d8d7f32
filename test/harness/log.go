package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Log collects a process's stderr line by line and lets a test wait for a line.
type Log struct {
	mu      sync.Mutex
	lines   []string
	partial []byte
	grew    chan struct{}
}

func newLog() *Log { return &Log{grew: make(chan struct{})} }

// Write takes whatever the pipe delivers; lines are cut here because a write may end anywhere.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partial = append(l.partial, p...)
	grown := false
	for {
		i := bytes.IndexByte(l.partial, '\n')
		if i < 0 {
			break
		}
		l.lines = append(l.lines, string(l.partial[:i]))
		l.partial = l.partial[i+1:]
		grown = true
	}
	if grown {
		close(l.grew)
		l.grew = make(chan struct{})
	}
	return len(p), nil
}

// String is everything so far, for searching and for showing.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n") + "\n" + string(l.partial)
}

// Tail is the end of the log, shortened for a person who looks at a failed test.
func (l *Log) Tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var tail []string
	for _, line := range l.lines[max(0, len(l.lines)-n):] {
		tail = append(tail, parseEntry(line).short())
	}
	return strings.Join(tail, "\n")
}

// Entry is one structured line.
type Entry struct {
	Message string
	Fields  map[string]any
	Line    string
}

// Find returns the newest entry whose message starts with prefix.
func (l *Log) Find(prefix string) (Entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.find(prefix)
}

// WaitFor blocks until an entry's message starts with prefix, stop is closed or ctx ends.
func (l *Log) WaitFor(ctx context.Context, stop <-chan struct{}, prefix string) (Entry, bool) {
	for {
		l.mu.Lock()
		e, ok := l.find(prefix)
		grew := l.grew
		l.mu.Unlock()
		if ok {
			return e, true
		}
		select {
		case <-grew:
		case <-stop:
			// The last lines may have come together with the end.
			return l.Find(prefix)
		case <-ctx.Done():
			return Entry{}, false
		}
	}
}

func (l *Log) find(prefix string) (Entry, bool) {
	for _, line := range slices.Backward(l.lines) {
		// Decoding every line on every growth would be slow; the text must contain the prefix in any encoding we know.
		if !strings.Contains(line, prefix) {
			continue
		}
		if e := parseEntry(line); strings.HasPrefix(e.Message, prefix) {
			return e, true
		}
	}
	return Entry{}, false
}

// parseEntry reads a line of libbeat's JSON log; a line that is none is its own message.
func parseEntry(line string) Entry {
	e := Entry{Message: line, Line: line}
	if json.Unmarshal([]byte(line), &e.Fields) != nil {
		return e
	}
	if m, ok := e.Fields["message"].(string); ok {
		e.Message = m
	}
	return e
}

// short is the entry without what libbeat puts into every line.
func (e Entry) short() string {
	if e.Fields == nil {
		return e.Line
	}
	var text strings.Builder
	fmt.Fprint(&text, e.Fields["@timestamp"], " ", e.Fields["log.level"], " ", e.Message)
	for _, key := range slices.Sorted(maps.Keys(e.Fields)) {
		switch key {
		case "@timestamp", "log.level", "message", "log.logger", "log.origin", "service.name", "ecs.version", "system_info":
		default:
			fmt.Fprintf(&text, " %s=%v", key, e.Fields[key])
		}
	}
	return text.String()
}
