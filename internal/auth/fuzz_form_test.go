package auth

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzForm checks the forms of signatures: templates, elements and encodings. A template that is accepted means what a replacement
// of its placeholders gives, and a request is accepted exactly if one of the right elements is the HMAC of that text. {s} in the
// value of the fuzzer stands for a right signature.
func FuzzForm(f *testing.F) {
	const (
		inBase64  = 1 << iota // of the signature
		inElement             // the time is an element of the header of the signature
		noTime                // configure no time
		twoIDs                // repeat the header X-Id
		noID                  // leave it away
		changed               // change the body after signing
	)
	for _, signed := range []string{
		"", "{body}", "{timestamp}.{body}", "v0:{timestamp}:{body}", "{header:x-id}.{timestamp}.{body}", "{body}{header:X-Id}{timestamp}",
		"{header:X-Other}{timestamp}{body}", "{body", "}{body}{timestamp}", "{{body}}", "{path}{body}", "{body}{body}", "{timestamp}",
		"{header:}{body}{timestamp}", "{header:Host}{body}{timestamp}", "{header:x y}{body}", "{ body }", "",
	} {
		for _, value := range []string{"t=1767225600,v1={s}", "v1={s}", "v1={s},v1={s},t=1", "v0={s},v1=00", "v1={s} , t=1767225600", ""} {
			for _, how := range []uint8{0, inBase64, inElement, noTime, inElement | twoIDs, noTime | noID, inElement | changed} {
				f.Add(signed, value, "1767225600", "one", []byte(testBody), how)
			}
		}
	}
	isSignature := map[bool]*regexp.Regexp{false: regexp.MustCompile(`^[0-9A-Fa-f]{64}\z`), true: regexp.MustCompile(`^[0-9A-Za-z+/]{43}=\z`)}
	stampForm := regexp.MustCompile(`^\d{1,12}\z`)
	knownHeader := regexp.MustCompile(`(?i)\{header:X-Id\}`)

	f.Fuzz(func(t *testing.T, signed, value, stamp, id string, body []byte, how uint8) {
		if len(value) > 2000 {
			t.Skip("the bound on signatures has tests of its own")
		}
		s := hmacForm(func(h *HMAC) {
			h.Separator, h.Prefix, h.Signed = ",", "v1=", signed
			if how&inBase64 != 0 {
				h.Encoding = "base64"
			}
			if how&noTime == 0 {
				h.TimestampHeader = "X-Timestamp"
				if how&inElement != 0 {
					h.TimestampHeader, h.TimestampPrefix = "x-signature", "t="
				}
			}
		})
		a, err := New(s)
		hasTime := how&noTime == 0
		if err != nil {
			require.Contains(t, err.Error(), "rtbeat.auth.hmac.signed ")
			return
		}
		a.now = func() time.Time { return testNow }
		if signed == "" {
			signed = map[bool]string{true: "{timestamp}.{body}", false: "{body}"}[hasTime]
		}
		require.Equal(t, 1, strings.Count(signed, "{body}"))
		require.Equal(t, hasTime, strings.Contains(signed, "{timestamp}"))

		// The elements of the value, with the right signature in them.
		text := strings.ReplaceAll(value, "{s}", "")
		times := 0
		for element := range strings.SplitSeq(text, ",") {
			if at, is := strings.CutPrefix(strings.Trim(element, " \t"), "t="); is && hasTime && how&inElement != 0 {
				stamp = at
				times++
			}
		}
		if how&inElement == 0 || !hasTime {
			times = 1
		}
		marked := knownHeader.ReplaceAllString(signed, "{header:X-Id}")
		signedText := strings.NewReplacer("{timestamp}", stamp, "{body}", string(body), "{header:X-Id}", id).Replace(marked)
		expected := []string{sign("new-key", signedText), sign("old-key", signedText)}
		right := expected[0]
		if how&inBase64 != 0 {
			right = base64OfHex(t, right)
		}
		value = strings.ReplaceAll(value, "{s}", right)

		want, count := false, 0
		for element := range strings.SplitSeq(value, ",") {
			signature, is := strings.CutPrefix(strings.Trim(element, " \t"), "v1=")
			if !is {
				continue
			}
			count++
			if !isSignature[how&inBase64 != 0].MatchString(signature) {
				count = 99
				break
			}
			if how&inBase64 != 0 {
				want = want || signature == right || signature == base64OfHex(t, expected[1])
			} else {
				want = want || strings.EqualFold(signature, expected[0]) || strings.EqualFold(signature, expected[1])
			}
		}
		usesID, usesOther := marked != strings.ReplaceAll(marked, "{header:X-Id}", ""), strings.Contains(strings.ReplaceAll(marked, "{header:X-Id}", ""), "{header:")
		want = want && count <= 8 && !usesOther && (!usesID || how&(noID|twoIDs) == 0) && times == 1
		if hasTime {
			want = want && stampForm.MatchString(stamp) && within(stamp, "1767225301", "1767225900")
		}

		req := request()
		req.Header = http.Header{"X-Signature": {value}, "X-Timestamp": {stamp}, "X-Id": {id}}
		switch {
		case how&noID != 0:
			delete(req.Header, "X-Id")
		case how&twoIDs != 0:
			req.Header["X-Id"] = []string{id, id}
		}
		sent := string(body)
		if how&changed != 0 {
			sent, want = sent+"x", false
		}
		refusal := check(t, a, req, sent)
		if how&inBase64 != 0 && refusal != nil && refusal.Detail == BadSignature {
			return // the last digit may have bits that no byte has
		}
		require.Equal(t, want, refusal == nil)
	})
}

func base64OfHex(t *testing.T, text string) string {
	t.Helper()
	signature, err := hex.DecodeString(text)
	require.NoError(t, err)
	return base64.StdEncoding.EncodeToString(signature)
}
