package intake

import (
	"bytes"
	"encoding/hex"

	"github.com/txn2/rtbeat/internal/batch"
)

// payloadField is the field of an HTML form that holds the JSON, as GitHub and Slack name it.
var payloadField = []byte("payload=")

// payload returns the field payload of an HTML form. It decodes the field in place, and takes no memory beyond the body.
func payload(body []byte) ([]byte, error) {
	for start := 0; start < len(body); {
		end := len(body)
		if i := bytes.IndexByte(body[start:], '&'); i >= 0 {
			end = start + i
		}
		if bytes.HasPrefix(body[start:end], payloadField) {
			return unescape(body, start+len(payloadField), end)
		}
		start = end + 1
	}
	return nil, &batch.Error{Reason: batch.WrongShape, Index: -1, Msg: "the form has no field payload"}
}

// unescape decodes a value of a form (WHATWG URL, application/x-www-form-urlencoded): body from start to end.
func unescape(body []byte, start, end int) ([]byte, error) {
	value := body[start:start:end] // the decoded text is never longer
	for i := start; i < end; i++ {
		c := body[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			var decoded [1]byte
			if n, err := hex.Decode(decoded[:], body[i+1:min(i+3, end)]); n != 1 || err != nil {
				return nil, &batch.Error{Reason: batch.MalformedJSON, Index: -1, Offset: int64(i), Msg: "an invalid escape in a form"}
			}
			c = decoded[0]
			i += 2
		}
		value = append(value, c)
	}
	return value, nil
}
