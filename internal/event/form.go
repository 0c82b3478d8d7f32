package event

import (
	"slices"
	"strings"

	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/inflight"
)

// Form builds the events of one source. Any goroutine may call its methods.
type Form struct {
	settings Settings
	kind     any                 // Type, which is not allocated for each event then
	path     []string            // of Target; nil for the root
	taken    map[string]struct{} // names of fields of the event that a message at the root may not have
	metadata *mapstr.EventMetadata
	weight   int // of what does not depend on the message

	timeFormats []timeFormat
}

// NewForm makes a form. The settings have passed Check. added are the names of the fields that the Beat's own settings add to the
// root of each event.
func NewForm(s Settings, added ...string) *Form {
	f := &Form{settings: s, kind: s.Type, taken: make(map[string]struct{}), timeFormats: newTimeFormats(s.Timestamp.Formats)}
	if s.Target != "" {
		f.path = strings.Split(s.Target, ".")
	}
	for _, name := range slices.Concat(ownFields, added) {
		f.taken[name] = struct{}{}
	}
	if len(s.Fields) > 0 {
		f.metadata = &mapstr.EventMetadata{Fields: s.Fields, FieldsUnderRoot: s.FieldsUnderRoot}
	}
	if s.FieldsUnderRoot {
		for name := range s.Fields {
			f.taken[name] = struct{}{}
		}
	}
	f.weight = f.weigh()
	return f
}

// Metadata are the fields that libbeat adds to each event of the form after the Beat's own fields, so that they win. It is nil
// without any.
func (f *Form) Metadata() *mapstr.EventMetadata { return f.metadata }

// HasTime tells whether the settings name a field of the message for the time of the event.
func (f *Form) HasTime() bool { return f.settings.Timestamp.Field != "" }

// Fields returns the fields of a message's event, which owns the message's fields then. Each event has maps of its own: a processor
// may change them.
func (f *Form) Fields(m batch.Message, o inflight.Origin) mapstr.M {
	tags := slices.Clone(f.settings.Tags) // libbeat appends to the list
	var fields mapstr.M
	switch {
	case m.Failure != nil:
		fields, tags = invalid(m), append(tags, invalidTag)
	case f.path == nil:
		fields = f.atRoot(m.Fields)
	default:
		fields = make(mapstr.M)
		put(fields, f.path, mapstr.M(m.Fields))
	}
	fields["type"] = f.kind
	addOrigin(fields, o)
	if len(tags) > 0 {
		fields["tags"] = tags
	}
	return fields
}

// ownFields are the names of the fields that rtbeat, libbeat, its processors for errors and hosts, or Logstash write at the root of
// an event.
var ownFields = []string{
	"@metadata", "@timestamp", "@version", "agent", "clientIp", "ecs", "error", "fields", "headers", "host", messageField, "sender", "span", "tags", "trace", "type", "url",
}

// atRoot makes the message the fields of the event. A field whose name is taken goes into the field rxtxMsg, as does a name such as
// host.name: stores read its dot as a level.
func (f *Form) atRoot(message mapstr.M) mapstr.M {
	displaced := make(mapstr.M)
	for name, value := range message {
		first, _, _ := strings.Cut(name, ".")
		_, isTaken := f.taken[first]
		if _, isGroup := value.(map[string]any); isTaken || name == "event" && !isGroup { // stores have it as a group, as ECS does
			displaced[name] = value
			delete(message, name)
		}
	}
	if len(displaced) > 0 {
		message[messageField] = displaced
	}
	return message
}

// put sets a field, with the maps on its path.
func put(fields mapstr.M, path []string, value any) {
	for _, name := range path[:len(path)-1] {
		inner := mapstr.M{}
		fields[name], fields = inner, inner
	}
	fields[path[len(path)-1]] = value
}

// addOrigin adds the fields of the request.
func addOrigin(fields mapstr.M, o inflight.Origin) {
	if o.ClientIP != "" {
		fields["clientIp"] = o.ClientIP
	}
	if o.Sender != "" {
		fields["sender"] = o.Sender
	}
	if o.Path != "" { // as ECS has it, like the trace
		fields["url"] = mapstr.M{"path": strings.ToValidUTF8(o.Path, "\uFFFD")}
	}
	if len(o.Headers) > 0 {
		headers := make(mapstr.M, len(o.Headers))
		for name, value := range o.Headers {
			headers[name] = value
		}
		fields["headers"] = headers
	}
	if o.Trace.ID != "" {
		fields["trace"] = mapstr.M{"id": o.Trace.ID}
		fields["span"] = mapstr.M{"id": o.Trace.SpanID}
	}
}
