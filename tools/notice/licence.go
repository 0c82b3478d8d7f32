package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// permissive licences ask for nothing more than LICENSE and NOTICE give. MPL-2.0 also asks that the source can be
// had, which the module path and version in the list answer.
var permissive = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0"}

// reviewed holds what a person decided about modules whose files do not speak for themselves. An entry that is no
// longer linked is an error, so that the table cannot outlive its reasons.
var reviewed = map[string]string{
	// Everything outside x-pack/ is Apache-2.0, says its LICENSE.txt; collect refuses packages from x-pack.
	"github.com/elastic/beats/v7": "Apache-2.0",
	// "One or the other" of BSD-3-Clause and GPL-2.0: the first is chosen.
	"kernel.org/pub/linux/libs/security/libcap/cap": "BSD-3-Clause",
	"kernel.org/pub/linux/libs/security/libcap/psx": "BSD-3-Clause",
}

// marks are phrases, as flatten leaves them, by which a licence's text or its standard header is known.
var marks = []struct{ phrase, id string }{
	{"apache license version 2 0", "Apache-2.0"},
	{"permission is hereby granted free of charge to any person obtaining a copy", "MIT"},
	{"permission to use copy modify and or distribute this software for any purpose", "ISC"},
	{"permission to use copy modify and distribute this software for any purpose", "ISC"},
	{"mozilla public license version 2 0", "MPL-2.0"},
	{"elastic license", "LicenseRef-Elastic-License"},
	{"gpl v2 0", "GPL-2.0-only"},
	{"everyone is permitted to copy and distribute verbatim copies of this license document", "GNU"},
	{"commons clause", "Commons-Clause"},
}

var notWord = regexp.MustCompile(`[^\p{L}\p{N}]+`)

// flatten makes texts comparable that differ in wrapping, case and punctuation only.
func flatten(text string) string {
	return notWord.ReplaceAllString(strings.ToLower(text), " ")
}

// spdx names the licences in a text, sorted; none means that the text is unknown.
func spdx(text string) []string {
	flat := flatten(text)
	var ids []string
	for _, m := range marks {
		if strings.Contains(flat, m.phrase) {
			ids = append(ids, m.id)
		}
	}
	if strings.Contains(flat, "redistribution and use in source and binary forms") {
		if strings.Contains(flat, "endorse or promote products") {
			ids = append(ids, "BSD-3-Clause")
		} else {
			ids = append(ids, "BSD-2-Clause")
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// decide sets every module's licence, or says what is wrong with all of those that it cannot decide.
func decide(modules []*module, reviewed map[string]string) error {
	var problems []error
	linked := map[string]bool{}
	for _, m := range modules {
		linked[m.path] = true
		if m.licence = reviewed[m.path]; m.licence != "" {
			continue
		}
		if len(m.texts) == 0 {
			problems = append(problems, fmt.Errorf("%s: no licence file", m))
		}
		var ids []string
		for _, text := range m.texts {
			found := spdx(text)
			if len(found) == 0 {
				problems = append(problems, fmt.Errorf("%s: a licence file that is not recognised", m))
			}
			ids = append(ids, found...)
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		for _, id := range ids {
			if !slices.Contains(permissive, id) {
				problems = append(problems, fmt.Errorf("%s: %s needs an entry in reviewed", m, id))
			}
		}
		m.licence = strings.Join(ids, " AND ")
	}
	for path := range reviewed {
		if !linked[path] {
			problems = append(problems, fmt.Errorf("%s is reviewed but not linked: remove the entry", path))
		}
	}
	return errors.Join(problems...)
}

var dependencies = regexp.MustCompile(`(?mi)^(=+\s+)?third[- ]party libraries used by`)

// ownNotice is the part of an upstream NOTICE that is about that module itself. Elastic's go on with the licences
// of everything that any of their programs could link, megabytes of it; what rtbeat links of that is in the list
// with its own texts, and section 4(d) leaves out what does not pertain.
func ownNotice(text string) string {
	text = strings.ReplaceAll(text, "\r", "")
	if at := dependencies.FindStringIndex(text); at != nil {
		text = text[:at[0]]
	}
	return strings.TrimSpace(text)
}
