package intake

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/listen"
)

// Headers that time out are answered, counted and logged, without a call of the handler.
func TestSlowHeadersAreA408(t *testing.T) {
	t.Parallel()
	r := newRig(t, quick, func(l *limits) { l.ReadTimeout, l.Connections = 200*time.Millisecond, listen.NewBound(10) })
	addr := r.serve()
	w := dial(t, addr)
	w.send("POST /in HTTP/1.1\r\nHost: x\r\nX-Marker: " + marker)
	w.requireLastAnswer(headerTimeout)
	r.requireAnswers("408 header_timeout")
	require.Equal(t, http.StatusRequestTimeout, r.log.about(headerTimeout)[0].fields["http.response.status_code"])
	require.Equal(t, "127.0.0.1", r.log.about(headerTimeout)[0].fields["client.address"])
	require.NotContains(t, r.log.text(), marker)
}
