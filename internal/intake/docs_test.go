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

func readDocs(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/" + name)
	require.NoError(t, err)
	return string(data)
}

// Every answer in the docs is possible: a known outcome with its phrase, its headers, and its fields in their order.
func TestTheDocsShowPossibleAnswers(t *testing.T) {
	examples := regexp.MustCompile("(?s)```http\n(HTTP/1\\.1 .*?)```").FindAllStringSubmatch(readDocs(t, "http-api.md"), -1)
	require.NotEmpty(t, examples)
	for _, example := range examples {
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(example[1])), nil)
		require.NoError(t, err, example[1])
		require.Equal(t, strconv.Itoa(resp.StatusCode)+" "+http.StatusText(resp.StatusCode), resp.Status)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())

		var a answerBody
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
