package source

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/txn2/rtbeat/internal/setting"
)

// ID is what makes a message known, so that a retry is deduped. In each kind the content belongs to it: the same id with other bytes
// is another message.
type ID struct {
	// Fields are the fields of a message that may hold its [id](delivery.md#retries), such as `id` or `event.id`. The first field
	// with a number, or with a text that is not empty, counts.
	Fields []string `config:"fields" show:"text"`

	// Header is a request header with the id of the request, such as `X-GitHub-Delivery`, or a list of them. The first that a
	// request has counts, for messages without an id of their own, each by its index in the body.
	Header []string `config:"header"`

	// IdempotencyKey is whether the standard header `Idempotency-Key` is the id of a request without a header of `id.header`.
	IdempotencyKey bool `config:"idempotency_key"`

	// Content is whether a message without any id is known by its bytes alone. rtbeat then delivers messages that are equal on purpose
	// once.
	Content bool `config:"content"`
}

// idempotencyKey is the header of draft-ietf-httpapi-idempotency-key-header.
const idempotencyKey = "Idempotency-Key"

// maxFields bounds the fields that are looked up in each message.
const maxFields = 16

// check applies the rules of the settings. tokenHeader carries tokens; "" for none.
func (id *ID) check(prefix, tokenHeader string) error {
	if len(id.Fields) > maxFields {
		return fmt.Errorf("%sfields has %d fields; it may have %d at most", prefix, len(id.Fields), maxFields)
	}
	for i, field := range id.Fields {
		key := fmt.Sprintf("%sfields.%d", prefix, i)
		if err := setting.CheckText(key, field); err != nil {
			return err
		}
		if slices.Contains(strings.Split(field, "."), "") {
			return fmt.Errorf("%s is %q, which has an empty name; write a field such as id, or event.id for a field in a group", key, field)
		}
	}
	for i, header := range id.Header {
		switch {
		case !httpguts.ValidHeaderFieldName(header):
			return fmt.Errorf("%sheader.%d is not the name of a header; use letters, digits and hyphens, such as X-GitHub-Delivery", prefix, i)
		case slices.Contains(credentials, strings.ToLower(header)):
			return fmt.Errorf("%sheader.%d is %s, which carries credentials, and durable mode would store them; name another header", prefix, i, header)
		case strings.EqualFold(header, tokenHeader):
			return fmt.Errorf("%sheader.%d is %s, which carries tokens, and durable mode would store them; name another header", prefix, i, header)
		}
	}
	return nil
}

// Headers returns the names of the headers that may hold the id of a request, in order.
func (id *ID) Headers() (names []string) {
	for _, header := range id.Header {
		names = append(names, http.CanonicalHeaderKey(header))
	}
	if id.IdempotencyKey {
		names = append(names, idempotencyKey)
	}
	return names
}
