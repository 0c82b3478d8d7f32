package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/txn2/rtbeat/internal/auth"
	"github.com/txn2/rtbeat/internal/preset"
)

// presets is the table of presets in the manual.
func presets() string {
	var out strings.Builder
	out.WriteString("\n| preset | header of the signature or token | signed text | header of the time | id: a header or a field | challenge |\n|---|---|---|---|---|---|\n")
	for _, name := range preset.Names() {
		p, _ := preset.Find(name)
		credential, signed, time := code(p.Header), "", ""
		if p.Header == "" {
			credential, signed, time = signature(p.HMAC), signedText(p.HMAC), code(p.HMAC.TimestampHeader)
		}
		id := code(strings.Join(p.IDHeaders, "`, `"))
		if len(p.IDFields) > 0 {
			id = strings.TrimPrefix(id+", field "+code(strings.Join(p.IDFields, "`, `")), ", ")
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s | %s | %s |\n", name, credential, signed, time, id, p.Method)
	}
	return out.String()
}

// signature shows the header of a signature.
func signature(h auth.HMAC) string {
	value := h.Prefix + "…"
	if h.TimestampHeader == h.Header {
		value = h.TimestampPrefix + "…" + h.Separator + value
	}
	return code(h.Header+": "+value) + ", " + cmp.Or(h.Encoding, auth.DefaultSettings().HMAC.Encoding)
}

func signedText(h auth.HMAC) string {
	switch {
	case h.Signed == "":
		return "`{body}`"
	case h.TimestampHeader == "":
		return "`{body}`; " + code(h.Signed) + " with `timestamp_header`"
	default:
		return code(h.Signed)
	}
}

// code is a text in a cell of a table.
func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}
