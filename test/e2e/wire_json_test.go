//go:build e2e

package e2e

import (
	"fmt"
	"strings"
)

// jsonCases are the rules of JSON, of a batch, and of its limits.
func jsonCases(s *script) {
	malformed := map[string]string{
		"a key twice":                `{"messages":[{"k":"§","k":1}]}`,
		"a key twice, escaped":       `{"messages":[{"k":"§","\u006b":1}]}`,
		"a key twice within":         `{"messages":[{"p":[{"§":1,"§":2}]}]}`,
		"a key twice outside":        `{"uuid":"§","uuid":"§","messages":[]}`,
		"messages twice":             `{"messages":[],"messages":[{"k":"§"}]}`,
		"an ignored key twice":       `{"x":{"§":1,"§":2},"messages":[]}`,
		"invalid UTF-8":              "[{\"k\":\"§\xff\"}]",
		"invalid UTF-8 in a key":     "[{\"§\xc3\":1}]",
		"an overlong form":           "[{\"k\":\"§\xc0\xaf\"}]",
		"a surrogate in UTF-8":       "[{\"k\":\"§\xed\xa0\x80\"}]",
		"beyond Unicode":             "[{\"k\":\"§\xf4\x90\x80\x80\"}]",
		"a lone high surrogate":      `[{"k":"§\ud83d"}]`,
		"a lone low surrogate":       `[{"k":"§\ude00"}]`,
		"surrogates in wrong order":  `[{"k":"§\ude00\ud83d"}]`,
		"a lone surrogate in a key":  `[{"§\uD83D":1}]`,
		"a byte order mark within":   "{\"k\":\"§\"}\n\uFEFF{}",
		"two byte order marks":       "\uFEFF\uFEFF{\"k\":\"§\"}",
		"UTF-16":                     "[\x00{\x00}\x00]\x00§",
		"text behind it":             `[{"k":"§"}] §`,
		"a comma between values":     `{"k":"§"},{}`,
		"a NUL behind it":            "[{\"k\":\"§\"}]\x00",
		"a closing bracket too many": `[{"k":"§"}]]`,
		"no end":                     `[{"k":"§"}`,
		"an end within a string":     `[{"k":"§`,
		"a comma at the end":         `[{"k":"§"},]`,
		"a comma in an object":       `[{"k":"§",}]`,
		"two commas":                 `[{"k":"§"},,{}]`,
		"no comma":                   `[{"k":"§"} {}]`,
		"no colon":                   `[{"k" "§"}]`,
		"NaN":                        `[{"k":"§","n":NaN}]`,
		"Infinity":                   `[{"k":"§","n":-Infinity}]`,
		"a number with a plus":       `[{"k":"§","n":+1}]`,
		"a number with a zero":       `[{"k":"§","n":01}]`,
		"a number without an end":    `[{"k":"§","n":1.}]`,
		"a number without a start":   `[{"k":"§","n":.5}]`,
		"a number with half an e":    `[{"k":"§","n":1e}]`,
		"a hexadecimal number":       `[{"k":"§","n":0x10}]`,
		"a number with a separator":  `[{"k":"§","n":1_000}]`,
		"True":                       `[{"k":"§","n":True}]`,
		"undefined":                  `[{"k":"§","n":undefined}]`,
		"a comment":                  `[{"k":"§"} /* § */]`,
		"single quotes":              `[{'k':'§'}]`,
		"a key without quotes":       `[{k:"§"}]`,
		"a number as a key":          `[{1:"§"}]`,
		"a raw tab in a string":      "[{\"k\":\"§\t\"}]",
		"a raw newline in a string":  "[{\"k\":\"§\n\"}]",
		"an unknown escape":          `[{"k":"§\x41"}]`,
		"half an escape":             `[{"k":"§\u12"}]`,
		"not JSON at all":            "§",
		"XML":                        "<?xml version=\"1.0\"?><§/>",
	}
	for name, body := range malformed {
		s.add("json: "+name, post(strings.ReplaceAll(body, "§", secret), typeJSON), no("malformed_json"))
	}
	for name, body := range map[string]string{
		"a message of two lines":  "{\"k\":\n\"§\"}\n",
		"an array of lines":       "[{\"k\":\"§\"},\n{}]\n",
		"a comma behind a line":   "{\"k\":\"§\"},\n{}\n",
		"the last line is cut":    "{\"k\":\"§\"}\n{\"k\":",
		"the second line is text": "{\"k\":\"§\"}\n§\n{}\n",
	} {
		s.add("json: "+name, post(strings.ReplaceAll(body, "§", secret), typeNDJSON), no("malformed_json"))
	}
	numberCases(s)
	shapeCases(s)
	limitCases(s)
}

// numberCases are messages with accepted numbers, and with other odd and valid parts.
func numberCases(s *script) {
	for _, n := range []string{
		"0", "-0", "-0.0", "1.0", "1E+2", "1e-7", "9007199254740993", "9223372036854775807", "-9223372036854775808",
		"9223372036854775808", "18446744073709551615", "18446744073709551616", "-9223372036854775809", "1e999", "-1e-999",
		"123456789012345678901234567890", "0.1", "0.1000000000000000055511151231257827", "3.141592653589793", "9007199254740993.0", "0.30000000000000001", "5e-324",
		"1.7976931348623157e308", "1e1000000000000000000000",
	} {
		m := `{"k":"` + secret + `","n":` + n + `}`
		s.add("number: "+n, post("["+m+"]"), ok(m))
	}
	for name, m := range map[string]string{
		"escapes":          `{"k":"` + secret + `\u0041\/\b\f\n\r\t\"\\\ud83d\ude00\u0000"}`,
		"empty":            `{}`,
		"an empty key":     `{"":"` + secret + `","x":{"":null}}`,
		"dots in keys":     `{"a.b":1,"a":{"b":2},".":3,"..":[]}`,
		"fields of Beats":  `{"@timestamp":"never","@metadata":{"_id":"x"},"message":1,"host":null,"type":"t","uuid":null}`,
		"uuid as a number": `{"uuid":12345}`,
		"a long uuid":      `{"uuid":"` + strings.Repeat("u", 513) + `"}`,
		"nulls":            `{"a":null,"b":[null,{"c":null}]}`,
		"case of keys":     `{"Key":1,"key":2,"KEY":3}`,
	} {
		s.add("message: "+name, post("["+m+"]"), ok(m))
	}
}

// shapeCases are JSON texts that are no batch, and odd batches.
func shapeCases(s *script) {
	for name, c := range map[string]struct {
		body string
		want reply
	}{
		"null":                      {`null`, no("wrong_shape").offset(0)},
		"true":                      {`true`, no("wrong_shape")},
		"a number":                  {`12`, no("wrong_shape")},
		"a string":                  {`"§"`, no("wrong_shape").offset(0)},
		"a number behind a message": {`{"k":"§"} 12`, no("wrong_shape").index(1)},
		"a batch and a message":     {`{"messages":[{"k":"§"}]}{}`, no("wrong_shape")},
		"a message and a batch":     {`{}{"messages":[{"k":"§"}]}`, no("wrong_shape").offset(2)},
		"two batches":               {"{\"messages\":[{\"k\":\"§\"}]}\n{\"messages\":[]}", no("wrong_shape")},
		"a message is null":         {`{"messages":[{"k":"§"},null]}`, no("wrong_shape").index(1)},
		"a message is a string":     {`["§"]`, no("wrong_shape").index(0).offset(1)},
		"a message is a number":     {`[{},{},3]`, no("wrong_shape").index(2).offset(7)},
		"a message is an array":     {`[[{"k":"§"}]]`, no("wrong_shape").index(0)},
		"size is a string":          {`{"size":"1","messages":[{"k":"§"}]}`, no("wrong_shape").offset(8)},
		"size is true":              {`{"size":true,"messages":[{"k":"§"}]}`, no("wrong_shape")},
		"size is too large":         {`{"size":2,"messages":[{"k":"§"}]}`, no("size_mismatch").offset(8)},
		"size is too small":         {`{"messages":[{"k":"§"},{}],"size":1}`, no("size_mismatch")},
		"size is zero":              {`{"size":0,"messages":[{"k":"§"}]}`, no("size_mismatch")},
		"size of null messages":     {`{"size":1,"messages":null}`, no("size_mismatch")},
		"size is negative":          {`{"size":-1,"messages":[{"k":"§"}]}`, no("size_mismatch")},
		"size is a fraction":        {`{"size":1.5,"messages":[{"k":"§"}]}`, no("size_mismatch")},
		"size is huge":              {`{"size":1e999,"messages":[{"k":"§"}]}`, no("size_mismatch")},
		"size is 2^64+1":            {`{"size":18446744073709551617,"messages":[{"k":"§"}]}`, no("size_mismatch")},
		"no body":                   {``, no("empty_body").offset(0)},
		"white space":               {" \t\r\n ", no("empty_body").offset(5)},
		"no messages":               {`{"messages":[]}`, ok()},
		"no messages, counted":      {`{"size":0,"messages":[]}`, ok()},
		"null messages":             {`{"messages":null}`, ok()},
		"null messages, counted":    {`{"uuid":"§","size":0,"messages":null}`, ok()},
		"an empty array":            {`[]`, ok()},
		"too deep, ignored":         {`{"x":` + nested(plainDepth+1) + `,"messages":[]}`, no("too_deep")},
		"too deep, and not closed":  {strings.Repeat("[", 100_000), no("too_deep")},
		"too deep, in the batch":    {`{"messages":[{},{"k":` + nested(plainDepth) + `}]}`, no("too_deep").index(1)},
	} {
		s.add("shape: "+name, post(strings.ReplaceAll(c.body, "§", secret), typeJSON), c.want)
	}
	for name, format := range map[string]string{
		"size behind":         `{"messages":[%s],"size":1}`,
		"size is null":        `{"size":null,"messages":[%s]}`,
		"size is 1.0":         `{"size":1.0,"messages":[%s]}`,
		"size is 1e0":         `{"size":1e0,"messages":[%s]}`,
		"a uuid":              `{"uuid":[{"b":{}}],"messages":[%s]}`,
		"messages by escapes": `{"messa\u0067es":[%s]}`,
	} {
		m := s.message()
		s.add("shape: "+name, post(fmt.Sprintf(format, m)), ok(m))
	}
	for _, body := range []string{"\n\n \r\n", ""} {
		s.add(fmt.Sprintf("shape: NDJSON of %q", body), post(body, typeNDJSON), no("empty_body"))
	}
	for name, m := range map[string]string{
		"an object of other keys": `{"message":[{"k":"§"}]}`,
		"an empty object":         `{}`,
		"messages in capitals":    `{"Messages":[{"k":"§"}]}`,
		"messages is a string":    `{"messages":"§"}`,
		"messages is an object":   `{"messages":{"k":"§"}}`,
		"messages is false":       `{"messages":false}`,
		"keys beside messages":    `{"a":[{"b":{}}],"messages":[{"k":"§"},17],"c":null}`,
	} {
		m = strings.ReplaceAll(m, "§", secret)
		s.add("shape: a message: "+name, post(m, typeJSON), ok(m))
	}
	for _, line := range []string{"null", "[1]", "1", `"` + secret + `"`} {
		s.add("shape: NDJSON with "+strings.Trim(line, `"`), post("{}\n"+line+"\n", typeNDJSON), no("wrong_shape").index(1))
	}
}

// limitCases are bodies at a limit, and one beyond it.
func limitCases(s *script) {
	deep := `{"k":` + nested(plainDepth-1) + `}`
	s.add("limit: depth", post("["+deep+"]"), ok(deep))
	s.add("limit: depth, one more", post(`[{"k":`+nested(plainDepth)+`}]`), no("too_deep").index(0))

	key := strings.Repeat("é", plainKey/2)
	long := `{"` + key + `":1}`
	s.add("limit: key", post("["+long+"]"), ok(long))
	s.add("limit: key, one more", post(`[{},{"`+key+`x":1}]`), no("key_too_long").index(1).offset(5))

	list := s.messages(plainMessages)
	s.add("limit: messages", post(batchOf(list...)), ok(list...))
	for name, body := range map[string]string{
		"batch": batchOf(s.messages(plainMessages + 1)...),
		"array": "[" + strings.Join(s.messages(plainMessages+1), ",") + "]",
		"many":  "[" + strings.Repeat("{},", 20_000) + "{}]",
	} {
		s.add("limit: messages, too many, "+name, post(body), no("too_many_messages"))
	}
	s.add("limit: messages, too many, lines", post(strings.Join(s.messages(plainMessages+1), "\n"), typeNDJSON), no("too_many_messages"))
	s.add("limit: messages, too many, gzip", post(string(gzipped([]byte("["+strings.Repeat("{},", 20_000)+"{}]"))), "Content-Encoding: gzip"),
		no("too_many_messages"))

	exact := paddedTo(plainLimit)
	s.add("limit: body", post("["+exact+"]"), ok(exact))
	s.add("limit: body, chunked", chunked("["+exact[:70_000], exact[70_000:]+"]"), ok(exact))
	s.add("limit: body, compressed", post(string(gzipped([]byte("["+exact+"]"))), "Content-Encoding: gzip"), ok(exact))
	more := "[" + paddedTo(plainLimit+1) + "]"
	s.add("limit: body, one more", post(more), no("body_too_large"))
	s.add("limit: body, one more, chunked", chunked(more[:70_000], more[70_000:]), no("body_too_large"))
	s.add("limit: body, one more, compressed", post(string(gzipped([]byte(more))), "Content-Encoding: gzip"), no("body_too_large"))
	s.add("limit: body, announced only", head("Content-Length: 9223372036854775807"), no("body_too_large"))
}

// nested is an array in arrays, at this depth.
func nested(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }

// paddedTo is a message that makes its array this many bytes long.
func paddedTo(n int) string {
	const frame = `[{"k":""}]`
	return `{"k":"` + strings.Repeat("x", n-len(frame)) + `"}`
}
