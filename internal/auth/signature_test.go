package auth

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const testBody = `{"messages":[{"a":1}]}`

// The test's own HMAC against RFC 4231, cases 1, 2 and 6.
func TestSignIsHMAC(t *testing.T) {
	require.Equal(t, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", sign(strings.Repeat("\x0b", 20), "Hi There"))
	require.Equal(t, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", sign("Jefe", "what do ya want for nothing?"))
	require.Equal(t, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
		sign(strings.Repeat("\xaa", 131), "Test Using Larger Than Block-Size Key - Hash Key First"))
}

func TestSignature(t *testing.T) {
	a := newAuth(t, signatures())
	right := sign("new-key", testBody)

	for _, c := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"the first key", []string{"X-Signature: sha256=" + right}, ""},
		{"the second key", []string{"X-Signature: sha256=" + sign("old-key", testBody)}, ""},
		{"in capitals", []string{"X-Signature: sha256=" + strings.ToUpper(right)}, ""},
		{"a header in small letters", []string{"x-signature: sha256=" + right}, ""},
		{"a timestamp that nobody asked for", []string{"X-Signature: sha256=" + right, "X-Timestamp: 1"}, ""},
		{"an authorization that nobody asked for", []string{"X-Signature: sha256=" + right, "Authorization: Bearer x"}, ""},

		{"nothing", nil, Missing},
		{"an authorization instead", []string{"Authorization: Bearer new-key"}, Missing},
		{"another key", []string{"X-Signature: sha256=" + sign("another", testBody)}, WrongSignature},
		{"the beginning of a key", []string{"X-Signature: sha256=" + sign("new-ke", testBody)}, WrongSignature},
		{"no key", []string{"X-Signature: sha256=" + sign("", testBody)}, WrongSignature},
		{"both keys", []string{"X-Signature: sha256=" + sign("new-keyold-key", testBody)}, WrongSignature},
		{"another body", []string{"X-Signature: sha256=" + sign("new-key", testBody+" ")}, WrongSignature},
		{"with a timestamp", []string{"X-Signature: sha256=" + sign("new-key", testTimestamp+"."+testBody), "X-Timestamp: " + testTimestamp}, WrongSignature},
		{"one bit", []string{"X-Signature: sha256=" + flip(right)}, WrongSignature},
		{"zeros", []string{"X-Signature: sha256=" + strings.Repeat("0", 64)}, WrongSignature},

		{"empty", []string{"X-Signature: "}, BadSignature},
		{"only the prefix", []string{"X-Signature: sha256="}, BadSignature},
		{"no prefix", []string{"X-Signature: " + right}, BadSignature},
		{"another prefix", []string{"X-Signature: sha1=" + right}, BadSignature},
		{"the prefix in capitals", []string{"X-Signature: SHA256=" + right}, BadSignature},
		{"the prefix twice", []string{"X-Signature: sha256=sha256=" + right}, BadSignature},
		{"too short", []string{"X-Signature: sha256=" + right[:62]}, BadSignature},
		{"half a byte short", []string{"X-Signature: sha256=" + right[:63]}, BadSignature},
		{"too long", []string{"X-Signature: sha256=" + right + "00"}, BadSignature},
		{"no hex", []string{"X-Signature: sha256=" + right[:63] + "g"}, BadSignature},
		{"a space before", []string{"X-Signature: sha256= " + right[:63]}, BadSignature},
		{"base64", []string{"X-Signature: sha256=rvJM9wQ0Fh0P3NYtzoJ6oFQk8eJQ0n7Ykz0m2QmGd0E="}, BadSignature},
		{"twice", []string{"X-Signature: sha256=" + right, "X-Signature: sha256=" + right}, BadSignature},
		{"a list", []string{"X-Signature: sha256=" + right + ",sha256=" + right}, BadSignature},
		{"very long", []string{"X-Signature: sha256=" + strings.Repeat("a", 1<<20)}, BadSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, detail(t, a, request(c.lines...), testBody))
		})
	}
}

func flip(signature string) string {
	last := signature[len(signature)-1]
	if last == '0' {
		return signature[:len(signature)-1] + "1"
	}
	return signature[:len(signature)-1] + "0"
}

func TestTimestamp(t *testing.T) {
	a := newAuth(t, timedSignatures())
	seconds := testNow.Unix()

	for _, c := range []struct {
		name  string
		stamp string
		want  string
	}{
		{"now", testTimestamp, ""},
		{"zeros before", "00" + testTimestamp, ""},
		{"old, within the window", strconv.FormatInt(seconds-299, 10), ""},
		{"old by the window and half a second", strconv.FormatInt(seconds-300, 10), StaleTimestamp},
		{"ahead by the window less half a second", strconv.FormatInt(seconds+300, 10), ""},
		{"ahead by the window and half a second", strconv.FormatInt(seconds+301, 10), StaleTimestamp},
		{"the epoch", "0", StaleTimestamp},
		{"the largest", "999999999999", StaleTimestamp},
		{"milliseconds", testTimestamp + "500", BadTimestamp},
		{"nanoseconds", testTimestamp + "500000000", BadTimestamp},
		{"the end of int64", strconv.FormatInt(math.MaxInt64, 10), BadTimestamp},
		{"beyond int64", "99999999999999999999", BadTimestamp},
		{"negative", "-1", BadTimestamp},
		{"a plus", "+" + testTimestamp, BadTimestamp},
		{"a fraction", testTimestamp + ".5", BadTimestamp},
		{"an exponent", "1e9", BadTimestamp},
		{"hex", "0x6955ba80", BadTimestamp},
		{"an underscore", "1_767_225_600", BadTimestamp},
		{"a space", testTimestamp[:5] + " " + testTimestamp[5:], BadTimestamp},
		{"other digits", "١٧٦٧", BadTimestamp},
		{"a date", "2026-01-01T00:00:00Z", BadTimestamp},
		{"empty", "", BadTimestamp},
	} {
		t.Run(c.name, func(t *testing.T) {
			signature := "X-Signature: sha256=" + sign("old-key", c.stamp+"."+testBody)
			require.Equal(t, c.want, detail(t, a, request(signature, "X-Timestamp: "+c.stamp), testBody))
		})
	}
}

func TestWindowIncludesItsEdges(t *testing.T) {
	a := newAuth(t, timedSignatures())
	req := request("X-Signature: sha256="+sign("new-key", testTimestamp+"."+testBody), "X-Timestamp: "+testTimestamp)
	signed := time.Unix(testNow.Unix(), 0)
	for _, c := range []struct {
		age  time.Duration
		want string
	}{
		{5 * time.Minute, ""},
		{5*time.Minute + 1, StaleTimestamp},
		{-5 * time.Minute, ""},
		{-5*time.Minute - 1, StaleTimestamp},
		{math.MaxInt64, StaleTimestamp},
		{math.MinInt64, StaleTimestamp},
	} {
		a.now = func() time.Time { return signed.Add(c.age) }
		require.Equal(t, c.want, detail(t, a, req, testBody), c.age)
	}
}

func TestTimestampIsSigned(t *testing.T) {
	a := newAuth(t, timedSignatures())
	earlier := strconv.FormatInt(testNow.Unix()-1, 10)
	right := "X-Signature: sha256=" + sign("new-key", testTimestamp+"."+testBody)

	for _, c := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"right", []string{right, "X-Timestamp: " + testTimestamp}, ""},
		{"another time", []string{right, "X-Timestamp: " + earlier}, WrongSignature},
		{"the same time, written otherwise", []string{right, "X-Timestamp: 0" + testTimestamp}, WrongSignature},
		{"only the body is signed", []string{"X-Signature: sha256=" + sign("new-key", testBody), "X-Timestamp: " + testTimestamp}, WrongSignature},
		{"no dot", []string{"X-Signature: sha256=" + sign("new-key", testTimestamp+testBody), "X-Timestamp: " + testTimestamp}, WrongSignature},
		{"no timestamp", []string{right}, BadTimestamp},
		{"two of them", []string{right, "X-Timestamp: " + testTimestamp, "X-Timestamp: " + testTimestamp}, BadTimestamp},
		{"no signature", []string{"X-Timestamp: " + testTimestamp}, Missing},
		{"no signature, an old time", []string{"X-Timestamp: 0"}, Missing},
		{"a malformed signature", []string{"X-Signature: x", "X-Timestamp: 0"}, BadSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, detail(t, a, request(c.lines...), testBody))
		})
	}
}

// A retry has the same bytes.
func TestTheSameRequestIsAcceptedAgain(t *testing.T) {
	a := newAuth(t, timedSignatures())
	req := request("X-Signature: sha256="+sign("new-key", testTimestamp+"."+testBody), "X-Timestamp: "+testTimestamp)
	for range 3 {
		require.Nil(t, check(t, a, req, testBody))
	}
}

// Wrong headers are refused before the body is read.
func TestRefusedBeforeTheBody(t *testing.T) {
	a := newAuth(t, timedSignatures())
	for _, lines := range [][]string{
		nil,
		{"X-Signature: x", "X-Timestamp: " + testTimestamp},
		{"X-Signature: sha256=" + sign("new-key", ""), "X-Timestamp: x"},
		{"X-Signature: sha256=" + sign("new-key", ""), "X-Timestamp: 0"},
	} {
		_, refusal := a.Check(request(lines...))
		require.NotNil(t, refusal)
	}
	pending, refusal := a.Check(request("X-Signature: sha256="+sign("x", ""), "X-Timestamp: "+testTimestamp))
	require.Nil(t, refusal)
	require.NotNil(t, pending.auth)
}

func TestEmptyBodyAndEmptyPrefix(t *testing.T) {
	s := signatures()
	s.HMAC.Prefix = ""
	a := newAuth(t, s)
	require.Empty(t, detail(t, a, request("X-Signature: "+sign("new-key", "")), ""))
	require.Equal(t, WrongSignature, detail(t, a, request("X-Signature: "+sign("new-key", "")), "\n"))
}
