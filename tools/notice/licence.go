package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// permissive licences ask for nothing beyond LICENSE and NOTICE. MPL-2.0 also asks for a way to the source: the module path and
// version in the list.
var permissive = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0"}

// reviewed has the licences of modules whose files a person had to judge. An entry that is no longer linked is an error, so that
// it cannot outlive its reason.
var reviewed = map[string]string{
	// Its LICENSE.txt: everything outside x-pack/ is Apache-2.0. collect refuses packages from x-pack.
	"github.com/elastic/beats/v7": "Apache-2.0",
	// BSD-3-Clause or GPL-2.0, at the user's choice.
	"kernel.org/pub/linux/libs/security/libcap/cap": "BSD-3-Clause",
	"kernel.org/pub/linux/libs/security/libcap/psx": "BSD-3-Clause",
}

// marks are phrases, as flatten returns them, of the text or the standard header of a licence.
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

// flatten removes differences of line breaks, case and punctuation.
func flatten(text string) string {
	return notWord.ReplaceAllString(strings.ToLower(text), " ")
}

// spdx returns the licences in a text, sorted. It returns none for an unknown text.
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

// decide sets the licence of every module. Its error has each module that needs a person.
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

// ownNotice returns the part of an upstream NOTICE that is about the module. Elastic's notices go on with megabytes of licences of
// everything that any of their programs could link. rtbeat's list has its own modules, and section 4(d) asks for no others.
func ownNotice(text string) string {
	text = strings.ReplaceAll(text, "\r", "")
	if at := dependencies.FindStringIndex(text); at != nil {
		text = text[:at[0]]
	}
	return strings.TrimSpace(text)
}
