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

// HAProxy is one that runs beside a test, and the socket that tells its state.
type HAProxy struct {
	t     testing.TB
	stats string
}

// StartHAProxy runs HAProxy with a recipe, to which the test adds a socket to look into it.
func StartHAProxy(t testing.TB, path, conf, listens string) *HAProxy {
	t.Helper()
	dir := t.TempDir()
	h := &HAProxy{t: t, stats: SocketPath(t, "stats")}
	global := WriteRecipe(t, dir, "global.cfg", fmt.Sprintf("global\n    stats socket %s mode 600\n", h.stats))
	StartProgram(t, dir, path, "-db", "-f", global, "-f", WriteRecipe(t, dir, "haproxy.cfg", conf)).Listens(listens)
	return h
}

// Row is what HAProxy knows of a server, by the names of its columns; FRONTEND and BACKEND are servers, too. It is empty
// while HAProxy has not made its socket yet, which it does after it listens.
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
	require.FailNow(h.t, "HAProxy knows no such server", "%s/%s: %s", proxy, server, all)
	return nil
}
