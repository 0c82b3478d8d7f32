// Command answers writes the table of answers into docs/http-api.md, docs/operations.md and docs/openapi.yaml, between marks.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/txn2/rtbeat/internal/intake"
	"github.com/txn2/rtbeat/tools/generate"
)

func main() { generate.Main(pages) }

func pages() (map[string][]byte, error) {
	answers := intake.AnswerDocs()
	slices.SortStableFunc(answers, func(a, b intake.AnswerDoc) int { return cmp.Compare(a.Code, b.Code) })
	api, err1 := generate.Page("docs/http-api.md", generate.InMarkdown, map[string]string{"answers": answerTable(answers), "health": healthTable(answers)})
	operations, err2 := generate.Page("docs/operations.md", generate.InMarkdown, map[string]string{"warn": logged(answers, "warn"), "error": logged(answers, "error")})
	openapi, err3 := generate.Page("docs/openapi.yaml", generate.InEnums, enums(answers))
	return map[string][]byte{"docs/http-api.md": api, "docs/operations.md": operations, "docs/openapi.yaml": openapi}, errors.Join(err1, err2, err3)
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
