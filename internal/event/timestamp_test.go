package event_test

import (
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/internal/batch"
	"github.com/txn2/rtbeat/internal/event"
	"github.com/txn2/rtbeat/internal/inflight"
)

var received = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// timed is the form of events with the time of the field t.
func timed(t testing.TB, formats ...string) *event.Form {
	t.Helper()
	s := event.DefaultSettings()
	s.Timestamp = event.Timestamp{Field: "t", Formats: formats}
	require.NoError(t, s.Check("rtbeat."))
	return event.NewForm(s)
}

// read is the time that a form reads, or "receipt".
func read(t testing.TB, form *event.Form, text string) string {
	t.Helper()
	at, ok := form.Time(message(t, text), received)
	if !ok {
		require.Equal(t, received, at)
		return "receipt"
	}
	return at.Format(time.RFC3339Nano)
}

func TestTime(t *testing.T) {
	for _, tt := range []struct{ format, value, want string }{
		{"rfc3339", `"2026-11-30T12:34:56Z"`, "2026-11-30T12:34:56Z"},
		{"rfc3339", `"2026-11-30T12:34:56.123456789+02:00"`, "2026-11-30T10:34:56.123456789Z"},
		{"rfc3339", `"2026-11-30t12:34:56z"`, "2026-11-30T12:34:56Z"},
		{"rfc3339", `"2026-11-30 12:34:56-0130"`, "2026-11-30T14:04:56Z"},
		{"rfc3339", `"2026-11-30T12:34:56"`, "receipt"},       // of no zone
		{"rfc3339", `"2026-02-30T12:34:56Z"`, "receipt"},      // no such day
		{"rfc3339", `"9999-12-31T23:59:59-01:00"`, "receipt"}, // in the year 10000
		{"rfc3339", `"0001-01-01T00:00:00Z"`, "receipt"},      // what Go writes for no time
		{"rfc3339", `"0000-12-31T23:59:59Z"`, "receipt"},
		{"rfc3339", `1700000000`, "receipt"},
		{"rfc3339", `null`, "receipt"},
		{"rfc3339", `{"a":1}`, "receipt"},

		{"unix", `1700000000`, "2023-11-14T22:13:20Z"},
		{"unix", `"1700000000"`, "2023-11-14T22:13:20Z"},
		{"unix", `1700000000.25`, "2023-11-14T22:13:20.25Z"},
		{"unix", `1700000000.123456789`, "2023-11-14T22:13:20.123456789Z"}, // beyond a float64
		{"unix", `1.7e9`, "2023-11-14T22:13:20Z"},
		{"unix", `"1.70000000012345678901e9"`, "2023-11-14T22:13:20.123456789Z"},
		{"unix", `0`, "1970-01-01T00:00:00Z"},
		{"unix", `-1.5`, "1969-12-31T23:59:58.5Z"},
		{"unix", `253402300799.999999999`, "9999-12-31T23:59:59.999999999Z"},
		{"unix", `253402300800`, "receipt"},
		{"unix", `-62135596799`, "0001-01-01T00:00:01Z"},
		{"unix", `-62135596801`, "receipt"},
		{"unix", `18446744073709551615`, "receipt"},
		{"unix", `1e300`, "receipt"},
		{"unix", `1e-300`, "receipt"},
		{"unix", `5e-7`, "1970-01-01T00:00:00.0000005Z"},
		{"unix", `""`, "receipt"},
		{"unix", `"."`, "receipt"},
		{"unix", `"1."`, "receipt"},
		{"unix", `"-"`, "receipt"},
		{"unix", `"+1"`, "receipt"},
		{"unix", `"0x10"`, "receipt"},
		{"unix", `"1_0"`, "receipt"},
		{"unix", `" 1"`, "receipt"},
		{"unix", `"NaN"`, "receipt"},
		{"unix", `"1e"`, "receipt"},
		{"unix", `true`, "receipt"},
		{"unix", `"` + strings.Repeat("0", 65) + `"`, "receipt"},

		{"unix_ms", `1700000000123`, "2023-11-14T22:13:20.123Z"},
		{"unix_ms", `1700000000123.5`, "2023-11-14T22:13:20.1235Z"},
		{"unix_ms", `5`, "1970-01-01T00:00:00.005Z"},
		{"unix_us", `1700000000123456`, "2023-11-14T22:13:20.123456Z"},
		{"unix_ns", `1700000000123456789`, "2023-11-14T22:13:20.123456789Z"},
		{"unix_ns", `"253402300799999999999"`, "9999-12-31T23:59:59.999999999Z"}, // beyond 64 bits
		{"unix_ns", `0.9`, "1970-01-01T00:00:00Z"},

		{"02/01/2006 15:04:05", `"30/11/2026 12:34:56"`, "2026-11-30T12:34:56Z"},
		{"02/01/2006 15:04:05", `"11/30/2026 12:34:56"`, "receipt"},
		{"Mon, 02 Jan 2006 15:04:05 MST", `"Mon, 30 Nov 2026 12:34:56 GMT"`, "2026-11-30T12:34:56Z"},
		{"Mon, 02 Jan 2006 15:04:05 MST", `"Mon, 30 Nov 2026 12:34:56 EST"`, "receipt"}, // Go reads it as UTC
		{"20060102", `"20261130"`, "2026-11-30T00:00:00Z"},

		{"", `"2026-11-30T12:34:56Z"`, "2026-11-30T12:34:56Z"},
		{"", `1700000000`, "2023-11-14T22:13:20Z"},
		{"", `1700000000.5`, "2023-11-14T22:13:20.5Z"},
		{"", `1700000000123`, "2023-11-14T22:13:20.123Z"},
		{"", `1700000000123456`, "2023-11-14T22:13:20.123456Z"},
		{"", `"1700000000123456789"`, "2023-11-14T22:13:20.123456789Z"},
		{"", `99999999999`, "5138-11-16T09:46:39Z"},
		{"", `100000000000`, "1973-03-03T09:46:40Z"},
		{"", `99999999999999`, "5138-11-16T09:46:39.999Z"},
		{"", `100000000000000`, "1973-03-03T09:46:40Z"},
		{"", `99999999999999999`, "5138-11-16T09:46:39.999999Z"},
		{"", `100000000000000000`, "1973-03-03T09:46:40Z"},
	} {
		var formats []string
		if tt.format != "" {
			formats = []string{tt.format}
		}
		require.Equal(t, tt.want, read(t, timed(t, formats...), `{"t":`+tt.value+`}`), "%s %s", tt.format, tt.value)
	}
}

func TestTheFirstFormatThatFits(t *testing.T) {
	form := timed(t, "2006-01-02 15:04:05", "unix_ms", "rfc3339")
	require.Equal(t, "2026-11-30T12:34:56Z", read(t, form, `{"t":"2026-11-30 12:34:56"}`))
	require.Equal(t, "1970-01-20T16:13:20Z", read(t, form, `{"t":1700000000}`))
	require.Equal(t, "2026-11-30T12:34:56Z", read(t, form, `{"t":"2026-11-30T12:34:56Z"}`))
	require.Equal(t, "receipt", read(t, form, `{"t":"yesterday"}`))
	require.Equal(t, "receipt", read(t, form, `{}`))
}

// The field may be in a group, or have dots in its name. The message keeps it.
func TestTheFieldOfTheTime(t *testing.T) {
	s := event.DefaultSettings()
	require.Equal(t, received.Format(time.RFC3339), read(t, event.NewForm(s), `{"time":1}`), "no field is named")
	s.Timestamp.Field = "@meta.time"
	form := event.NewForm(s)
	require.Equal(t, "1970-01-01T00:00:01Z", read(t, form, `{"@meta":{"time":1}}`))
	require.Equal(t, "1970-01-01T00:00:02Z", read(t, form, `{"@meta.time":2}`))
	require.Equal(t, "receipt", read(t, form, `{"@meta":3}`))
	m := message(t, `{"@meta.time":2}`)
	_, _ = form.Time(m, received)
	require.Equal(t, mapstr.M{"@meta.time": int64(2)}, form.Fields(m, inflight.Origin{})["rxtxMsg"])
}

func TestTimestampCheck(t *testing.T) {
	for _, good := range []string{"rfc3339", "unix", "2006-01-02", "Jan _2 15:04:05 2006", "20060102150405.000", time.RFC1123Z, time.ANSIC, "2006-002", "02.01.06"} {
		s := event.DefaultSettings()
		s.Timestamp = event.Timestamp{Field: "t", Formats: []string{good}}
		require.NoError(t, s.Check("rtbeat."), good)
	}
	for _, bad := range []string{"", "UNIX_MS", "ISO8601", "epoch_millis", "yyyy-MM-dd HH:mm:ss", "%Y-%m-%d", "Jan _2 15:04:05", "15:04", "2006 15:04", "2006-13"} {
		s := event.DefaultSettings()
		s.Timestamp = event.Timestamp{Field: "t", Formats: []string{"unix", bad}}
		require.EqualError(t, s.Check("rtbeat.sources.0."), `rtbeat.sources.0.timestamp.formats.1 is "`+bad+
			`"; write rfc3339, unix, unix_ms, unix_us, unix_ns, or a layout of Go's reference time with its date, such as 2006-01-02 15:04:05`)
	}
	s := event.DefaultSettings()
	s.Timestamp.Formats = []string{"unix"}
	require.EqualError(t, s.Check("rtbeat."), "rtbeat.timestamp.formats is set, and rtbeat.timestamp.field is not; set the field of the message with the time")
}

// A time that is read is one that outputs can write. A number is read exactly: to the nanosecond, by the arithmetic of math/big.
func FuzzTime(f *testing.F) {
	for _, seed := range []string{`1700000000`, `-1.5`, `"1e9"`, `"2026-11-30T12:34:56Z"`, `1e-9`, `253402300799.9999999999`, `"0.00000000e12"`, `null`, `99999999999.5`} {
		for unit := range uint8(6) {
			f.Add(seed, unit)
		}
	}
	names := []string{"unix", "unix_ms", "unix_us", "unix_ns", "rfc3339", "02/01/2006 15:04:05.000"}
	perSecond := []int64{1, 1e3, 1e6, 1e9}
	f.Fuzz(func(t *testing.T, value string, unit uint8) {
		b, err := batch.Decode([]byte(`[{"t":`+value+`}]`), batch.Options{})
		if err != nil || len(b.Messages) != 1 {
			return
		}
		m := b.Messages[0]
		kind := int(unit) % len(names)
		at, ok := timed(t, names[kind]).Time(m, received)
		if ok {
			_, err := at.MarshalJSON()
			require.NoError(t, err)
			require.Equal(t, time.UTC, at.Location())
			require.False(t, at.IsZero())
		} else {
			require.Equal(t, received, at)
		}
		if bySize, ok := timed(t).Time(m, received); ok {
			_, err := bySize.MarshalJSON()
			require.NoError(t, err)
		}
		if kind >= len(perSecond) || len(value) > 40 || strings.ContainsAny(value, `{["_/xXpPoObB+ `) {
			return
		}
		if _, exponent, has := strings.Cut(strings.ToLower(value), "e"); has && len(exponent) > 2 {
			return // large for math/big
		}
		want, isNumber := new(big.Rat).SetString(value)
		if !isNumber {
			return
		}
		want.Mul(want, big.NewRat(1e9, perSecond[kind]))
		nanos := new(big.Int).Quo(want.Num(), want.Denom()) // towards zero, like Time
		seconds, rest := new(big.Int).QuoRem(nanos, big.NewInt(1e9), new(big.Int))
		if !ok {
			inRange := seconds.IsInt64() && seconds.Int64() > -62135596800 && seconds.Int64() < 253402300800
			require.False(t, inRange, "%s %s was not read", value, names[kind])
			return
		}
		require.Equal(t, time.Unix(seconds.Int64(), rest.Int64()).UTC(), at)
	})
}
