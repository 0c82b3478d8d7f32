package persist

import (
	"reflect"
	"time"
)

var (
	mapType = reflect.TypeFor[map[string]any]()
	// timeType is of the times that libbeat's encoder writes as strings.
	timeType = reflect.TypeFor[time.Time]()
)

// longestTime bounds the length of such a string.
const longestTime = 40

// other is value for what only processors bring: named types, slices of one type, integers of other widths.
func (w *walk) other(v any, level int) (any, error) {
	r := reflect.ValueOf(v)
	switch r.Kind() { //nolint:exhaustive // the rest is not known to the encoder
	case reflect.Bool:
		w.Size++
		return v, nil
	case reflect.String:
		w.Size += length(r.Len()) + r.Len()
		return v, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return w.integer(v, r.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		w.Size += head(r.Uint())
		return v, nil
	case reflect.Float32, reflect.Float64:
		w.Size += widest
		return v, nil
	case reflect.Map:
		return w.otherMap(v, r, level)
	case reflect.Slice, reflect.Array:
		return w.otherSlice(v, r, level)
	case reflect.Pointer:
		return w.pointer(v, r, level)
	case reflect.Struct:
		if r.Type().ConvertibleTo(timeType) {
			w.Size += longestTime
			return v, nil
		}
	}
	return nil, &Error{UnknownType, level}
}

// otherMap is object for maps of other types, such as mapstr.M. One in which something changes becomes a plain map.
func (w *walk) otherMap(v any, r reflect.Value, level int) (any, error) {
	if r.Type().Key().Kind() != reflect.String {
		return nil, &Error{UnknownType, level}
	}
	var plain map[string]any
	if r.CanConvert(mapType) {
		plain, _ = reflect.TypeAssert[map[string]any](r.Convert(mapType))
	} else {
		plain = make(map[string]any, r.Len())
		for entry := r.MapRange(); entry.Next(); {
			plain[entry.Key().String()] = entry.Value().Interface()
		}
	}
	before := w.Changed
	fitted, err := w.object(plain, level+1)
	if err != nil || w.Changed == before {
		return v, err
	}
	return fitted, nil
}

// otherSlice is array for slices of other types. One in which something changes becomes a []any.
func (w *walk) otherSlice(v any, r reflect.Value, level int) (any, error) {
	if r.Type().Elem().Kind() == reflect.Uint8 { // bytes are written as they are
		w.Size += length(r.Len()) + r.Len()
		return v, nil
	}
	plain := make([]any, r.Len())
	for i := range plain {
		plain[i] = r.Index(i).Interface()
	}
	before := w.Changed
	fitted, err := w.array(plain, level+1)
	if err != nil || w.Changed == before {
		return v, err
	}
	return fitted, nil
}

// pointer is value for what v points at, which is what the encoder writes.
func (w *walk) pointer(v any, r reflect.Value, level int) (any, error) {
	if r.IsNil() {
		w.Size++
		return v, nil
	}
	if level > MaxDepth {
		return nil, &Error{TooDeep, level}
	}
	before := w.Changed
	fitted, err := w.value(r.Elem().Interface(), level+1)
	if err != nil || w.Changed == before {
		return v, err
	}
	return fitted, nil
}
