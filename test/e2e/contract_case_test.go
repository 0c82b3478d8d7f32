//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// exchange is one case: the bytes on one connection, and the expected answers.
type exchange struct {
	name string
	// steps are the sender's actions, in order.
	steps []step
	// want are the answers, in the order of the requests.
	want []reply
	// leaves says that the sender closes the connection after its answers.
	leaves bool
	// play replaces the fields above, for cases beyond one connection of HTTP/1.
	play func(t *testing.T, g *rig)

	// dial makes the connection, in a rig with several ways.
	dial string
	// clientIP and headers are fields of the case's events. peerIP and later are those of the following requests on the
	// connection.
	clientIP, peerIP *string
	headers, later   map[string]any
}

// step is one action of a sender.
type step func(t testing.TB, l *line)

// reply is an expected answer.
type reply struct {
	// reason is the row of the docs. It is empty for an answer of Go's HTTP server, which is only the code.
	reason string
	code   int
	// health is the path of an answer about health. A healthy answer has no reason.
	health string
	// messages must be at the sink then.
	messages []string
	// count is the number of messages in the answer, by default len(messages).
	count int
	// header has required headers of the answer.
	header map[string]string
	// at has the offset of a 400, and the index of its message.
	at, in *int
	// bodiless is the answer to HEAD.
	bodiless bool
	// closes says that the answer announces the end of the connection, against its row in the docs.
	closes bool
	// orNone says that the connection may end without this answer.
	orNone bool
}

// ok is a 200 for these messages.
func ok(messages ...string) reply {
	return reply{reason: "delivered", messages: messages, count: len(messages)}
}

// no is a refusal.
func no(reason string) reply { return reply{reason: reason} }

// plain is an answer of Go's HTTP server.
func plain(code int) reply { return reply{code: code, closes: true} }

func (r reply) with(name, value string) reply {
	header := map[string]string{name: value}
	maps.Copy(header, r.header)
	r.header = header
	return r
}

func (r reply) offset(n int) reply { r.at = &n; return r }
func (r reply) index(n int) reply  { r.in = &n; return r }
func (r reply) last() reply        { r.closes = true; return r }

// script makes cases. Each of their messages is new, and has the secret in it.
type script struct {
	cases []*exchange
	made  int
	name  string
}

func newScript(name string) *script { return &script{name: name} }

// message is a new message.
func (s *script) message() string {
	s.made++
	return fmt.Sprintf(`{"uuid":"%s-%s-%d","n":%d,"z":null}`, secret, s.name, s.made, s.made)
}

func (s *script) messages(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = s.message()
	}
	return list
}

// add makes a case of one piece of text.
func (s *script) add(name, text string, want ...reply) *exchange {
	return s.steps(name, []step{send(text)}, want...)
}

// good makes a case of an accepted request. In the text, %s is the body of one new message, and %d its length.
func (s *script) good(name, format string) *exchange {
	m := s.message()
	body := batchOf(m)
	text := strings.ReplaceAll(format, "%d", fmt.Sprint(len(body)))
	return s.add(name, strings.ReplaceAll(text, "%s", body), ok(m))
}

// bad is good for a refused request.
func (s *script) bad(name, format string, want ...reply) *exchange {
	x := s.good(name, format)
	x.want = want
	return x
}

func (s *script) steps(name string, steps []step, want ...reply) *exchange {
	x := &exchange{name: name, steps: steps, want: want}
	s.cases = append(s.cases, x)
	return x
}

// does makes a case with a function.
func (s *script) does(name string, play func(t *testing.T, g *rig)) *exchange {
	x := &exchange{name: name, play: play}
	s.cases = append(s.cases, x)
	return x
}

// andSaysSo is for a connection that ends at the sender's request.
func (x *exchange) andSaysSo() *exchange { x.want[0].closes = true; return x }

// andLeaves is for a sender that closes the connection after the answer.
func (x *exchange) andLeaves() *exchange { x.leaves = true; return x }

func (x *exchange) from(dial string) *exchange { x.dial = dial; return x }

func (x *exchange) client(ip string) *exchange { x.clientIP = &ip; return x }

func (x *exchange) peer(ip string) *exchange { x.clientIP, x.peerIP = &ip, &ip; return x }

func (x *exchange) copied(headers map[string]any) *exchange { x.headers = headers; return x }

// batchOf is the batch of rxtx with these messages.
func batchOf(messages ...string) string {
	return fmt.Sprintf(`{"uuid":"a batch","size":%d,"messages":[%s]}`, len(messages), strings.Join(messages, ","))
}

// head is a request to /in up to its body.
func head(headers ...string) string { return request("POST /in HTTP/1.1", headers...) }

// request is a request up to its body.
func request(start string, headers ...string) string {
	text := start + "\r\nHost: x\r\n"
	for _, h := range headers {
		text += h + "\r\n"
	}
	return text + "\r\n"
}

// post is a request to /in with its length.
func post(body string, headers ...string) string {
	return head(append(headers, fmt.Sprintf("Content-Length: %d", len(body)))...) + body
}

// chunked is a request to /in in these chunks.
func chunked(chunks ...string) string {
	text := head("Transfer-Encoding: chunked")
	for _, c := range chunks {
		text += fmt.Sprintf("%x\r\n%s\r\n", len(c), c)
	}
	return text + "0\r\n\r\n"
}

// send writes text.
func send(text string) step {
	return func(_ testing.TB, l *line) { l.write(text) }
}

// hundred waits for the interim answer 100.
func hundred(t testing.TB, l *line) {
	t.Helper()
	require.Equal(t, 100, l.read(t, "POST").code)
}

// halfClose closes the sending direction.
func halfClose(t testing.TB, l *line) {
	t.Helper()
	require.NoError(t, l.closeWrite())
}
