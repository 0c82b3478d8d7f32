package event

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/internal/batch"
)

// Timestamp is the field of the message that has the time of the event.
type Timestamp struct {
	// Field is the field of the message with the time that becomes `@timestamp`. A dot leads into a group. Without this setting,
	// `@timestamp` is the time of receipt. A message keeps that time if its own is missing, cannot be read, or is not in the
	// years 1 to 9999; `rtbeat_timestamp_failures_total` counts these.
	Field string `config:"field" show:"text"`

	// Formats are the formats of the time, tried in order. `rfc3339` is as in `2006-01-02T15:04:05.999Z`. `unix`, `unix_ms`,
	// `unix_us` and `unix_ns` are the seconds, milliseconds, microseconds and nanoseconds since 1970, as a number or a text,
	// with a fraction or without. Any other text is a layout of [Go's reference time](https://pkg.go.dev/time#pkg-constants),
	// such as `02/01/2006 15:04:05`; without a zone, the time is UTC. An empty list reads RFC 3339, and a number as one of the
	// four units by its size: seconds with up to 11 digits, milliseconds with up to 14, microseconds with up to 17.
	Formats []string `config:"formats" show:"text"`
}

func (s *Timestamp) check(prefix string) error {
	if s.Field == "" && len(s.Formats) > 0 {
		return fmt.Errorf("%stimestamp.formats is set, and %[1]stimestamp.field is not; set the field of the message with the time", prefix)
	}
	for i, name := range s.Formats {
		if _, isNamed := timeFormats[name]; !isNamed && !isLayout(name) {
			return fmt.Errorf("%stimestamp.formats.%d is %q; write rfc3339, unix, unix_ms, unix_us, unix_ns, or a layout of Go's reference time with its date, such as 2006-01-02 15:04:05",
				prefix, i, name)
		}
	}
	return nil
}

// isLayout tells whether a layout writes and reads a date. Without its year, every event would be in the year 0.
func isLayout(layout string) bool {
	sample := time.Date(1987, time.November, 29, 21, 43, 56, 0, time.UTC)
	read, err := time.Parse(layout, sample.Format(layout))
	return err == nil && read.Year() == sample.Year() && read.YearDay() == sample.YearDay()
}

// timeFormat reads a time, of a text or a number.
type timeFormat func(value any) (time.Time, bool)

// timeFormats are the formats with a name.
var timeFormats = map[string]timeFormat{
	"rfc3339": rfc3339,
	"unix":    unix(0),
	"unix_ms": unix(-3),
	"unix_us": unix(-6),
	"unix_ns": unix(-9),
}

func newTimeFormats(names []string) (formats []timeFormat) {
	if len(names) == 0 {
		return []timeFormat{rfc3339, unixBySize}
	}
	for _, name := range names {
		format, isNamed := timeFormats[name]
		if !isNamed {
			format = layouts(name)
		}
		formats = append(formats, format)
	}
	return formats
}

// Time returns the time of a message's event: of the message if the settings name its field, else the time of receipt. It is not
// ok when the time of a valid message could not be read. Call it before Fields.
func (f *Form) Time(m batch.Message, received time.Time) (at time.Time, ok bool) {
	if !f.HasTime() || m.Failure != nil {
		return received, true
	}
	value, err := mapstr.M(m.Fields).GetValue(f.settings.Timestamp.Field)
	if err != nil {
		return received, false
	}
	for _, format := range f.timeFormats {
		if at, ok = format(value); ok {
			return at, true
		}
	}
	return received, false
}

// inRange returns the time in UTC, if outputs can write its year. A Go program that has no time writes the zero time.
func inRange(t time.Time) (time.Time, bool) {
	t = t.UTC()
	return t, t.Year() >= 1 && t.Year() <= 9999 && !t.IsZero()
}

// maxTimeText is the longest text that is read as a time, in bytes. A float64 with its digits is shorter, except for numbers that are
// no time.
const maxTimeText = 64

var rfc3339Layouts = layouts("2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05Z0700")

// rfc3339 accepts a space for the T and lower case, which RFC 3339 allows, and an offset without its colon.
func rfc3339(value any) (time.Time, bool) {
	if text, isText := value.(string); isText && len(text) <= maxTimeText {
		return rfc3339Layouts(strings.ToUpper(text))
	}
	return time.Time{}, false
}

// layouts reads a text by the first layout that fits.
func layouts(layouts ...string) timeFormat {
	return func(value any) (time.Time, bool) {
		text, isText := value.(string)
		if !isText || len(text) > maxTimeText {
			return time.Time{}, false
		}
		for _, layout := range layouts {
			if t, err := time.Parse(layout, text); err == nil && hasKnownZone(t, layout) {
				return inRange(t)
			}
		}
		return time.Time{}, false
	}
}

// hasKnownZone is false for an abbreviation such as EST. Many zones share one, and Go reads all but UTC and GMT as UTC.
func hasKnownZone(t time.Time, layout string) bool {
	name, offset := t.Zone()
	return offset != 0 || !strings.Contains(layout, "MST") || name == "UTC" || strings.HasPrefix(name, "GMT")
}

// unix reads a number of units of 10^exponent seconds.
func unix(exponent int) timeFormat {
	return func(value any) (time.Time, bool) {
		n, ok := decimalOf(value)
		if !ok {
			return time.Time{}, false
		}
		return n.time(exponent)
	}
}

// unixBySize takes the unit from the number of digits. With these limits each unit reads the times from 1973 to 5138.
func unixBySize(value any) (time.Time, bool) {
	n, ok := decimalOf(value)
	switch {
	case !ok:
		return time.Time{}, false
	case n.whole <= 11:
		return n.time(0)
	case n.whole <= 14:
		return n.time(-3)
	case n.whole <= 17:
		return n.time(-6)
	default:
		return n.time(-9)
	}
}

// decimal is a number as its digits, without leading zeros. It loses nothing, unlike a float64.
type decimal struct {
	negative bool
	digits   string
	whole    int // the number of digits before the point; negative for zeros behind the point
}

// decimalOf reads a number of a message, or a text of digits.
func decimalOf(value any) (n decimal, ok bool) {
	var text string
	switch v := value.(type) {
	case int64:
		text = strconv.FormatInt(v, 10)
	case uint64:
		text = strconv.FormatUint(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'e', -1, 64)
	case string:
		text = v
	}
	if text == "" || len(text) > maxTimeText {
		return decimal{}, false
	}
	if rest, isNegative := strings.CutPrefix(text, "-"); isNegative {
		n.negative, text = true, rest
	}
	text, exponent, hasExponent := strings.Cut(strings.ToLower(text), "e")
	if hasExponent {
		e, err := strconv.Atoi(exponent)
		if err != nil || max(e, -e) > 2*maxTimeText {
			return decimal{}, false
		}
		n.whole = e
	}
	whole, fraction, hasPoint := strings.Cut(text, ".")
	if whole == "" || hasPoint && fraction == "" || strings.ContainsFunc(whole+fraction, isNoDigit) {
		return decimal{}, false
	}
	n.digits = strings.TrimLeft(whole+fraction, "0")
	n.whole += len(whole) - (len(whole) + len(fraction) - len(n.digits))
	return n, true
}

func isNoDigit(r rune) bool { return r < '0' || r > '9' }

// maxSecondsDigits is the number of digits of the last second of the year 9999, 253402300799.
const maxSecondsDigits = 12

// time is the time of the number in units of 10^exponent seconds after 1970. Parts of a nanosecond are cut off.
func (n decimal) time(exponent int) (time.Time, bool) {
	const nanoDigits = 9
	point := n.whole + exponent // the digits before it are seconds
	if point > maxSecondsDigits {
		return time.Time{}, false
	}
	digits := n.digits
	if point < 0 {
		digits, point = strings.Repeat("0", -point)+digits, 0
	}
	digits += strings.Repeat("0", max(point+nanoDigits-len(digits), 0))
	seconds, _ := strconv.ParseInt("0"+digits[:point], 10, 64) // digits, and few
	nanos, _ := strconv.ParseInt(digits[point:point+nanoDigits], 10, 64)
	if n.negative {
		seconds, nanos = -seconds, -nanos
	}
	return inRange(time.Unix(seconds, nanos))
}
