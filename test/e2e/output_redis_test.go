//go:build e2e

package e2e

import (
	"context"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"

	"github.com/txn2/rtbeat/test/harness"
)

const redisKey = "rtbeat"

// redisServer is a real one.
type redisServer struct {
	t       testing.TB
	program string
	addr    string
	dir     string
	args    []string
	process *exec.Cmd
}

func startRedis(t testing.TB, args ...string) *redisServer {
	t.Helper()
	program := harness.FindProgram(t, "redis-server")
	s := &redisServer{t: t, program: program, addr: harness.DeadAddress(t), dir: t.TempDir(), args: args}
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *redisServer) start() {
	s.t.Helper()
	_, port, err := net.SplitHostPort(s.addr)
	require.NoError(s.t, err)
	args := append([]string{"--bind", "127.0.0.1", "--port", port, "--dir", s.dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always"}, s.args...)
	s.process = exec.CommandContext(context.Background(), s.program, args...)
	log, err := os.Create(filepath.Join(s.dir, "redis.log"))
	require.NoError(s.t, err)
	defer log.Close()
	s.process.Stdout, s.process.Stderr = log, log
	require.NoError(s.t, s.process.Start())
	harness.Await(s.t, 10*time.Second, "redis-server", func() bool {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// signal stops the server, or lets it go on.
func (s *redisServer) signal(sig syscall.Signal) {
	s.t.Helper()
	require.NoError(s.t, s.process.Process.Signal(sig))
}

func (s *redisServer) kill() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}

func (s *redisServer) do(command string, args ...any) any {
	s.t.Helper()
	conn, err := redis.Dial("tcp", s.addr, redis.DialConnectTimeout(5*time.Second), redis.DialReadTimeout(5*time.Second), redis.DialPassword(s.password()))
	require.NoError(s.t, err)
	defer conn.Close()
	reply, err := conn.Do(command, args...)
	require.NoError(s.t, err)
	return reply
}

func (s *redisServer) password() string {
	for i, arg := range s.args {
		if arg == "--requirepass" {
			return s.args[i+1]
		}
	}
	return ""
}

// list is what is in a list.
func (s *redisServer) list(key string) [][]byte {
	s.t.Helper()
	values, err := redis.ByteSlices(s.do("LRANGE", key, 0, -1), nil)
	require.NoError(s.t, err)
	return values
}

func (s *redisServer) settings(more map[string]any) harness.Settings {
	output := map[string]any{"hosts": []string{s.addr}, "key": redisKey, "timeout": "1s", "backoff.init": "50ms", "backoff.max": "200ms"}
	maps.Copy(output, more)
	return harness.Settings{Kind: "redis", Rtbeat: quick, Output: output}
}

// delivers posts a batch again and again until it is answered 200; until then it may be 504.
func delivers(t testing.TB, c *harness.Client, b *harness.Beat, batch harness.Batch) {
	t.Helper()
	harness.Await(t, 20*time.Second, "the 200 of a retry", func() bool {
		a := c.Post(t.Context(), b.Addr, batch.Body())
		require.Contains(t, []int{http.StatusOK, http.StatusGatewayTimeout}, a.Code, "%s", a)
		return a.Code == http.StatusOK
	})
}

// A 200 finds its events in the list, through several workers and with a password.
func TestOutputRedisList(t *testing.T) {
	t.Parallel()
	s := startRedis(t, "--requirepass", "secret")
	b := harness.StartBeat(t, s.settings(map[string]any{"password": "secret", "worker": 2}))
	c := harness.NewClient(t)
	var sent []harness.Batch
	for i := range 10 {
		batch := harness.NewBatch("list-"+strconv.Itoa(i), 30)
		sent = append(sent, batch)
		requireDelivered(t, c.Post(t.Context(), b.Addr, batch.Body()), 30)
		require.Subset(t, idsOf(t, s.list(redisKey)...), ids(batch))
	}
	require.ElementsMatch(t, ids(sent...), idsOf(t, s.list(redisKey)...))
	b.Stop()

	b = harness.StartBeat(t, s.settings(map[string]any{"password": "wrong"}))
	requireTimeout(t, c.Post(t.Context(), b.Addr, harness.NewBatch("stranger", 3).Body()), 3)
	require.Len(t, s.list(redisKey), 300)
}

// `rtbeat test output` asks the server.
func TestOutputRedisIsTested(t *testing.T) {
	t.Parallel()
	s := startRedis(t, "--requirepass", "secret")
	for password, want := range map[string]int{"secret": 0, "wrong": 1} {
		home := t.TempDir()
		settings := s.settings(map[string]any{"password": password})
		result := harness.Command(t, home, "", "test", "output", "-c", settings.WriteConfig(t, home))
		require.Equal(t, want, result.Code, "%s\n%s", result.Stdout, result.Stderr)
		require.Contains(t, result.Stdout, "connect... ")
	}
}

// Nobody is told 200 while the server hangs, is gone, or is full. In the end all of it is there.
func TestOutputRedisTrouble(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(*redisServer) (over func()){
		"hangs": func(s *redisServer) func() {
			s.signal(syscall.SIGSTOP)
			return func() { s.signal(syscall.SIGCONT) }
		},
		"is gone": func(s *redisServer) func() {
			s.kill()
			return s.start
		},
		"is full": func(s *redisServer) func() {
			s.do("CONFIG", "SET", "maxmemory", 1)
			return func() { s.do("CONFIG", "SET", "maxmemory", 0) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startRedis(t)
			b := harness.StartBeat(t, s.settings(nil))
			c := harness.NewClient(t)
			before, during := harness.NewBatch("before", 10), harness.NewBatch("during", 10)
			requireDelivered(t, c.Post(t.Context(), b.Addr, before.Body()), 10)
			over := trouble(s)
			requireTimeout(t, c.Post(t.Context(), b.Addr, during.Body()), 10)
			over()
			delivers(t, c, b, during)
			require.Subset(t, idsOf(t, s.list(redisKey)...), ids(before, during))
			require.Zero(t, b.Metric("rtbeat_events_rejected_total"))
			b.Stop()
		})
	}
}

// An event without a key, or that cannot be encoded, never gets into Redis; left to the output, it may take others with it,
// or all of rtbeat.
func TestOutputRedisRejects(t *testing.T) {
	t.Parallel()
	for name, output := range map[string]map[string]any{
		"no key":                        {"key": "%{[rxtxMsg.must]}"},
		"cannot be encoded":             {"codec.format.string": `{"uuid":"%{[rxtxMsg.uuid]}","rxtxMsg":{"uuid":"%{[rxtxMsg.uuid]}","must":"%{[rxtxMsg.must]}"}}`},
		"cannot be encoded for channel": {"codec.format.string": `%{[rxtxMsg.must]}`, "datatype": "channel"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startRedis(t)
			b := harness.StartBeat(t, s.settings(output))
			c := harness.NewClient(t)
			good := func(id string) harness.Message { return message(id, map[string]any{"must": redisKey}) }
			for _, batch := range []harness.Batch{
				{message("bad", nil), good("a"), good("b")},
				{good("c"), message("bad", nil), good("d")},
				{good("e"), good("f"), message("bad", nil)},
			} {
				requireRejected(t, c.Post(t.Context(), b.Addr, batch.Body()), 3, 1)
			}
			requireRejected(t, c.Post(t.Context(), b.Addr, harness.Batch{message("bad", nil)}.Body()), 1, 1)
			if output["datatype"] == nil {
				require.ElementsMatch(t, []string{"a", "b", "c", "d", "e", "f"}, idsOf(t, s.list(redisKey)...))
			}
			require.Equal(t, 4, int(b.Metric("rtbeat_events_rejected_total")))
			b.Stop()
		})
	}
}

// What is published reaches who listens. Nobody has to, and rtbeat says so at the start.
func TestOutputRedisChannel(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	b := harness.StartBeat(t, s.settings(map[string]any{"datatype": "channel"}))
	require.Contains(t, b.Log.String(), "less than it may seem: output.redis.datatype is channel")
	conn, err := redis.Dial("tcp", s.addr, redis.DialReadTimeout(10*time.Second))
	require.NoError(t, err)
	defer conn.Close()
	subscriber := redis.PubSubConn{Conn: conn}
	require.NoError(t, subscriber.Subscribe(redisKey))
	require.IsType(t, redis.Subscription{}, subscriber.Receive())

	c := harness.NewClient(t)
	batch := harness.NewBatch("channel", 20)
	requireDelivered(t, c.Post(t.Context(), b.Addr, batch.Body()), 20)
	var heard [][]byte
	for range 20 {
		m, ok := subscriber.Receive().(redis.Message)
		require.True(t, ok)
		heard = append(heard, m.Data)
	}
	require.ElementsMatch(t, ids(batch), idsOf(t, heard...))
	s.signal(syscall.SIGSTOP)
	requireTimeout(t, c.Post(t.Context(), b.Addr, harness.NewBatch("hung", 3).Body()), 3)
	s.signal(syscall.SIGCONT)
}
