//go:build unix

package harness

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// HAProxy is a running HAProxy, with the socket of its statistics.
type HAProxy struct {
	t     testing.TB
	stats string
}

// StartHAProxy runs HAProxy with a recipe and a socket for its statistics.
func StartHAProxy(t testing.TB, path, conf, listens string) *HAProxy {
	t.Helper()
	dir := t.TempDir()
	h := &HAProxy{t: t, stats: SocketPath(t, "stats")}
	global := WriteRecipe(t, dir, "global.cfg", fmt.Sprintf("global\n    stats socket %s mode 600\n", h.stats))
	StartProgram(t, dir, path, "-db", "-f", global, "-f", WriteRecipe(t, dir, "haproxy.cfg", conf)).Listens(listens)
	return h
}

// Row has HAProxy's statistics of a server, by column name; FRONTEND and BACKEND are servers, too. It is nil until HAProxy has made
// its socket, shortly after it listens.
func (h *HAProxy) Row(proxy, server string) map[string]string {
	h.t.Helper()
	c, err := net.Dial("unix", h.stats)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	require.NoError(h.t, err)
	defer c.Close()
	_, err = io.WriteString(c, "show stat\n")
	require.NoError(h.t, err)
	all, err := io.ReadAll(c)
	require.NoError(h.t, err)
	rows, err := csv.NewReader(strings.NewReader(strings.TrimSpace(strings.TrimPrefix(string(all), "# ")))).ReadAll()
	require.NoError(h.t, err)
	for _, cells := range rows[1:] {
		row := make(map[string]string)
		for i, name := range rows[0] {
			row[name] = cells[i]
		}
		if row["pxname"] == proxy && row["svname"] == server {
			return row
		}
	}
	require.FailNow(h.t, "HAProxy has no such server", "%s/%s: %s", proxy, server, all)
	return nil
}
