package intake

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
)

func readOpenAPI(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("../../docs/openapi.yaml")
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context(), openapi3.EnableExamplesValidation()))
	return doc
}

// responseOf is the response in docs/openapi.yaml for an answer.
func responseOf(t *testing.T, doc *openapi3.T, o outcome) *openapi3.Response {
	t.Helper()
	operation := doc.Paths.Value("/in").Post
	switch o { //nolint:exhaustive // all others are of /in
	case alive:
		operation = doc.Paths.Value("/livez").Get
	case ready, degraded, starting, stalled, high, full, failed, leaving:
		operation = doc.Paths.Value("/readyz").Get
	}
	response := operation.Responses.Value(strconv.Itoa(outcomes[o].status))
	require.NotNil(t, response, outcomes[o].reason)
	return response.Value
}

// Every answer fits the schema, and the schema has no other answer.
func TestAnswersFitOpenAPI(t *testing.T) {
	doc := readOpenAPI(t)
	written := make(map[*openapi3.Response]bool)
	zero, offset := 0, int64(0)
	for i := range outcomes {
		o := outcome(i)
		if o == clientGone {
			continue
		}
		res := result{outcome: o, challenge: []string{"Bearer"}}
		switch o { //nolint:exhaustive // the others have no details
		case delivered:
			res.detail = detail{Ack: Persisted, Messages: &zero, Coalesced: &zero, Filtered: &zero}
		case challenged:
			res.answer = []byte(`{"plainToken":"a","encryptedToken":"b"}`)
		case ackTimeout:
			res.detail = detail{Messages: &zero, Coalesced: &zero, Filtered: &zero, Acked: &zero}
		case outputRejected:
			res.detail = detail{Messages: &zero, Coalesced: &zero, Filtered: &zero, Acked: &zero, Rejected: &zero}
		case processorFailed:
			res.detail = detail{Processor: "fingerprint"}
		case malformedJSON:
			res.detail = detail{Offset: &offset, Index: &zero}
		case outputStalled:
			res.detail = detail{Age: seconds(1500 * time.Millisecond)}
		case degraded, starting, stalled, high, full, failed, leaving:
			res = healthResult(o, 0)
		}
		w := httptest.NewRecorder()
		r := newRig(t)
		replier := r.replier()
		res.source = r.giving(replier, o)
		replier.reply(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/in", nil), res)
		var body any
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
		response := responseOf(t, doc, o)
		written[response] = true
		require.NoError(t, response.Content["application/json"].Schema.Value.VisitJSON(body), "%s", w.Body)
		for name, header := range response.Headers {
			if value := w.Header().Get(name); header.Value.Required && name != "Allow" { // the router writes that one
				require.NotEmpty(t, value, "%s: %s", outcomes[o].reason, name)
			}
		}
		require.Equal(t, w.Header().Get("Retry-After") != "", response.Headers["Retry-After"] != nil, outcomes[o].reason)
		require.Equal(t, o == unauthorized, w.Header().Get("WWW-Authenticate") != "")
		require.Equal(t, o == unsupportedType, w.Header().Get("Accept") != "")
		require.Equal(t, o == unsupportedEncoding, w.Header().Get("Accept-Encoding") != "")
	}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			for code, response := range operation.Responses.Map() {
				require.True(t, path == "/metrics" || written[response.Value], "%s %s never answers %s", method, path, code)
			}
		}
	}
}
