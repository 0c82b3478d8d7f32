package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
)

// ids numbers the messages of a whole run: a message that comes twice would be joined to the first.
var ids atomic.Uint64

// template is the body of a batch, in which only the numbers in the uuids of its messages change.
type template struct {
	body []byte
	at   []int // where those numbers are
}

// digits is the length of the number in a uuid.
const digits = 12

// newTemplate makes a body of n messages of about 370 bytes, as rxtx sends them.
func newTemplate(n int) *template {
	messages := make([]map[string]any, n)
	for i := range messages {
		messages[i] = message(i)
	}
	body, err := json.Marshal(map[string]any{"uuid": "batch", "size": n, "messages": messages})
	if err != nil { // plain values do not fail
		panic(err)
	}
	t := &template{body: body}
	prefix := []byte(`"` + uuidPrefix)
	for from := 0; ; {
		i := bytes.Index(body[from:], prefix)
		if i < 0 {
			return t
		}
		from += i + len(prefix)
		t.at = append(t.at, from)
	}
}

// next returns the body with the messages numbered up to last. It is valid until the next call.
func (t *template) next(last uint64) []byte {
	for i, at := range t.at {
		number := strconv.FormatUint(1e11+last-uint64(i), 10)
		copy(t.body[at:at+digits], number)
	}
	return t.body
}

const uuidPrefix = "00000000-0000-4000-8000-"

func message(i int) map[string]any {
	return map[string]any{
		"seq":      fmt.Sprintf("20261101-%012d", i),
		"time":     "2026-11-01T12:00:00.123456789Z",
		"uuid":     fmt.Sprintf("%s%0*d", uuidPrefix, digits, i),
		"producer": "gateway-17",
		"label":    "meter",
		"key":      fmt.Sprintf("meter-%06d", i%1000),
		"payload": map[string]any{
			"reading": 1234.5678 + float64(i%100), "unit": "kWh", "quality": "good", "tariff": 2, "valid": true,
			"location": map[string]any{"lat": 52.520008, "lon": 13.404954}, "note": nil, "counter": 9007199254740993 + int64(i),
		},
	}
}
