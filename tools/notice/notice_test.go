package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	mit = "The MIT License (MIT)\n\nCopyright (c) 2020 A\n\nPermission is hereby granted, free of charge, to any person\n" +
		"obtaining a copy of this software ..."
	bsd2   = "Copyright (c) 2020 B\n\nRedistribution and use in source and binary forms, with or without modification, ..."
	bsd3   = bsd2 + "\nThe name of the author may not be used to endorse or\npromote products derived from this software ..."
	apache = "                 Apache License\n           Version 2.0, January 2004\n"
)

func TestSPDX(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"apache text":       {apache, []string{"Apache-2.0"}},
		"apache header":     {"Licensed under the Apache License, Version 2.0 (the \"License\");", []string{"Apache-2.0"}},
		"mit":               {mit, []string{"MIT"}},
		"bsd two clauses":   {bsd2, []string{"BSD-2-Clause"}},
		"bsd three clauses": {bsd3, []string{"BSD-3-Clause"}},
		"isc":               {"Permission to use, copy, modify, and/or distribute this software for any purpose", []string{"ISC"}},
		"mpl":               {"Mozilla Public License, version 2.0", []string{"MPL-2.0"}},
		"several":           {mit + apache, []string{"Apache-2.0", "MIT"}},
		"elastic":           {"ELASTIC LICENSE AGREEMENT", []string{"LicenseRef-Elastic-License"}},
		"unknown":           {"You may do what you please on Tuesdays.", nil},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, spdx(c.text)) })
	}
}

func TestDecideNamesEveryProblem(t *testing.T) {
	modules := []*module{
		{path: "fine", version: "v1", texts: []string{apache, mit}},
		{path: "looked-at", texts: []string{"Elastic License"}},
		{path: "bare", version: "v2"},
		{path: "odd", version: "v3", texts: []string{"Tuesdays only."}},
		{path: "elastic", version: "v4", texts: []string{"Elastic License"}},
	}
	err := decide(modules, map[string]string{"looked-at": "MIT", "gone": "MIT"})
	require.ErrorContains(t, err, "bare v2: no licence file")
	require.ErrorContains(t, err, "odd v3: a licence file that is not recognised")
	require.ErrorContains(t, err, "elastic v4: LicenseRef-Elastic-License needs an entry")
	require.ErrorContains(t, err, "gone is reviewed but not linked")
	require.Len(t, strings.Split(err.Error(), "\n"), 4)
	require.Equal(t, "Apache-2.0 AND MIT", modules[0].licence)
	require.Equal(t, "MIT", modules[1].licence)
}

func TestReadTakesLicenceAndNoticeFilesOnly(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"LICENSE.txt": mit, "COPYING": bsd2, "LICENSE.docs": "manual", "license.go": "package x", "README.md": "hello",
		"NOTICE.txt": "Product\r\nCopyright X\r\n\r\n=====\r\nThird party libraries used by X:\r\n=====\r\nmegabytes",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "licenses"), 0o700))
	var m module
	require.NoError(t, m.read(dir))
	require.ElementsMatch(t, []string{mit, bsd2}, m.texts)
	require.Equal(t, []string{"Product\nCopyright X"}, m.notices)
}

func TestRenderPrintsATextOnceForAllItsModules(t *testing.T) {
	out := string(render([]*module{
		{path: "a", version: "v1", licence: "MIT", texts: []string{mit}},
		{path: "b", version: "v2", licence: "MIT", texts: []string{strings.ReplaceAll(mit, "\n", " \n ")}},
		{path: "c", version: "v3", licence: "Apache-2.0", texts: []string{apache}, notices: []string{"made by C"}},
		{path: "d", version: "v4", licence: "Apache-2.0 AND MPL-2.0", texts: []string{apache, "Mozilla Public License, version 2.0"}},
	}))
	require.Equal(t, 1, strings.Count(out, "Permission is hereby granted"))
	require.Contains(t, out, "\na v1\nb v2\n")
	require.Contains(t, out, "made by C")
	require.NotContains(t, out, apache)
	require.NotContains(t, out, "Mozilla")
}

// NOTICE has each module that a system of a release links. The test asks the go command, without the code above.
func TestNoticeHasEveryLinkedModule(t *testing.T) {
	root := filepath.Join("..", "..")
	notice, err := os.ReadFile(filepath.Join(root, "NOTICE"))
	require.NoError(t, err)
	systems, err := platforms(filepath.Join(root, platformsFile))
	require.NoError(t, err)
	for _, system := range systems {
		goos, goarch, _ := strings.Cut(system, "/")
		command := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f",
			"{{with .Module}}{{with .Replace}}{{if .Version}}{{.Path}} {{.Version}}{{end}}{{else}}{{if .Version}}{{.Path}} {{.Version}}{{end}}{{end}}{{end}}", ".")
		flags := strings.ReplaceAll(os.Getenv("GOFLAGS"), "-race", "") // which not every system has
		command.Dir, command.Env = root, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS="+flags, "GOOS="+goos, "GOARCH="+goarch)
		out, err := command.Output()
		require.NoError(t, err)
		linked := strings.Split(strings.TrimSpace(string(out)), "\n")
		slices.Sort(linked)
		linked = slices.Compact(linked)
		require.Greater(t, len(linked), 100)
		for _, module := range linked {
			path, version, _ := strings.Cut(module, " ")
			line := regexp.MustCompile("(?m)^" + regexp.QuoteMeta(path) + " +" + regexp.QuoteMeta(version) + " ")
			require.Truef(t, line.Match(notice), "NOTICE has no line for %s, which rtbeat links for %s", module, system)
		}
	}
}
