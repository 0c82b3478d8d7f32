package batch

import (
	"bytes"
	"math"
	"strconv"
)

// number returns the value of a valid JSON number. An integer becomes an int64, or a uint64 beyond that. A number with a fraction
// or an exponent becomes a float64. The value is exact: its shortest form, which libbeat's encoders write, has the same decimal
// value. Otherwise number returns the literal as a string, and false.
//
// The work is linear in the length of the literal, whatever its exponent.
func number(literal []byte) (v any, exact bool) {
	if !bytes.ContainsAny(literal, ".eE") {
		v, exact = integer(literal)
	} else if d, ok := parseDecimal(literal); ok {
		v, exact = d.float()
	}
	if !exact {
		return string(literal), false
	}
	return v, true
}

// maxIntegerBytes is the length of the longest integer of 64 bits: -9223372036854775808, and 18446744073709551615.
const maxIntegerBytes = 20

// integer reads a whole number, unless it is beyond 64 bits.
func integer(literal []byte) (any, bool) {
	if len(literal) > maxIntegerBytes {
		return nil, false
	}
	n, err := strconv.ParseInt(string(literal), 10, 64)
	switch {
	case err != nil:
		u, err := strconv.ParseUint(string(literal), 10, 64)
		return u, err == nil
	case n == 0 && literal[0] == '-':
		return math.Copysign(0, -1), true // only a float keeps the sign of -0
	default:
		return n, true
	}
}

// maxDigits is the most significant digits that the shortest form of a float64 has. A number with more is no shortest form.
const maxDigits = 17

// decimal is the number ±mantissa × 10^exponent. The mantissa does not end in a zero, and zero has no exponent: decimals of
// equal value are equal.
type decimal struct {
	negative bool
	mantissa uint64
	digits   int // of the mantissa
	exponent int64
}

// parseDecimal reads a literal, unless it has more than maxDigits significant digits.
func parseDecimal(literal []byte) (decimal, bool) {
	var (
		d        decimal
		zeros    int64 // seen since the last other digit
		fraction bool
		i        int
	)
	if literal[0] == '-' {
		d.negative = true
		i++
	}
	for ; i < len(literal) && literal[i] != 'e' && literal[i] != 'E'; i++ {
		c := literal[i]
		if c == '.' {
			fraction = true
			continue
		}
		if fraction {
			d.exponent--
		}
		if c == '0' {
			zeros++
			continue
		}
		if d.mantissa == 0 {
			zeros = 0 // leading zeros count for nothing
		}
		if int64(d.digits)+zeros+1 > maxDigits {
			return decimal{}, false
		}
		for ; zeros > 0; zeros-- {
			d.mantissa *= 10
			d.digits++
		}
		d.mantissa = 10*d.mantissa + uint64(c-'0')
		d.digits++
	}
	if d.mantissa == 0 {
		return decimal{negative: d.negative}, true
	}
	d.exponent += zeros
	if i < len(literal) {
		d.exponent += parseExponent(literal[i+1:])
	}
	return d, true
}

// parseExponent reads the text after the e. It stops at a size that no number of digits in a body can offset.
func parseExponent(text []byte) int64 {
	const enough = 1 << 50
	var n int64
	for _, c := range text {
		if c == '+' || c == '-' {
			continue
		}
		if n = 10*n + int64(c-'0'); n > enough {
			n = enough
			break
		}
	}
	if text[0] == '-' {
		return -n
	}
	return n
}

const (
	// safeDigits is how many significant digits always survive the conversion to float64 and back.
	safeDigits = 15
	// safeExponent is the largest power of ten that a float64 holds exactly.
	safeExponent = 22
	// The exponents of the largest and the smallest float64, for a number written as d.ddd × 10^n.
	maxExponent = 308
	minExponent = -324
)

// float returns the float64 whose shortest form has the value of d, if there is one.
func (d decimal) float() (float64, bool) {
	f, ok := d.magnitude()
	if d.negative {
		f = -f
	}
	return f, ok
}

// magnitude is float without the sign.
func (d decimal) magnitude() (float64, bool) {
	if d.mantissa == 0 {
		return 0, true
	}
	// Mantissa and power are exact here, so a single operation gives the float64 that is nearest.
	if d.digits <= safeDigits && -safeExponent <= d.exponent && d.exponent <= safeExponent {
		if d.exponent < 0 {
			return float64(d.mantissa) / math.Pow10(int(-d.exponent)), true
		}
		return float64(d.mantissa) * math.Pow10(int(d.exponent)), true
	}
	if first := d.exponent + int64(d.digits) - 1; first < minExponent || first > maxExponent {
		return 0, false // without the error that strconv would allocate
	}

	// strconv reads only a few digits of an exponent, so it gets the normalised number and not the literal. Writing the result
	// shows whether it is exact.
	var buf [32]byte
	text := strconv.AppendUint(buf[:0], d.mantissa, 10)
	text = strconv.AppendInt(append(text, 'e'), d.exponent, 10)
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return 0, false
	}
	back, ok := parseDecimal(strconv.AppendFloat(buf[:0], f, 'e', -1, 64))
	return f, ok && back.mantissa == d.mantissa && back.exponent == d.exponent
}
