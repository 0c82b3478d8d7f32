package status

import (
	"math"
	"strconv"
)

// Number is a number in JSON with few digits. NaN is a number that is not known, and null in JSON.
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
