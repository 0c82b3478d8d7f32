package persist_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/persist"
)

func TestOnlyTheIntegersThatComeBackWrongAreChanged(t *testing.T) {
	for _, c := range []struct {
		from, to int64
		changed  bool
	}{
		{math.MinInt64, math.MinInt64 + 1, false},
		{-1<<32 - 2, -1<<32 - 1, false},
		{-1 << 32, -1<<32 + 1, true},
		{-1<<31 - 2, -1<<31 - 1, true},
		{-1 << 31, -1<<31 + 1, false},
		{-1<<16 - 2, -1<<16 - 1, false},
		{-1 << 16, -1<<16 + 1, true},
		{-1<<15 - 2, -1<<15 - 1, true},
		{-1 << 15, -1<<15 + 1, false},
		{-258, -257, false},
		{-256, -129, true},
		{-128, 300, false},
		{1<<15 - 2, 1<<15 + 2, false},
		{1<<31 - 2, 1<<31 + 2, false},
		{math.MaxInt64 - 1, math.MaxInt64 - 1, false},
	} {
		for n := c.from; n <= c.to; n++ {
			fitted, report, err := persist.Fit(map[string]any{"n": n})
			require.NoError(t, err)
			if !c.changed {
				require.Equal(t, map[string]any{"n": n}, fitted)
				require.Zero(t, report.Changed)
				continue
			}
			f, isFloat := fitted["n"].(float64)
			require.Truef(t, isFloat, "%d stays an integer", n)
			require.Equal(t, n, int64(f), "a float64 holds it exactly")
			require.Equal(t, 1, report.Changed)
		}
	}
}

func TestNothingIsWrittenTo(t *testing.T) {
	inner := map[string]any{"list": []any{int64(1), int64(-200), map[string]any{"deep": int64(-200)}}, "same": []any{int64(3)}}
	fields := map[string]any{"inner": inner, "kept": map[string]any{"a": "b"}}
	fitted, report, err := persist.Fit(fields)
	require.NoError(t, err)
	require.Equal(t, 2, report.Changed)
	require.Equal(t, map[string]any{
		"inner": map[string]any{"list": []any{int64(1), float64(-200), map[string]any{"deep": float64(-200)}}, "same": []any{int64(3)}},
		"kept":  map[string]any{"a": "b"},
	}, fitted)
	require.Equal(t, map[string]any{"list": []any{int64(1), int64(-200), map[string]any{"deep": int64(-200)}}, "same": []any{int64(3)}}, inner)
}

func TestRefuses(t *testing.T) {
	nested := func(levels int, innermost any) map[string]any {
		v := innermost
		for range levels - 1 {
			v = []any{v}
		}
		return map[string]any{"v": v}
	}
	for name, c := range map[string]struct {
		fields map[string]any
		want   persist.Error
	}{
		"an empty key":              {map[string]any{"": 1}, persist.Error{Reason: persist.EmptyKey, Level: 1}},
		"an empty key further down": {nested(3, map[string]any{"": nil}), persist.Error{Reason: persist.EmptyKey, Level: 4}},
		"an empty key in a map of another type": {
			map[string]any{"m": map[string]string{"": ""}}, persist.Error{Reason: persist.EmptyKey, Level: 2},
		},
		"a value that nothing can write": {nested(2, make(chan int)), persist.Error{Reason: persist.UnknownType, Level: 2}},
		"a map without strings for keys": {map[string]any{"m": map[int]int{}}, persist.Error{Reason: persist.UnknownType, Level: 1}},
		"depth without end":              {nested(persist.MaxDepth+1, "x"), persist.Error{Reason: persist.TooDeep, Level: persist.MaxDepth + 1}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := persist.Fit(c.fields)
			var refused *persist.Error
			require.ErrorAs(t, err, &refused)
			require.Equal(t, c.want, *refused)
		})
	}
	_, _, err := persist.Fit(nested(persist.MaxDepth, "x"))
	require.NoError(t, err)
}

func TestErrorsQuoteNothing(t *testing.T) {
	_, _, err := persist.Fit(map[string]any{"secret": map[string]any{"": "password"}})
	require.EqualError(t, err, "an object has an empty key (on level 2): the disk queue cannot carry that")
}

type object map[string]any

func TestKnowsWhatProcessorsMake(t *testing.T) {
	small, list := int16(-200), []int32{-200, 1}
	fitted, report, err := persist.Fit(map[string]any{
		"kept": object{"a": []string{"b"}, "b": []byte("\xff"), "i": 1, "u": uint8(2), "f": float32(1.5), "s": persist.Reason("x"), "t": time.Now(), "n": (*int)(nil), "y": true},
		"map":  object{"a": small}, "list": list, "pointer": &small, "narrow": map[string]int{"a": -200}, "d": []time.Duration{-200},
	})
	require.NoError(t, err)
	require.Equal(t, 5, report.Changed)
	require.IsType(t, object{}, fitted["kept"])
	delete(fitted, "kept")
	require.Equal(t, map[string]any{
		"map": map[string]any{"a": float64(-200)}, "list": []any{float64(-200), int32(1)}, "pointer": float64(-200),
		"narrow": map[string]any{"a": float64(-200)}, "d": []any{float64(-200)},
	}, fitted)
	require.Equal(t, []int32{-200, 1}, list)
}

// TestSize holds the size against CBOR, byte for byte; test/durable holds it against the queue's own encoder.
func TestSize(t *testing.T) {
	for _, c := range []struct {
		value any
		size  int
	}{
		{nil, 1},
		{true, 1},
		{int64(23), 1},
		{int64(24), 2},
		{int64(-24), 1},
		{int64(-25), 2},
		{int64(256), 3},
		{uint64(1) << 63, 9},
		{1.5, 9},
		{int64(-200), 9},
		{"", 1},
		{strings.Repeat("x", 24), 26},
		{strings.Repeat("x", 70000), 70005},
		{[]any{}, 1},
		{make([]any, 24), 26},
		{map[string]any{"a": nil}, 4},
	} {
		_, report, err := persist.Fit(map[string]any{"k": c.value})
		require.NoError(t, err)
		require.Equalf(t, c.size, report.Size-3, "%T %.20v", c.value, c.value)
	}
}

func BenchmarkFit(b *testing.B) {
	fields := map[string]any{"seq": "00000000000000000041", "time": "2026-03-14T09:15:00Z", "uuid": "2d4ae1d5-3ac5-4c1a-9f0e-0c8e5a6a5a01", "producer": "press-hall-2", "label": "vibration", "key": "a", "payload": map[string]any{"x": 1.5, "y": int64(-3), "list": []any{int64(1), int64(2), int64(3)}}}
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = persist.Fit(fields)
	}
}
