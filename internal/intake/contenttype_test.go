package intake

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMoreContentTypes(t *testing.T) {
	for name, tt := range map[string]struct {
		contentType, body string
		want              outcome
		messages          int
	}{
		"text":                       {"text/plain; charset=utf-8", `[{"a":1},{}]`, delivered, 2},
		"text in capitals":           {"TEXT/Plain", `[{"a":1}]`, delivered, 1},
		"text in another charset":    {"text/plain; charset=latin1", `[{}]`, unsupportedType, 0},
		"a type that is not named":   {"text/csv", `[{}]`, unsupportedType, 0},
		"a form":                     {formType, "payload=%5B%7B%22a%22%3A+%22%2b%22%7d%5D", delivered, 1},
		"a form with other fields":   {formType, "a=b&payload=" + url.QueryEscape(`[{"a":"&=+%"},{}]`) + "&payload=x", delivered, 2},
		"a form without the field":   {formType, "pay=load&payloads=%7B%7D&PAYLOAD=[]", wrongShape, 0},
		"a form without a value":     {formType, "payload", wrongShape, 0},
		"a form with an empty value": {formType, "payload=", emptyBody, 0},
		"a form that is no form":     {formType, "payload=[%7", malformedJSON, 0},
		"a form with a bad escape":   {formType, "payload=[%zz]", malformedJSON, 0},
		"JSON in the place of one":   {formType, `[{}]`, wrongShape, 0},
		"nothing as a form":          {formType, "", wrongShape, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(l *limits) { l.ContentTypes = []string{"Text/Plain", formType} })
			r.deliverAll()
			req := r.request(tt.body)
			req.Header.Set("Content-Type", tt.contentType)
			c := r.do(req)
			if tt.want != unsupportedType {
				c.requireAnswer(tt.want)
			} else {
				require.Equal(t, acceptedTypes+", text/plain, "+formType, c.recorder.Header().Get("Accept"))
			}
			require.InDelta(t, tt.messages, r.server.Counts().Messages, 0)
		})
	}
}

// A form is decoded as net/url does, and never becomes longer.
func FuzzPayload(f *testing.F) {
	for _, seed := range []string{"payload=%7B%22a%22%3A1%7D", "a=b&payload=+%20", "payload=%", "payload=%2", "payload=%zz&payload=1", "&&payload", "payload=a%26b"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		wants, found := "", false
		for field := range strings.SplitSeq(string(body), "&") {
			if wants, found = strings.CutPrefix(field, "payload="); found {
				break
			}
		}
		want, wantErr := url.QueryUnescape(wants)
		got, err := payload(bytes.Clone(body))
		require.Equal(t, !found || wantErr != nil, err != nil, "%q", body)
		if err == nil {
			require.Equal(t, want, string(got))
			require.LessOrEqual(t, len(got), len(body))
		}
	})
}

// The log names the type, and nobody can forge a line or fill the log with it. The answer does not repeat it.
func TestTheLogNamesTheContentType(t *testing.T) {
	for value, want := range map[string]string{
		"text/csv; header=present":           `content type "text/csv; header=present"`,
		"text/\u2028x\x1b[31m" + marker:      `content type "text/\u2028x\x1b[31m` + marker + `"`,
		"a/b" + strings.Repeat("\xff", 1000): `content type "a/b` + strings.Repeat(`\xff`, 97) + `"`,
	} {
		r := newRig(t)
		req := r.request(messages(1))
		req.Header = http.Header{"Content-Type": {value}}
		body := r.do(req).requireAnswer(unsupportedType)
		require.NotContains(t, body, marker)
		require.Equal(t, want, r.log.about(unsupportedType)[0].fields["error.message"])
	}
}
