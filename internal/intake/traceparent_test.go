package intake

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/inflight"
)

const (
	aTrace       = "4bf92f3577b34da6a3ce929d0e0e4736"
	aSpan        = "00f067aa0ba902b7"
	aTraceparent = "00-" + aTrace + "-" + aSpan + "-01"
)

var whole = inflight.Trace{ID: aTrace, SpanID: aSpan}

func TestTraceparents(t *testing.T) {
	for name, tt := range map[string]struct {
		lines []string
		want  inflight.Trace
	}{
		"none":                          {nil, inflight.Trace{}},
		"version 00":                    {[]string{aTraceparent}, whole},
		"no flag":                       {[]string{"00-" + aTrace + "-" + aSpan + "-00"}, whole},
		"flags that are not known":      {[]string{"00-" + aTrace + "-" + aSpan + "-ff"}, whole},
		"a later version":               {[]string{"cc-" + aTrace + "-" + aSpan + "-01"}, whole},
		"a later version, with more":    {[]string{"cc-" + aTrace + "-" + aSpan + "-01-what the future will be like"}, whole},
		"a later version, with nothing": {[]string{"cc-" + aTrace + "-" + aSpan + "-01-"}, whole},

		"a later version, with more and no hyphen": {[]string{"cc-" + aTrace + "-" + aSpan + "-01.what"}, inflight.Trace{}},
		"a later version, cut off":                 {[]string{"cc-" + aTrace + "-" + aSpan + "-0"}, inflight.Trace{}},
		"version 00, with more":                    {[]string{aTraceparent + "-what"}, inflight.Trace{}},
		"version 00, with a hyphen":                {[]string{aTraceparent + "-"}, inflight.Trace{}},
		"version 00, with a blank":                 {[]string{aTraceparent + " "}, inflight.Trace{}},
		"version ff":                               {[]string{"ff-" + aTrace + "-" + aSpan + "-01"}, inflight.Trace{}},
		"a version in capitals":                    {[]string{"CC-" + aTrace + "-" + aSpan + "-01"}, inflight.Trace{}},
		"a version of one digit":                   {[]string{"0-" + aTrace + "-" + aSpan + "-010"}, inflight.Trace{}},
		"a version that is none":                   {[]string{".0-" + aTrace + "-" + aSpan + "-01"}, inflight.Trace{}},
		"flags that are none":                      {[]string{"00-" + aTrace + "-" + aSpan + "-.0"}, inflight.Trace{}},
		"flags in capitals":                        {[]string{"00-" + aTrace + "-" + aSpan + "-0A"}, inflight.Trace{}},
		"one flag":                                 {[]string{"00-" + aTrace + "-" + aSpan + "-1"}, inflight.Trace{}},
		"a trace id of zeros":                      {[]string{"00-" + strings.Repeat("0", 32) + "-" + aSpan + "-01"}, inflight.Trace{}},
		"a span id of zeros":                       {[]string{"00-" + aTrace + "-" + strings.Repeat("0", 16) + "-01"}, inflight.Trace{}},
		"a trace id in capitals":                   {[]string{"00-" + strings.ToUpper(aTrace) + "-" + aSpan + "-01"}, inflight.Trace{}},
		"a span id in capitals":                    {[]string{"00-" + aTrace + "-" + strings.ToUpper(aSpan) + "-01"}, inflight.Trace{}},
		"a trace id that is none":                  {[]string{"00-" + aTrace[:31] + "." + "-" + aSpan + "-01"}, inflight.Trace{}},
		"a span id that is none":                   {[]string{"00-" + aTrace + "-" + aSpan[:15] + "." + "-01"}, inflight.Trace{}},
		"hyphens elsewhere":                        {[]string{"00-" + aTrace[:31] + "-0-" + aSpan[:15] + "-" + "-01"}, inflight.Trace{}},
		"another mark between the first two":       {[]string{"00_" + aTrace + "-" + aSpan + "-01"}, inflight.Trace{}},
		"another mark between the ids":             {[]string{"00-" + aTrace + "_" + aSpan + "-01"}, inflight.Trace{}},
		"another mark before the flags":            {[]string{"00-" + aTrace + "-" + aSpan + "_01"}, inflight.Trace{}},
		"twice":                                    {[]string{aTraceparent, aTraceparent}, inflight.Trace{}},
		"two of them, and one is none":             {[]string{aTraceparent, ""}, inflight.Trace{}},
		"a list":                                   {[]string{aTraceparent + "," + aTraceparent}, inflight.Trace{}},
		"empty":                                    {[]string{""}, inflight.Trace{}},
		"long":                                     {[]string{strings.Repeat("0", 8000)}, inflight.Trace{}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tt.want, traceOf(tt.lines)) })
	}
}

// A batch that was answered 504 stays in flight until the ack, when its request no longer counts.
func TestATraceKeepsNothingElseOfItsHeader(t *testing.T) {
	line := "cc-" + aTrace + "-" + aSpan + "-01-" + strings.Repeat("x", 8000)
	trace := traceOf([]string{line})
	require.Equal(t, whole, trace)
	require.NotSame(t, unsafe.StringData(line[traceIDStart:]), unsafe.StringData(trace.ID))
	require.NotSame(t, unsafe.StringData(line[spanIDStart:]), unsafe.StringData(trace.SpanID))
}

// The result is empty, or two ids that are safe in a log.
func FuzzTraceparent(f *testing.F) {
	for _, seed := range []string{aTraceparent, "cc-" + aTrace + "-" + aSpan + "-01-more", "00-" + strings.Repeat("0", 32) + "-" + aSpan + "-01", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		trace := traceOf([]string{line})
		if trace == (inflight.Trace{}) {
			return
		}
		id, err := hex.DecodeString(trace.ID)
		require.NoError(t, err)
		require.Len(t, id, 16)
		span, err := hex.DecodeString(trace.SpanID)
		require.NoError(t, err)
		require.Len(t, span, 8)
		require.NotZero(t, [16]byte(id))
		require.NotZero(t, [8]byte(span))
		require.True(t, strings.HasPrefix(line[2:], "-"+trace.ID+"-"+trace.SpanID+"-"))
		require.Equal(t, strings.ToLower(line[:55]), line[:55])
		if line[:2] == "00" {
			require.Len(t, line, 55)
		}
	})
}

func TestATraceparentDoesNotAllocate(t *testing.T) {
	none, one := http.Header{}, http.Header{"Traceparent": {aTraceparent}}
	require.Zero(t, testing.AllocsPerRun(100, func() { traceOf(none["Traceparent"]) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { traceOf(one["Traceparent"]) }))
}

func TestATraceGoesIntoTheBatchAndTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ask := func(headers ...string) (*call, *taken) {
			req := r.request(`{"messages":[{"uuid":"` + strings.Join(headers, "") + `"}]}`)
			for _, h := range headers {
				req.Header.Add("Traceparent", h)
			}
			c := r.start(req)
			return c, r.take()
		}
		for _, tt := range []struct {
			headers []string
			want    inflight.Trace
		}{
			{[]string{aTraceparent}, whole},
			{[]string{aTraceparent, aTraceparent}, inflight.Trace{}},
			{[]string{marker}, inflight.Trace{}},
			{nil, inflight.Trace{}},
		} {
			c, job := ask(tt.headers...)
			require.Equal(t, tt.want, job.Trace)
			job.deliver()
			c.requireAnswer(delivered)
		}
		var logged []any
		for _, line := range r.log.about(delivered) {
			logged = append(logged, line.fields["trace.id"])
		}
		require.Equal(t, []any{aTrace, nil, nil, nil}, logged)

		req := r.request("{")
		req.Header.Set("Traceparent", aTraceparent)
		r.do(req).requireAnswer(malformedJSON)
		require.Equal(t, aTrace, r.log.about(malformedJSON)[0].fields["trace.id"])
		require.NotContains(t, r.log.text(), marker)
	})
}

// The trace in each event counts. A batch without a trace does not weigh more.
func TestATraceWeighs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		used := func(traceparent string) int64 {
			req := r.request(messages(10))
			req.Header.Set("Traceparent", traceparent)
			c := r.start(req)
			job := r.take()
			n := r.admission.Used()
			job.deliver()
			c.requireAnswer(delivered)
			require.Zero(t, r.admission.Used())
			return n
		}
		plain, _ := weigh(messages(10))
		require.Equal(t, plain, used("none"))
		require.Equal(t, plain+10*traceWeight, used(aTraceparent))
	})
}
