package status

import (
	"math"
	"slices"
	"strconv"
)

// Number is a number in JSON, with no more digits than anybody reads; NaN, for what is not known, is null.
type Number float64

// MarshalJSON writes up to four digits behind the point.
func (n Number) MarshalJSON() ([]byte, error) {
	v := float64(n)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	if v == math.Trunc(v) {
		return strconv.AppendFloat(nil, v, 'f', -1, 64), nil
	}
	const digits = 1e4
	return strconv.AppendFloat(nil, math.Round(v*digits)/digits, 'f', -1, 64), nil
}

// UnmarshalJSON takes what MarshalJSON writes.
func (n *Number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	v, err := strconv.ParseFloat(string(text), 64)
	*n = Number(v)
	return err
}

// sortByLastSeen puts the latest first, and of those that came together the most frequent.
func sortByLastSeen(errors []Error) {
	slices.SortStableFunc(errors, func(a, b Error) int {
		if c := b.LastSeen.Compare(a.LastSeen); c != 0 {
			return c
		}
		if a.Recent > b.Recent {
			return -1
		}
		return 1
	})
}
