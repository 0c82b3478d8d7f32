package intake

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// marker is in bodies and headers that are refused. No answer and no log line may have it.
const marker = "s3cr3t"

// requireNoMarker checks that nothing of the request is in the answer or in the log.
func requireNoMarker(t *testing.T, r *rig, c *call) {
	t.Helper()
	require.NotContains(t, c.recorder.Body.String(), marker)
	require.NotContains(t, fmt.Sprint(c.recorder.Header()), marker)
	require.NotContains(t, r.log.text(), marker)
}

func TestABodyThatIsNoBatchIsA400WithItsOffset(t *testing.T) {
	deep := `{"messages":[` + strings.Repeat(`{"`+marker+`":`, 129) + `1` + strings.Repeat(`}`, 129) + `]}`
	longKey := strings.Repeat("k", 1000)
	longString := strings.Repeat("s", 2000)
	for name, tt := range map[string]struct {
		body   string
		want   outcome
		offset string
	}{
		"no bytes":             {"", emptyBody, `"offset":0}`},
		"white space":          {" \n\t", emptyBody, `"offset":3}`},
		"not JSON":             {marker, malformedJSON, `"offset":0}`},
		"cut off":              {`{"messages":[{"uuid":"` + marker + `"}`, malformedJSON, `"offset":30}`},
		"cut off in a string":  {`{"messages":[{},{"uuid":"` + marker, malformedJSON, `"offset":31,"index":1}`},
		"a stray word":         {`{"messages":[{},{"a":` + marker + `}]}`, malformedJSON, `"offset":21,"index":1}`},
		"a key twice":          {`{"messages":[{"` + marker + `":1,"` + marker + `":2}]}`, malformedJSON, `"offset":25,"index":0}`},
		"an invalid escape":    {`{"messages":[{"a":"` + marker + `\q"}]}`, malformedJSON, `"offset":25,"index":0}`},
		"invalid UTF-8":        {`{"messages":[{"a":"` + marker + "\xff" + `"}]}`, malformedJSON, `"offset":25,"index":0}`},
		"a control character":  {`{"messages":[{"a":"` + marker + "\x01" + `"}]}`, malformedJSON, `"offset":25,"index":0}`},
		"more behind it":       {`{"messages":[]} ` + marker, malformedJSON, `"offset":16}`},
		"too deep":             {deep, tooDeep, `"offset":1293,"index":0}`},
		"a long key":           {`{"messages":[{},{"` + marker + longKey + `":1}]}`, keyTooLong, `"offset":17,"index":1}`},
		"a long string":        {`{"messages":[{"a":"` + marker + longString + `"}]}`, stringTooLong, `"offset":18,"index":0}`},
		"an array of strings":  {`[{},"` + marker + `"]`, wrongShape, `"offset":4,"index":1}`},
		"a string":             {`"` + marker + `"`, wrongShape, `"offset":0}`},
		"a batch among others": {`{"messages":[]}{"` + marker + `":1}`, wrongShape, `"offset":15}`},
		"a batch behind":       {`{"a":1}{"messages":["` + marker + `"]}`, wrongShape, `"offset":7}`},
		"a message no object":  {`{"messages":[{},"` + marker + `"]}`, wrongShape, `"offset":16,"index":1}`},
		"size no number":       {`{"size":"` + marker + `","messages":[]}`, wrongShape, `"offset":8}`},
		"another size":         {`{"size":2,"messages":[{"uuid":"` + marker + `"}]}`, sizeMismatch, `"offset":8}`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, announced := range []bool{true, false} {
				r := newRig(t, func(l *limits) { l.MaxBody, l.MaxDepth, l.MaxKey = 10_000, 128, 1000 })
				r.server.endpoints[0].limits.MaxStringBytes = 2000 // no setting
				req := r.request(tt.body)
				if !announced {
					req = r.chunked(strings.NewReader(tt.body))
				}
				c := r.do(req)
				body := c.requireAnswer(tt.want)
				require.Equal(t, http.StatusBadRequest, c.recorder.Code)
				require.True(t, strings.HasSuffix(body, tt.offset+"\n"), body)
				requireNoMarker(t, r, c)
				require.Len(t, r.log.about(tt.want), 1)
				r.requireUntouched()
				r.requireAnswers("400 " + outcomes[tt.want].reason)
			}
		})
	}
}

func TestABodyRefusedByItsHeadersIsNotRead(t *testing.T) {
	header := func(pairs ...string) http.Header {
		h := make(http.Header)
		for i := 0; i < len(pairs); i += 2 {
			h.Add(pairs[i], pairs[i+1])
		}
		return h
	}
	const taken = delivered
	for name, tt := range map[string]struct {
		header http.Header
		want   outcome
	}{
		"nothing said":         {nil, taken},
		"JSON":                 {header("Content-Type", "application/json"), taken},
		"JSON in capitals":     {header("Content-Type", "Application/JSON"), taken},
		"UTF-8":                {header("Content-Type", "application/json; charset=utf-8"), taken},
		"UTF-8 in capitals":    {header("Content-Type", "application/json;charset=UTF-8"), taken},
		"UTF-8 in quotes":      {header("Content-Type", `application/json; charset="Utf-8"`), taken},
		"another parameter":    {header("Content-Type", "application/json; v=1"), taken},
		"identity":             {header("Content-Encoding", "identity"), taken},
		"Identity":             {header("Content-Encoding", "Identity"), taken},
		"text":                 {header("Content-Type", "text/"+marker), unsupportedType},
		"a form":               {header("Content-Type", "application/x-www-form-urlencoded"), unsupportedType},
		"JSON of another kind": {header("Content-Type", "application/json+"+marker), unsupportedType},
		"a list":               {header("Content-Type", "application/json, text/plain"), unsupportedType},
		"no type":              {header("Content-Type", ";"+marker), unsupportedType},
		"a broken parameter":   {header("Content-Type", "application/json; charset"), taken},
		"empty":                {header("Content-Type", ""), taken},
		"JSON as text":         {header("Content-Type", "text/json"), taken},
		"JSON of a kind":       {header("Content-Type", "application/cloudevents+json"), taken},
		"a broken profile":     {header("Content-Type", "application/json; profile=urn:example:v:1.0; charset=utf-8"), taken},
		"broken, in Latin 1":   {header("Content-Type", "application/json; profile=urn:example:v:1.0; charset=latin1"), unsupportedType},
		"two charsets":         {header("Content-Type", "application/json; charset=utf-8; charset=latin1"), unsupportedType},
		"ASCII":                {header("Content-Type", "application/json; charset=US-ASCII"), taken},
		"nothing of JSON":      {header("Content-Type", "+json"), unsupportedType},
		"a stream":             {header("Content-Type", "application/stream+json"), taken},
		"lines":                {header("Content-Type", "application/x-ldjson; charset=us-ascii"), taken},
		"another charset":      {header("Content-Type", "application/json; charset="+marker), unsupportedType},
		"UTF-16":               {header("Content-Type", "application/json; charset=utf-16"), unsupportedType},
		"another encoding":     {header("Content-Encoding", marker), unsupportedEncoding},
		"two encodings":        {header("Content-Encoding", "deflate, gzip"), unsupportedEncoding},
		"two headers for it":   {header("Content-Encoding", "deflate", "Content-Encoding", "gzip"), unsupportedEncoding},
		"two types":            {header("Content-Type", "application/json", "Content-Type", "application/json"), unsupportedType},
		"UTF-8, misspelt":      {header("Content-Type", "application/json; charset=utf8"), taken},
		"NDJSON":               {header("Content-Type", "application/x-ndjson"), taken},
		"NDJSON, registered":   {header("Content-Type", "application/ndjson; charset=utf-8"), taken},
		"JSON lines":           {header("Content-Type", "application/jsonl"), taken},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.deliverAll()
			body := strings.NewReader(messages(1))
			req := r.chunked(body)
			req.Header = tt.header
			c := r.do(req)
			c.requireAnswer(tt.want)
			if tt.want == unsupportedType { // its line in the log has the type
				require.NotContains(t, c.recorder.Body.String()+fmt.Sprint(c.recorder.Header()), marker)
			} else {
				requireNoMarker(t, r, c)
			}
			if tt.want != taken {
				require.Equal(t, len(messages(1)), body.Len(), "bytes left")
				r.requireUntouched()
			}
		})
	}
}

// spaces is a body without end. It counts the bytes that are read.
type spaces struct{ read int }

func (s *spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	s.read += len(p)
	return len(p), nil
}

func TestABodyOverTheLimitIsA413(t *testing.T) {
	const limit = 100_000
	small := func(l *limits) { l.MaxBody, l.InFlight = limit, 10*limit }

	t.Run("by its announced length, unread", func(t *testing.T) {
		r := newRig(t, small)
		body := &spaces{}
		req := r.chunked(body)
		req.ContentLength = limit + 1
		r.do(req).requireAnswer(bodyTooLarge)
		require.Zero(t, body.read)
	})
	t.Run("by counting, read no further than it takes to know", func(t *testing.T) {
		r := newRig(t, small)
		body := &spaces{}
		r.do(r.chunked(body)).requireAnswer(bodyTooLarge)
		require.LessOrEqual(t, body.read, limit+1)
		require.Equal(t, limit, number(r.metrics.bytes), "the byte that is too much is none of the body's")
		r.requireUntouched()
		require.Len(t, r.log.about(bodyTooLarge), 1)
		r.requireAnswers("413 body_too_large")
	})
	for extra, want := range map[int]outcome{0: delivered, 1: bodyTooLarge} {
		for _, announced := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d bytes over it, announced: %v", extra, announced), func(t *testing.T) {
				r := newRig(t, small)
				body := `{"messages":[]}`
				body += strings.Repeat(" ", limit+extra-len(body))
				req := r.request(body)
				if !announced {
					req = r.chunked(strings.NewReader(body))
				}
				r.do(req).requireAnswer(want)
			})
		}
	}
}

func TestTheLargestLimitIsOne(t *testing.T) {
	r := newRig(t, func(l *limits) { l.MaxBody, l.InFlight = math.MaxInt64, math.MaxInt64 })
	r.deliverAll()
	r.do(r.request(batchOf(10_000))).requireAnswer(delivered)
	r.do(r.chunked(strings.NewReader(batchOf(10_000)))).requireAnswer(delivered)
}

func TestATruncatedBodyIsA400(t *testing.T) {
	r := newRig(t)
	body := io.MultiReader(strings.NewReader(messages(1)), brokenReader{io.ErrUnexpectedEOF})
	r.do(r.chunked(body)).requireAnswer(bodyTruncated)
	r.requireUntouched()
	require.Contains(t, r.log.text(), "unexpected EOF")
	r.requireAnswers("400 body_truncated")
}

func TestABodyThatDrainCutsOffIsA503(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		body, sender := io.Pipe()
		c := r.start(r.chunked(body).WithContext(r.server.http.BaseContext(nil)))
		_, err := sender.Write([]byte(`{"messages":`))
		require.NoError(t, err)
		c.requireWaiting()
		require.ErrorIs(t, within(t, r.drain(time.Second)), errBudget)
		sender.CloseWithError(io.ErrUnexpectedEOF)
		c.requireAnswer(stopping)
	})
}

type brokenReader struct{ err error }

func (b brokenReader) Read([]byte) (int, error) { return 0, b.err }
