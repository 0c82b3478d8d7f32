// Command answers writes the table of answers into docs/http-api.md, docs/operations.md and docs/openapi.yaml, between marks.
// With -check it fails when one of them is out of date. `make generate` runs it.
package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/txn2/rtbeat/internal/intake"
)

func main() {
	check := flag.Bool("check", false, "write nothing; fail when a page is out of date")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "answers:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	answers := intake.AnswerDocs()
	slices.SortStableFunc(answers, func(a, b intake.AnswerDoc) int { return cmp.Compare(a.Code, b.Code) })
	for _, page := range []struct {
		path string
		mark *regexp.Regexp
		text map[string]string
	}{
		{"docs/http-api.md", inMarkdown, map[string]string{"answers": answerTable(answers), "health": healthTable(answers)}},
		{"docs/operations.md", inMarkdown, map[string]string{"warn": logged(answers, "warn"), "error": logged(answers, "error")}},
		{"docs/openapi.yaml", inYAML, enums(answers)},
	} {
		have, err := os.ReadFile(page.path)
		if err != nil {
			return fmt.Errorf("call it in the root of the repository: %w", err)
		}
		want, err := fill(have, page.mark, page.text)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", page.path, err)
		case bytes.Equal(have, want):
		case check:
			return errors.New(page.path + " is not what the code declares: run `make generate` and commit it")
		default:
			if err := os.WriteFile(page.path, want, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// The marks. The generated text is between the groups before and after.
var (
	inMarkdown = regexp.MustCompile(`(?s)(?P<before><!-- generated: (?P<name>\w+) -->).*?(?P<after><!-- end of generated -->)`)
	inYAML     = regexp.MustCompile(`(?P<before>enum: )\[[^\]]*\](?P<after>\S* # generated: (?P<name>.+))`)
)

// fill puts each text between its marks. It fails unless each text has one mark, and each mark a text.
func fill(page []byte, mark *regexp.Regexp, texts map[string]string) ([]byte, error) {
	var errs []error
	seen := make(map[string]bool)
	filled := mark.ReplaceAllFunc(page, func(found []byte) []byte {
		groups := mark.FindSubmatch(found)
		group := func(name string) []byte { return groups[mark.SubexpIndex(name)] }
		name := string(group("name"))
		text, known := texts[name]
		if !known || seen[name] {
			errs = append(errs, fmt.Errorf("the mark %q: no such text, or a second mark for it", name))
		}
		seen[name] = true
		return slices.Concat(group("before"), []byte(text), group("after"))
	})
	for name := range texts {
		if !seen[name] {
			errs = append(errs, fmt.Errorf("no mark %q", name))
		}
	}
	return filled, errors.Join(errs...)
}

func answerTable(answers []intake.AnswerDoc) string {
	var out strings.Builder
	out.WriteString("\n| code | status | reason | Retry-After | connection | situation |\n|---|---|---|---|---|---|\n")
	for _, a := range answers {
		if a.Path == "/in" {
			retry, connection := "no", "stays"
			if a.RetryAfter {
				retry = "yes"
			}
			if a.Closes {
				connection = "closes"
			}
			fmt.Fprintf(&out, "| %d |%s|%s| %s | %s | %s |\n", a.Code, code(a.Status), code(a.Reason), retry, connection, a.Situation)
		}
	}
	return out.String()
}

func healthTable(answers []intake.AnswerDoc) string {
	var out strings.Builder
	out.WriteString("\n| path | code | status | reason | setting | situation |\n|---|---|---|---|---|---|\n")
	for _, a := range answers {
		if a.Path != "/in" {
			reason := ""
			if a.HasReason {
				reason = a.Reason
			}
			fmt.Fprintf(&out, "|%s| %d |%s|%s|%s| %s |\n", code(a.Path), a.Code, code(a.Status), code(reason), code(a.Setting), a.Situation)
		}
	}
	return out.String()
}

// code is a cell of a table.
func code(text string) string {
	if text == "" {
		return " "
	}
	return " `" + text + "` "
}

// logged lists the reasons of the answers that rtbeat logs at a level.
func logged(answers []intake.AnswerDoc, level string) string {
	var reasons []string
	for _, a := range answers {
		if a.Path == "/in" && a.Level == level {
			reasons = append(reasons, "`"+a.Reason+"`")
		}
	}
	return strings.Join(reasons, ", ")
}

// enums are the reasons that a body may have, by path and code.
func enums(answers []intake.AnswerDoc) map[string]string {
	reasons := make(map[string][]string)
	for _, a := range answers {
		if a.HasReason {
			of := fmt.Sprint(a.Path, " ", a.Code)
			reasons[of] = append(reasons[of], a.Reason)
		}
	}
	texts := make(map[string]string)
	for of, list := range reasons {
		texts[of] = "[" + strings.Join(list, ", ") + "]"
	}
	return texts
}
