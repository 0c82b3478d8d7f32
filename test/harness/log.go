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

// Log collects the output of a process line by line, and lets a test wait for a line.
type Log struct {
	mu      sync.Mutex
	lines   []string
	partial []byte
	grew    chan struct{}
}

func newLog() *Log { return &Log{grew: make(chan struct{})} }

// Write cuts lines itself, because a write may end anywhere.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partial = append(l.partial, p...)
	for {
		line, rest, found := bytes.Cut(l.partial, []byte("\n"))
		if !found {
			break
		}
		l.lines, l.partial = append(l.lines, string(line)), rest
	}
	close(l.grew)
	l.grew = make(chan struct{})
	return len(p), nil
}

// String is the whole log so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n") + "\n" + string(l.partial)
}

// Tail is the last n lines, shortened for the reader of a failed test.
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
	for _, line := range slices.Backward(l.lines) {
		if !strings.Contains(line, prefix) { // decoding every line would be slow
			continue
		}
		if e := parseEntry(line); strings.HasPrefix(e.Message, prefix) {
			return e, true
		}
	}
	return Entry{}, false
}

// WaitFor waits for an entry whose message starts with prefix, until stop is closed or ctx ends.
func (l *Log) WaitFor(ctx context.Context, stop <-chan struct{}, prefix string) (Entry, bool) {
	for {
		l.mu.Lock()
		grew := l.grew
		l.mu.Unlock()
		if e, ok := l.Find(prefix); ok {
			return e, true
		}
		select {
		case <-grew:
		case <-stop:
			return l.Find(prefix) // the last lines may arrive with the end
		case <-ctx.Done():
			return Entry{}, false
		}
	}
}

// parseEntry reads a line of libbeat's JSON log. A line that is not JSON is its own message.
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

// short is the entry without the fields that libbeat puts into every line.
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
