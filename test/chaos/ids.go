//go:build chaos

package chaos

// idKind is what makes the messages of a sender known. The zero value is a uuid.
type idKind struct {
	path   string // of the source
	header string // with the id of a batch; empty if the messages have ids of their own
}

// idKinds are the kinds that the senders of a world share, beside the uuid.
var idKinds = []idKind{{}, {path: "/nested"}, {path: "/key", header: "Idempotency-Key"}, {path: "/content"}, {path: "/header", header: "X-Delivery"}}

// sourcesOfKinds is the list of sources in the configuration.
func sourcesOfKinds() []any {
	source := func(name string, id map[string]any) any {
		return map[string]any{"name": name, "path": "/" + name, "id": id}
	}
	return []any{
		map[string]any{"name": "in", "path": "/in"},
		source("nested", map[string]any{"fields": []string{"id", "event.id"}}),
		source("key", map[string]any{}),
		source("content", map[string]any{"content": true}),
		source("header", map[string]any{"header": "X-Delivery"}),
	}
}
