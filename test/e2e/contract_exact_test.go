//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// compareText compares a sent message with the message at the sink, and counts the numbers that arrived as strings.
func compareText(sent string, got json.RawMessage) (asStrings int, err error) {
	want, err := decodeNumbers([]byte(sent))
	if err != nil {
		return 0, fmt.Errorf("sent: %w", err)
	}
	return compareValue(want, got)
}

// compareValue is compareText for a parsed message. Its numbers are json.Number, as written.
func compareValue(want any, got json.RawMessage) (asStrings int, err error) {
	have, err := decodeNumbers(got)
	if err != nil {
		return 0, fmt.Errorf("arrived: %w", err)
	}
	return compare("$", want, have)
}

func decodeNumbers(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

func compare(path string, want, got any) (asStrings int, err error) {
	differ := fmt.Errorf("%s: sent %#v, arrived %#v", path, want, got)
	switch want := want.(type) {
	case map[string]any:
		have, is := got.(map[string]any)
		if !is || len(have) != len(want) {
			return 0, differ
		}
		for key, v := range want {
			other, there := have[key]
			if !there {
				return 0, fmt.Errorf("%s: key %q is missing", path, key)
			}
			n, err := compare(fmt.Sprintf("%s[%q]", path, key), v, other)
			if err != nil {
				return 0, err
			}
			asStrings += n
		}
		return asStrings, nil
	case []any:
		have, is := got.([]any)
		if !is || len(have) != len(want) {
			return 0, differ
		}
		for i, v := range want {
			n, err := compare(fmt.Sprintf("%s[%d]", path, i), v, have[i])
			if err != nil {
				return 0, err
			}
			asStrings += n
		}
		return asStrings, nil
	case json.Number:
		return compareNumber(differ, want.String(), got)
	default: // a string, a bool, or nil
		if want != got {
			return 0, differ
		}
		return 0, nil
	}
}

// compareNumber: a number that fits into 64 bits arrives as a number of the same value, any other as a string of its digits.
func compareNumber(differ error, want string, got any) (asStrings int, err error) {
	switch got := got.(type) {
	case json.Number:
		if !held(want) {
			return 0, fmt.Errorf("not as a string: %w", differ)
		}
		if decimalOf(want) != decimalOf(got.String()) {
			return 0, differ
		}
		return 0, nil
	case string:
		if held(want) || got != want {
			return 0, differ
		}
		return 1, nil
	default:
		return 0, differ
	}
}

// held says whether a number of 64 bits holds a literal: an int64 or uint64 for an integer, else a double whose shortest form has
// the same value.
func held(literal string) bool {
	if !strings.ContainsAny(literal, ".eE") {
		n, _ := new(big.Int).SetString(literal, 10)
		return n.IsInt64() || n.IsUint64()
	}
	f, err := strconv.ParseFloat(literal, 64)
	return err == nil && decimalOf(strconv.FormatFloat(f, 'e', -1, 64)) == decimalOf(literal)
}

// decimal is the value ±0.digits × 10^exponent. Two are equal exactly if their values are, with the sign of zero.
type decimal struct {
	negative bool
	digits   string // trimmed of zeros
	exponent string
}

func decimalOf(literal string) decimal {
	var d decimal
	literal, d.negative = strings.CutPrefix(literal, "-")
	mantissa, power := literal, "0"
	if at := strings.IndexAny(literal, "eE"); at >= 0 {
		mantissa, power = literal[:at], strings.TrimPrefix(literal[at+1:], "+")
	}
	exponent, _ := new(big.Int).SetString(power, 10)
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	exponent.Add(exponent, big.NewInt(int64(len(whole))))
	trimmed := strings.TrimLeft(digits, "0")
	exponent.Sub(exponent, big.NewInt(int64(len(digits)-len(trimmed))))
	if d.digits = strings.TrimRight(trimmed, "0"); d.digits != "" {
		d.exponent = exponent.String()
	}
	return d
}

// The comparison of the other tests is exact.
func TestNumbersAreComparedExactly(t *testing.T) {
	t.Parallel()
	for _, same := range [][2]string{
		{"1", "1.0"},
		{"100", "1e2"},
		{"1E+2", "100.000"},
		{"0.001", "1e-3"},
		{"-0", "-0.0e7"},
		{"12.50", "125E-1"},
		{"0.00", "0"},
		{"1e400", "10e399"},
	} {
		require.Equal(t, decimalOf(same[0]), decimalOf(same[1]), "%v", same)
	}
	for _, other := range [][2]string{{"1", "-1"}, {"0", "-0"}, {"1", "10"}, {"9007199254740993", "9007199254740992"}, {"1e-2", "1e2"}} {
		require.NotEqual(t, decimalOf(other[0]), decimalOf(other[1]), "%v", other)
	}
	for literal, want := range map[string]bool{
		"18446744073709551615": true, "18446744073709551616": false, "-9223372036854775808": true, "-9223372036854775809": false,
		"0.1": true, "0.10000000000000001": false, "1e308": true, "1e309": false, "5e-324": true, "1e-400": false, "-0": true,
		"0e999999999999999999999": true, "1e20": true, "100000000000000000000": false, "0.30000000000000004": true,
	} {
		require.Equal(t, want, held(literal), literal)
	}
}
