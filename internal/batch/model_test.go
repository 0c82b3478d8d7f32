package batch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// byUUID is the identity of the default configuration.
var byUUID = Options{Identity: Identity{Fields: []string{"uuid"}}}

// modelMessages are the messages of a body by encoding/json.
func modelMessages(body []byte, lines bool) (messages []any, err error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	texts := [][]byte{body}
	if lines {
		texts = bytes.Split(body, []byte("\n"))
	}
	for _, text := range texts {
		more, err := modelSequence(text, !lines)
		if err != nil {
			return nil, err
		}
		messages = append(messages, more...)
	}
	return messages, nil
}

// modelSequence are the messages of values that follow each other.
func modelSequence(text []byte, mayBeBatch bool) (messages []any, err error) {
	reader := json.NewDecoder(bytes.NewReader(text))
	reader.UseNumber()
	for values := 0; ; values++ {
		var v any
		if err := reader.Decode(&v); errors.Is(err, io.EOF) {
			return messages, nil
		} else if err != nil {
			return nil, fmt.Errorf("the model refuses the text: %w", err)
		}
		list, isList := v.([]any)
		whole, isObject := v.(map[string]any)
		switch {
		case isList:
			messages = append(messages, list...)
		case !isObject:
			return nil, errors.New("the model finds no message")
		case mayBeBatch && isModelBatch(whole):
			if err := reader.Decode(new(any)); values > 0 || !errors.Is(err, io.EOF) {
				return nil, errors.New("the model finds a batch among others")
			}
			list, _ = whole["messages"].([]any)
			return list, nil
		default:
			messages = append(messages, v)
		}
	}
}

func isModelBatch(object map[string]any) bool {
	messages, found := object["messages"]
	_, isList := messages.([]any)
	n := 1
	for _, key := range []string{"uuid", "size"} {
		if _, found := object[key]; found {
			n++
		}
	}
	return found && n == len(object) && (isList || messages == nil)
}

// checkModel compares a decoded batch with the result of encoding/json.
func checkModel(body []byte, lines bool, got Batch) error {
	want, err := modelMessages(body, lines)
	if err != nil {
		return err
	}
	if len(want) != len(got.Messages) {
		return fmt.Errorf("%d messages instead of %d", len(got.Messages), len(want))
	}
	var asStrings int
	for i, m := range got.Messages {
		if err := checkValue(want[i], m.Fields, &asStrings); err != nil {
			return fmt.Errorf("message %d%w", i, err)
		}
		sent, ok := want[i].(map[string]any)
		if !ok {
			return fmt.Errorf("message %d is none", i)
		}
		if err := checkID(sent["uuid"], m); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
	}
	if asStrings != got.NumbersAsStrings {
		return fmt.Errorf("%d numbers as strings instead of %d", got.NumbersAsStrings, asStrings)
	}
	return nil
}

// checkID checks the id of a message with this uuid.
func checkID(uuid any, m Message) error {
	var want string
	switch uuid := uuid.(type) {
	case string:
		want = uuid
	case json.Number:
		if canonical(uuid.String()) != canonical(m.ID) {
			return fmt.Errorf("id %q instead of %s", m.ID, uuid)
		}
		want = m.ID
	}
	if want != m.ID {
		return fmt.Errorf("id %q instead of %q", m.ID, want)
	}
	if (m.ID == "") != (m.Key == Key{}) {
		return fmt.Errorf("id %q has key %x", m.ID, m.Key)
	}
	return nil
}

// checkValue compares one value, and counts the numbers that became strings.
func checkValue(want, got any, asStrings *int) error {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok || got == nil || len(got) != len(want) {
			return fmt.Errorf(": no object of %d keys: %#v", len(want), got)
		}
		for _, key := range slices.Sorted(maps.Keys(want)) {
			v, ok := got[key]
			if !ok {
				return fmt.Errorf(": no key %q", key)
			}
			if err := checkValue(want[key], v, asStrings); err != nil {
				return fmt.Errorf("/%s%w", key, err)
			}
		}
		return nil
	case []any:
		got, ok := got.([]any)
		if !ok || got == nil || len(got) != len(want) {
			return fmt.Errorf(": no array of %d elements: %#v", len(want), got)
		}
		for i := range want {
			if err := checkValue(want[i], got[i], asStrings); err != nil {
				return fmt.Errorf("/%d%w", i, err)
			}
		}
		return nil
	case json.Number:
		if _, ok := got.(string); ok {
			*asStrings++
		}
		return checkNumber(want.String(), got)
	default: // string, bool, nil
		if got != want {
			return fmt.Errorf(": %#v instead of %#v", got, want)
		}
		return nil
	}
}

// checkNumber checks that got, written as libbeat writes it, has the value of the literal. Otherwise got must be the literal, and
// no Go number may have the value.
func checkNumber(literal string, got any) error {
	whole := !strings.ContainsAny(literal, ".eE")
	var written string
	switch v := got.(type) {
	case int64:
		written = strconv.FormatInt(v, 10)
	case uint64:
		written = strconv.FormatUint(v, 10)
	case float64:
		if whole && literal != "-0" {
			return fmt.Errorf(": the integer %s became a float", literal)
		}
		written = strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		if v != literal {
			return fmt.Errorf(": %s became the string %q", literal, v)
		}
		_, errInt := strconv.ParseInt(literal, 10, 64)
		_, errUint := strconv.ParseUint(literal, 10, 64)
		f, errFloat := strconv.ParseFloat(literal, 64)
		float := strconv.FormatFloat(f, 'g', -1, 64)
		if errInt == nil || errUint == nil || !whole && errFloat == nil && canonical(float) == canonical(literal) {
			return fmt.Errorf(": %s became a string for no reason", literal)
		}
		return nil
	default:
		return fmt.Errorf(": %s became a %T", literal, got)
	}
	if canonical(written) != canonical(literal) {
		return fmt.Errorf(": %s became %s", literal, written)
	}
	return nil
}

// canonical returns one form for all literals of the same value. It is simple, so that it does not share defects with the code
// under test.
func canonical(literal string) string {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(literal), "e")
	e := new(big.Int)
	if exponent != "" {
		e.SetString(exponent, 10)
	}
	digits, negative := strings.CutPrefix(mantissa, "-")
	sign := ""
	if negative {
		sign = "-"
	}
	before, after, _ := strings.Cut(digits, ".")
	digits = strings.TrimLeft(before+after, "0")
	short := strings.TrimRight(digits, "0")
	if short == "" {
		return sign + "0"
	}
	e.Add(e, big.NewInt(int64(len(digits)-len(short)-len(after))))
	return sign + short + "e" + e.String()
}

func TestDecodeAgreesWithTheModel(t *testing.T) {
	w := &jsonWriter{Rand: newRandom(t)}
	rounds := 1000
	if testing.Short() {
		rounds = 200
	}
	for range rounds {
		body := w.batch()
		got, err := Decode(body, byUUID)
		require.NoError(t, err, "%s", body)
		require.NoError(t, checkModel(body, false, got), "%s", body)

		body = w.array()
		got, err = Decode(body, byUUID)
		require.NoError(t, err, "%s", body)
		require.NoError(t, checkModel(body, false, got), "%s", body)

		body = w.ndjson()
		got, err = Decode(body, Options{Lines: true, Identity: byUUID.Identity})
		require.NoError(t, err, "%s", body)
		require.NoError(t, checkModel(body, true, got), "%s", body)
	}
}
