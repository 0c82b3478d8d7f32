package lumbersink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// decoder returns what go-lumber calls for each event. It keeps the exact bytes
// instead of a decoded value: what is looked at is what went over the wire.
//
// Go-lumber only logs an error returned from here, without the connection it
// came from. So an event that is no JSON takes its place in the window as an
// error value, and the sink refuses the window when it gets it. An event that
// Logstash could not read is refused in the same way, as Logstash does.
func decoder(copyBytes bool) func([]byte, any) error {
	return func(data []byte, v any) error {
		event, ok := v.(*any)
		if !ok {
			return fmt.Errorf("decode event into %T: want *any", v)
		}
		if !json.Valid(data) {
			*event = invalidJSON(data)
			return nil
		}
		switch err := CheckJSON(data); {
		case err != nil:
			*event = err
		case copyBytes:
			// go-lumber reads the next event into the same buffer.
			*event = json.RawMessage(bytes.Clone(data))
		default:
			*event = json.RawMessage(nil)
		}
		return nil
	}
}

// invalidJSON says what is wrong with data and where, without quoting it.
func invalidJSON(data []byte) error {
	var v any
	err := json.Unmarshal(data, &v)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("event of %d bytes is not JSON at offset %d: %w", len(data), syntax.Offset, err)
	}
	return fmt.Errorf("event of %d bytes is not JSON: %w", len(data), err)
}

// decodeFailure returns the first event of a window that could not be decoded, or that Logstash could not read.
func decodeFailure(events []any) error {
	for _, event := range events {
		if err, ok := event.(error); ok {
			return err
		}
	}
	return nil
}
