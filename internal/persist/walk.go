package persist

import (
	"maps"
	"math"
	"slices"
)

// walk is the state of one Fit.
type walk struct {
	Report
}

// value returns v, or what stands for it.
func (w *walk) value(v any, level int) (any, error) {
	switch v := v.(type) {
	case nil, bool:
		w.Size++
		return v, nil
	case string:
		w.Size += length(len(v)) + len(v)
		return v, nil
	case int64:
		return w.integer(v, v), nil
	case uint64:
		w.Size += head(v)
		return v, nil
	case float64:
		w.Size += widest
		return v, nil
	case map[string]any:
		return w.object(v, level+1)
	case []any:
		return w.array(v, level+1)
	default:
		return w.other(v, level)
	}
}

// object returns m, or a copy of it in which something has changed.
func (w *walk) object(m map[string]any, level int) (map[string]any, error) {
	if level > MaxDepth {
		return nil, &Error{TooDeep, level}
	}
	w.Size += length(len(m))
	var changed map[string]any // made when the first value changes
	for key, v := range m {
		if key == "" {
			return nil, &Error{EmptyKey, level}
		}
		w.Size += length(len(key)) + len(key)
		before := w.Changed
		fitted, err := w.value(v, level)
		if err != nil {
			return nil, err
		}
		if w.Changed == before {
			continue
		}
		if changed == nil {
			changed = maps.Clone(m)
		}
		changed[key] = fitted
	}
	if changed != nil {
		return changed, nil
	}
	return m, nil
}

// array returns list, or a copy of it in which something has changed.
func (w *walk) array(list []any, level int) ([]any, error) {
	if level > MaxDepth {
		return nil, &Error{TooDeep, level}
	}
	w.Size += length(len(list))
	var changed []any // made when the first value changes
	for i, v := range list {
		before := w.Changed
		fitted, err := w.value(v, level)
		if err != nil {
			return nil, err
		}
		if w.Changed == before {
			continue
		}
		if changed == nil {
			changed = slices.Clone(list)
		}
		changed[i] = fitted
	}
	if changed != nil {
		return changed, nil
	}
	return list, nil
}

// integer returns v, which is n, or the float64 that stands for it.
func (w *walk) integer(v any, n int64) any {
	if !corrupted(n) {
		w.Size += head(magnitude(n))
		return v
	}
	w.Changed++
	w.Size += widest
	return float64(n)
}

// magnitude is what CBOR writes of an integer: the bits of a negative one are inverted.
func magnitude(n int64) uint64 {
	if n < 0 {
		return uint64(-(n + 1)) //nolint:gosec // not negative
	}
	return uint64(n)
}

// corrupted tells whether the parser reads n as another number: CBOR writes the magnitude in the fewest of 1, 2, 4 or
// 8 bytes, and the parser takes the top bit of these for a sign.
func corrupted(n int64) bool {
	if n >= 0 {
		return false
	}
	m := magnitude(n)
	return within(m, math.MaxInt8, math.MaxUint8) || within(m, math.MaxInt16, math.MaxUint16) || within(m, math.MaxInt32, math.MaxUint32)
}

func within(m, above, most uint64) bool { return above < m && m <= most }

// widest is how many bytes the head of a value takes at most, and a float64 always.
const widest = 9

// head is how many bytes CBOR takes for a number, or for the head of a string, array or map of that length.
func head(n uint64) int {
	switch {
	case n < 24:
		return 1
	case n <= math.MaxUint8:
		return 2
	case n <= math.MaxUint16:
		return 3
	case n <= math.MaxUint32:
		return 5
	default:
		return widest
	}
}

// length is the head of what has n bytes, elements or keys.
func length(n int) int {
	return head(uint64(n)) //nolint:gosec // not negative
}
