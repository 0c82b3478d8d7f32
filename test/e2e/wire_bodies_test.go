//go:build e2e

package e2e

import "strings"

// documentedBodies are the bodies of a table in docs/http-api.md, and their messages or their refusal.
func documentedBodies(s *script, p promises) {
	text := strings.NewReplacer("⏎", "\n", "U+FEFF", "\uFEFF")
	for _, cells := range p.bodies {
		body, contentType, outcome := text.Replace(cells[0]), cells[1], text.Replace(cells[2])
		want := ok(strings.Split(outcome, "`, `")...)
		if reason, refused := strings.CutPrefix(outcome, "400 `"); refused {
			want = no(reason)
		}
		s.add("docs: "+cells[0]+", "+contentType, post(body, "Content-Type: "+contentType), want)
	}
}
