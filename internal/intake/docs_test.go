package intake

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// documented is one row of the tables of answers in docs/http-api.md.
type documented struct {
	code                               int
	word, reason, retryAfter, connects string
	setting                            string // of /readyz
}

func readDocs(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/" + name)
	require.NoError(t, err)
	return string(data)
}

// rowsUnder reads the table that follows a header row, a slice of cells for each row.
func rowsUnder(t *testing.T, text, header string) [][]string {
	t.Helper()
	_, table, found := strings.Cut(text, "\n"+header+"\n")
	require.True(t, found, header)
	var rows [][]string
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		require.Len(t, cells, strings.Count(header, "|")-1, line)
		rows = append(rows, cells)
	}
	require.NotEmpty(t, rows)
	return rows[1:] // without the ruler
}

// The table of answers in docs/http-api.md is the table of outcomes: no answer that is not told, none told that cannot
// come, and each with what it does to the sender.
func TestTheDocsHaveTheTableOfOutcomes(t *testing.T) {
	var told []documented
	for _, cells := range rowsUnder(t, readDocs(t, "http-api.md"), "| code | status | reason | Retry-After | connection | situation |") {
		code, err := strconv.Atoi(cells[0])
		require.NoError(t, err)
		require.NotEmpty(t, cells[5])
		told = append(told, documented{code: code, word: cells[1], reason: cells[2], retryAfter: cells[3], connects: cells[4]})
	}

	choose := func(yes bool, ifYes, ifNo string) string {
		if yes {
			return ifYes
		}
		return ifNo
	}
	var held []documented
	for i, o := range outcomes {
		if !outcome(i).health() {
			held = append(held, documented{
				code: o.status, word: o.word, reason: o.reason, retryAfter: choose(o.retry, "yes", "no"), connects: choose(o.close, "closes", "stays"),
			})
		}
	}
	require.ElementsMatch(t, held, told, "outcome.go first, docs/http-api.md second")
}

// The same for /livez and /readyz. Their answers have a reason where there is something to say.
func TestTheDocsHaveTheAnswersOfHealth(t *testing.T) {
	var told []documented
	for _, cells := range rowsUnder(t, readDocs(t, "http-api.md"), "| path | code | status | reason | setting | situation |") {
		code, err := strconv.Atoi(cells[1])
		require.NoError(t, err)
		told = append(told, documented{code: code, word: cells[2], reason: cells[3], setting: cells[4]})
	}
	var held []documented
	for i, o := range outcomes {
		if outcome(i).health() {
			held = append(held, documented{code: o.status, word: o.word, reason: outcome(i).answerReason(), setting: settingOf[outcome(i)]})
		}
	}
	require.ElementsMatch(t, held, told, "outcome.go first, docs/http-api.md second")
}

// Every answer shown in the docs could have been written: known outcome, its phrase, its headers, its fields in their
// order.
func TestTheDocsShowAnswersThatCanCome(t *testing.T) {
	examples := regexp.MustCompile("(?s)```http\n(HTTP/1\\.1 .*?)```").FindAllStringSubmatch(readDocs(t, "http-api.md"), -1)
	require.NotEmpty(t, examples)
	for _, example := range examples {
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(example[1])), nil)
		require.NoError(t, err, example[1])
		require.Equal(t, strconv.Itoa(resp.StatusCode)+" "+http.StatusText(resp.StatusCode), resp.Status)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())

		var a answer
		require.NoError(t, json.Unmarshal(body, &a), example[1])
		encoded, err := json.Marshal(a)
		require.NoError(t, err)
		require.Equal(t, string(encoded)+"\n", string(body))

		found := false
		for i, o := range outcomes {
			if o.status != resp.StatusCode || o.word != a.Status || outcome(i).answerReason() != a.Reason ||
				!strings.HasPrefix(a.Message, o.phrase) || o.retry != (resp.Header.Get("Retry-After") != "") || o.close != strings.Contains(example[1], "\nConnection: close\n") {
				continue
			}
			found = true
			require.Equal(t, "application/json", resp.Header.Get("Content-Type"))
			if a.Offset == nil {
				require.Equal(t, o.phrase, a.Message)
			}
		}
		require.True(t, found, "no outcome answers like this:\n%s", example[1])
	}
}

// The reasons that operations are told to look for in the log are those that logResult writes, by level.
func TestTheDocsHaveTheReasonsInTheLog(t *testing.T) {
	text := readDocs(t, "operations.md")
	for message, of := range map[string]level{"request refused: …": warn, "request failed: …": failure} {
		_, rest, found := strings.Cut(text, "\n| `"+message+"` |")
		require.True(t, found, message)
		row, _, _ := strings.Cut(rest, "\n")
		_, row, found = strings.Cut(row, "is one of ")
		require.True(t, found, row)
		row, _, _ = strings.Cut(row, ";")
		var told, held []string
		for _, reason := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row, -1) {
			told = append(told, reason[1])
		}
		for _, o := range outcomes {
			if o.level == of {
				held = append(held, o.reason)
			}
		}
		require.ElementsMatch(t, held, told, message)
	}
}
