//go:build chaos

package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// proxy forwards connections and disturbs them. The bytes pass toxiproxy's pipelines, with its toxics for delay and rate. The
// connections are accepted and closed here: toxiproxy has no half-close, no reset at a chosen byte, and no lumberjack frames. Its
// toxics that end a connection leak their pipelines.
type proxy struct {
	t      testing.TB
	addr   string
	frames bool // upstream sends lumberjack frames
	note   func(format string, args ...any)

	listener net.Listener
	accepts  sync.WaitGroup
	server   *toxiproxy.ApiServer
	toxics   *toxiproxy.ToxicCollection

	mu       sync.Mutex
	upstream string
	owner    int
	fault    string // the current fault that may end connections
	scripts  map[stream.Direction]script
	links    []*link // the closed ones too
	closed   bool
}

// startProxy listens on a free port until the test ends.
func startProxy(t testing.TB, frames bool, note func(string, ...any)) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{
		t: t, addr: listener.Addr().String(), frames: frames, note: note, listener: listener,
		server:  toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()),
		scripts: make(map[stream.Direction]script),
	}
	p.toxics = toxiproxy.NewToxicCollection(toxiproxy.NewProxy(p.server, "", p.addr, ""))
	p.accepts.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.connect(conn.(*net.TCPConn))
	}
}

// connect joins a client to the upstream. Without an upstream it closes the client.
func (p *proxy) connect(client *net.TCPConn) {
	p.mu.Lock()
	upstream := p.upstream
	p.mu.Unlock()
	dialled, err := net.DialTimeout("tcp", upstream, time.Second)
	if err != nil {
		_ = client.Close()
		return
	}
	server := dialled.(*net.TCPConn)
	p.mu.Lock()
	l := &link{
		proxy: p, id: len(p.links), owner: p.owner, local: server.LocalAddr().String(),
		opened: time.Now(), client: client, server: server, done: make(chan struct{}),
	}
	p.links = append(p.links, l)
	fault, closed := p.fault, p.closed
	p.mu.Unlock()
	if fault != "" {
		l.touch(fault)
	}
	if closed {
		l.cut(rst, "the proxy is closed")
		return
	}
	p.note("connection %d of process %d opened", l.id, l.owner)
	name := fmt.Sprint(l.id)
	p.toxics.StartLink(p.server, name+" up", client, &side{link: l, dir: stream.Upstream, to: server}, stream.Upstream)
	p.toxics.StartLink(p.server, name+" down", server, &side{link: l, dir: stream.Downstream, to: client}, stream.Downstream)
}

// forward sets the upstream of new connections, and the process that owns them.
func (p *proxy) forward(upstream string, owner int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.upstream, p.owner = upstream, owner
}

// blame names the fault that may end connections from now on. The empty name ends that. Closed connections are included: while bytes
// are held, the proxy does not see that the process has closed its connection.
func (p *proxy) blame(fault string) {
	p.mu.Lock()
	p.fault = fault
	p.mu.Unlock()
	for _, l := range p.all() {
		l.touch(fault)
	}
}

// opened has the open connections.
func (p *proxy) opened() []*link {
	return slices.DeleteFunc(p.all(), func(l *link) bool { return !l.isOpen() })
}

// all has every connection so far, in order.
func (p *proxy) all() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.links)
}

// cut ends every open connection.
func (p *proxy) cut(v verdict, cause string) {
	for _, l := range p.opened() {
		l.cut(v, cause)
	}
}

func (p *proxy) script(dir stream.Direction) script {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.scripts[dir]
}

// play sets the script of one direction. nil removes it.
func (p *proxy) play(dir stream.Direction, f script) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scripts[dir] = f
}

// add adds a toxic of toxiproxy to one direction. remove removes it.
func (p *proxy) add(kind string, dir stream.Direction, attributes map[string]any) (remove func()) {
	p.t.Helper()
	name := kind + " " + dir.String()
	text, err := json.Marshal(map[string]any{"name": name, "type": kind, "stream": dir.String(), "attributes": attributes})
	require.NoError(p.t, err)
	_, err = p.toxics.AddToxicJson(strings.NewReader(string(text)))
	require.NoError(p.t, err, "%s", text)
	return func() {
		require.NoError(p.t, p.toxics.RemoveToxic(context.Background(), name))
	}
}

func (p *proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.cut(rst, "the proxy is closed")
	p.accepts.Wait()
}
