//go:build senders

package senders

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/internal/lumbersink"
	"github.com/txn2/rtbeat/test/harness"
)

// collectd never repeats a request. Its values arrive through an outage of the output, by the recipe's durable mode.
func TestCollectd(t *testing.T) {
	t.Parallel()
	program := harness.FindProgram(t, "collectd")
	if libraries, _ := filepath.Glob("/usr/lib/*/libyajl.so.2"); len(libraries) == 0 {
		harness.Missing(t, "no libyajl here, which collectd's write_http needs")
	}
	sink := harness.StartSink(t, lumbersink.Never())
	b := startWith(t, sink, recipe(t, "collectd-rtbeat"), promptTimeout)
	dir := t.TempDir()
	socket := harness.SocketPath(t, "collectd")
	text := recipe(t, "collectd", here, "http://"+b.Addr+"/in", "FlushInterval 10", "FlushInterval 1", "LoadPlugin load", `LoadPlugin unixsock
<Plugin unixsock>
  SocketFile "`+socket+`"
  SocketGroup root
</Plugin>
LoadPlugin logfile
<Plugin logfile>
  File STDOUT
</Plugin>`)
	p := harness.StartProgram(t, dir, program, "-f", "-C", harness.WriteRecipe(t, dir, "collectd.conf", text), "-P", filepath.Join(dir, "pid"))
	var c net.Conn
	harness.Await(t, harness.ArriveWithin, "collectd's socket", func() (isOpen bool) {
		var err error
		c, err = net.Dial("unix", socket)
		return err == nil
	})
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	answers := bufio.NewScanner(c)
	var want []string
	put := func(values int) {
		for range values {
			n, value, message := len(want), "U", "null"
			if n%5 != 0 {
				value, message = fmt.Sprint(n), fmt.Sprint(n)
			}
			_, err := fmt.Fprintf(c, "PUTVAL \"web1/shop-a%d/gauge-b\" interval=10 %d:%s\n", n, 1730000000+n, value)
			require.NoError(t, err)
			require.True(t, answers.Scan())
			require.Equal(t, "0 Success: 1 value has been dispatched.", answers.Text())
			want = append(want, fmt.Sprintf(`{"values":[%s],"dstypes":["gauge"],"dsnames":["value"],"time":%g,"interval":10,`+
				`"host":"web1","plugin":"shop","plugin_instance":"a%d","type":"gauge","type_instance":"b"}`, message, float64(1730000000+n), n))
		}
	}
	put(20)
	harness.Await(t, harness.ArriveWithin, "a 200 in spite of the output", func() bool { return b.Answers(http.StatusOK, "delivered") > 0 })
	put(20)
	harness.RecoverSink(sink)
	requireMessages(t, b, sink, want)
	require.NotContains(t, p.Said(), "HTTP Error code")
}
