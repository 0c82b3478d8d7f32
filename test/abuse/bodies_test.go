//go:build abuse

package abuse

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

const mib = 1 << 20

// body is the body of one hostile request.
type body struct {
	coding string
	bytes  []byte
}

// plain is the approximate length of the decompressed body.
func (b body) plain() int {
	if b.coding == "" {
		return len(b.bytes)
	}
	return max(len(b.bytes), 160_000)
}

// messages is a batch of n equal messages. Its length is most bytes or less.
func messages(message string, n, most int) []byte {
	n = min(n, (most-64)/(len(message)+1))
	return []byte(`{"messages":[` + strings.Repeat(message+",", n-1) + message + `]}`)
}

// fill is one message with a list of equal values, as long as most allows.
func fill(value string, most int) []byte {
	n := (most - 64) / (len(value) + 1)
	return []byte(`{"messages":[{"a":[` + strings.Repeat(value+",", n-1) + value + `]}]}`)
}

func nest(levels int) string {
	return `{"a":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + `}`
}

func wide(most int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"messages":[{`)
	for i := 0; b.Len() < most-32; i++ {
		fmt.Fprintf(&b, `"%x":0,`, i)
	}
	b.Truncate(b.Len() - 1)
	b.WriteString(`}]}`)
	return b.Bytes()
}

// rxtxLike is a message as rxtx sends it. It has no uuid, so that it is never deduped.
const rxtxLike = `{"seq":"20261101-000000000017","time":"2026-11-01T12:00:00.123456789Z","producer":"gateway-17","label":"meter","key":"meter-000017","payload":{"reading":1234.5678,"unit":"kWh","quality":"good","tariff":2,"valid":true,"location":{"lat":52.520008,"lon":13.404954},"note":null,"counter":9007199254740993,"serial":"0000-4711-0815-2342"}}`

// fullBody is the default of max_body_bytes.
const fullBody = 16 * mib

// bodies are named for the attacks and for the measurement of memory. Their text has most bytes or less, except the bombs, which
// decompress to more.
var bodies = map[string]func(most int) body{
	"rxtx":           func(most int) body { return body{"", messages(rxtxLike, 500, most)} },
	"rxtx-large":     func(most int) body { return body{"", messages(rxtxLike, 50_000, most/16*15)} },
	"empty-objects":  func(most int) body { return body{"", messages(`{}`, 50_000, most)} },
	"tiny-objects":   func(most int) body { return body{"", messages(`{"":0}`, 50_000, most)} },
	"objects-in-one": func(most int) body { return body{"", fill(`{"":0}`, most)} },
	"lists-in-one":   func(most int) body { return body{"", fill(`[]`, most)} },
	"numbers":        func(most int) body { return body{"", fill(`1e5`, most)} },
	"nests":          func(most int) body { return body{"", messages(nest(128), 50_000, most)} },
	"too-deep":       func(most int) body { return body{"", []byte(`{"messages":[{"a":` + strings.Repeat("[", most-64))} },
	"deep-ignored":   func(most int) body { return body{"", []byte(`{"x":` + strings.Repeat("[", most-64))} },
	"wide":           func(most int) body { return body{"", wide(most)} },
	"wide-4":         func(most int) body { return body{"", wide(most / 4)} },
	"strings": func(most int) body {
		return body{"", messages(`{"a":"`+strings.Repeat("x", most/256)+`"}`, 200, most/16*15)}
	},
	"one-string": func(most int) body {
		return body{"", messages(`{"a":"`+strings.Repeat("x", most/16*15)+`"}`, 1, 2*most)}
	},
	"escapes": func(most int) body {
		return body{"", messages(`{"a":"`+strings.Repeat(`\u0001`, most/8)+`"}`, 1, 2*most)}
	},
	"blank":        func(most int) body { return body{"", bytes.Repeat([]byte(" "), most-1)} },
	"lines-blank":  func(most int) body { return body{"", bytes.Repeat([]byte("\n"), most-1)} },
	"gzip-rxtx":    func(most int) body { return body{"gzip", gzipped(messages(rxtxLike, 500, most))} },
	"gzip-bomb":    func(most int) body { return body{"gzip", gzipped(make([]byte, 16*most))} },
	"gzip-fits":    func(most int) body { return body{"gzip", gzipped(bytes.Repeat([]byte(" "), most-1))} },
	"gzip-objects": func(most int) body { return body{"gzip", gzipped(fill(`{"":0}`, most))} },
	"zstd-bomb":    func(most int) body { return body{"zstd", zstded(make([]byte, 16*most), 8*mib)} },
	"zstd-window": func(most int) body {
		return body{"zstd", zstded(bytes.Repeat([]byte(rxtxLike), most/4*3/len(rxtxLike)), 8*mib)}
	},
}

func gzipped(plain []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid
	_, _ = w.Write(plain)                                 // to memory
	_ = w.Close()
	return b.Bytes()
}

func zstded(plain []byte, window int) []byte {
	var b bytes.Buffer
	w, _ := zstd.NewWriter(&b, zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1)) // the size is valid
	_, _ = w.Write(plain)                                                                   // to memory
	_ = w.Close()
	return b.Bytes()
}

func (b body) request() []byte {
	head := fmt.Sprintf("POST /in HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", len(b.bytes))
	if b.coding != "" {
		head += "Content-Encoding: " + b.coding + "\r\n"
	}
	return append([]byte(head+"\r\n"), b.bytes...)
}

// exchange sends a request on a new connection and returns the status code, or 0 without an answer.
func exchange(target string, request []byte) int {
	c, err := dial(context.Background(), target)
	if err != nil {
		return 0
	}
	return exchangeOn(c, request)
}

// exchangeOn sends a request on a connection, and closes it.
func exchangeOn(c net.Conn, request []byte) int {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(15 * time.Second))
	go func() { _, _ = c.Write(request) }() // the answer may arrive before the whole request is sent
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// bodyFlood posts hostile bodies at a rate.
func bodyFlood(perSecond float64, at int, names ...string) func(context.Context, string) string {
	return func(ctx context.Context, target string) string {
		var requests [][]byte
		for _, name := range names {
			requests = append(requests, bodies[name](fullBody).request())
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attackTime) // making the bodies took time
		defer cancel()
		var t tally
		next := make(chan []byte, 1)
		go func() {
			for i := 0; ; i++ {
				select {
				case next <- requests[i%len(requests)]:
				case <-ctx.Done():
					close(next)
					return
				}
			}
		}()
		paced(ctx, perSecond, at, func() {
			if request := <-next; request != nil {
				t.add(exchange(target, request))
			}
		})
		return t.String()
	}
}
