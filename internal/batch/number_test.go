package batch

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumber(t *testing.T) {
	negativeZero := math.Copysign(0, -1)

	for literal, want := range map[string]any{
		"0":                     int64(0),
		"1":                     int64(1),
		"-1":                    int64(-1),
		"9007199254740993":      int64(9007199254740993), // 2^53+1, which a float64 cannot hold
		"-9007199254740993":     int64(-9007199254740993),
		"9223372036854775807":   int64(math.MaxInt64),
		"-9223372036854775808":  int64(math.MinInt64),
		"9223372036854775808":   uint64(1 << 63),
		"18446744073709551615":  uint64(math.MaxUint64),
		"18446744073709551616":  "18446744073709551616",
		"-9223372036854775809":  "-9223372036854775809",
		"-18446744073709551616": "-18446744073709551616",
		"99999999999999999999":  "99999999999999999999",
		"100000000000000000000": "100000000000000000000", // a float64 could hold it, but an integer stays one

		"-0":     negativeZero,
		"-0.0":   negativeZero,
		"-0e-5":  negativeZero,
		"0.0":    0.0,
		"0e999":  0.0,
		"0E+999": 0.0,

		"1.0":       1.0,
		"1.5":       1.5,
		"-1.50":     -1.5,
		"0.1":       0.1,
		"1e2":       100.0,
		"1E+2":      100.0,
		"120e-1":    12.0,
		"52.520008": 52.520008,
		"1e22":      1e22,
		"1e23":      1e23,
		"5e-22":     5e-22,
		"5e-23":     5e-23,

		"0.30000000000000004":       0.30000000000000004, // 17 digits, the shortest form of 0.1+0.2
		"0.30000000000000005":       "0.30000000000000005",
		"0.3000000000000000":        0.3,
		"0.30000000000000000001":    "0.30000000000000000001",
		"3.141592653589793":         math.Pi,
		"3.14159265358979323846":    "3.14159265358979323846",
		"9007199254740992.0":        9007199254740992.0,
		"9007199254740993.0":        "9007199254740993.0",
		"123456789012345678e0":      "123456789012345678e0",
		"1.7976931348623157e308":    math.MaxFloat64,
		"17976931348623157e292":     math.MaxFloat64,
		"1.7976931348623159e308":    "1.7976931348623159e308",
		"1.8e308":                   "1.8e308",
		"1e309":                     "1e309",
		"-1e400":                    "-1e400",
		"5e-324":                    math.SmallestNonzeroFloat64,
		"4.9e-324":                  "4.9e-324",
		"4.9406564584124654e-324":   "4.9406564584124654e-324",
		"2.2250738585072014e-308":   2.2250738585072014e-308,
		"3e-324":                    "3e-324",
		"1e-400":                    "1e-400",
		"1e999999999":               "1e999999999",
		"1e-999999999":              "1e-999999999",
		"1e9223372036854775808":     "1e9223372036854775808",
		"1e-9223372036854775809":    "1e-9223372036854775809",
		"1e0000000000000000000001":  10.0,
		"100000000000000000000e-20": 1.0,
	} {
		got, exact := number([]byte(literal))
		require.Equal(t, want, got, literal)
		_, isString := want.(string)
		require.Equal(t, !isString, exact, literal)
		if literal[0] == '-' && want == 0.0 {
			require.Equal(t, "-0", fmt.Sprint(got), literal) // Equal takes -0 for 0
		}
	}
}

// The exponent may offset more digits than strconv reads of an exponent.
func TestNumberWithManyZeros(t *testing.T) {
	for _, n := range []int{300, 9_999, 10_001, 200_001} {
		zeros := strings.Repeat("0", n)
		for literal, want := range map[string]any{
			"0." + zeros + "15e" + strconv.Itoa(n+1): 1.5,
			"15" + zeros + "e-" + strconv.Itoa(n+1):  1.5,
			"1.5" + zeros:                            1.5,
		} {
			got, exact := number([]byte(literal))
			require.Equal(t, want, got, "%d zeros", n)
			require.True(t, exact)
		}
	}
}

func TestNumberKeepsIntegers(t *testing.T) {
	edges := []int64{0, 9, 10, 1 << 31, 1 << 32, 1 << 53, 1<<53 + 1, 1e15, 1e16, 1e17, 1e18, math.MaxInt64 - 1, math.MaxInt64}
	for _, edge := range edges {
		for delta := int64(-3); delta <= 3; delta++ {
			for _, n := range []int64{edge + delta, -edge - delta} { // may wrap around, into more edges
				if n == 0 {
					continue
				}
				got, _ := number(strconv.AppendInt(nil, n, 10))
				require.Equal(t, n, got)
				if u := uint64(n); u > math.MaxInt64 {
					got, _ = number(strconv.AppendUint(nil, u, 10))
					require.Equal(t, u, got)
				}
			}
		}
	}
}

// Every float64, in every form, is read back as the same float64.
func TestNumberKeepsFloats(t *testing.T) {
	random := newRandom(t)
	for range 200_000 {
		f := math.Float64frombits(random.Uint64())
		if math.IsNaN(f) || math.IsInf(f, 0) {
			continue
		}
		format := "eEg"[random.IntN(3)]
		literal := strconv.AppendFloat(nil, f, format, -1, 64)
		if !bytes.ContainsAny(literal, ".eE") {
			continue
		}
		got, exact := number(literal)
		require.True(t, exact, "%s", literal)
		back, _ := got.(float64)
		require.Equal(t, math.Float64bits(f), math.Float64bits(back), "%s", literal)
	}
}

// Every literal keeps its value, and becomes a string only if no Go number holds it.
func TestNumberIsExact(t *testing.T) {
	random := newRandom(t)
	var floats, texts int
	for range 200_000 {
		literal := randomNumber(random)
		got, exact := number([]byte(literal))
		require.NoError(t, checkNumber(literal, got), literal)
		switch got.(type) {
		case float64:
			floats++
		case string:
			texts++
		}
		_, isString := got.(string)
		require.Equal(t, !isString, exact)
	}
	require.Greater(t, floats, 1000)
	require.Greater(t, texts, 1000)
}

// randomNumber returns a literal, often at an edge.
func randomNumber(random *rand.Rand) string {
	digits := func(most int) string {
		b := make([]byte, 1+random.IntN(most))
		for i := range b {
			b[i] = "00123456789999"[random.IntN(14)]
		}
		return string(b)
	}
	var s strings.Builder
	if random.IntN(4) == 0 {
		s.WriteByte('-')
	}
	switch random.IntN(5) {
	case 0:
		s.WriteByte('0')
	case 1:
		fmt.Fprint(&s, random.Uint64())
	default:
		s.WriteString(strings.TrimLeft(digits(22), "0"))
		s.WriteByte("123456789"[random.IntN(9)])
	}
	if random.IntN(2) == 0 {
		s.WriteByte('.')
		s.WriteString(digits(1 + random.IntN(22)))
	}
	if random.IntN(2) == 0 {
		s.WriteByte("eE"[random.IntN(2)])
		s.WriteString([]string{"", "+", "-"}[random.IntN(3)])
		s.WriteString(digits([]int{1, 2, 3, 30}[random.IntN(4)]))
	}
	return s.String()
}
