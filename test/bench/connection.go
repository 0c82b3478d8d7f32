package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// answerTimeout is more than rtbeat itself waits, see common.
const answerTimeout = time.Minute

// connection speaks as much HTTP/1.1 as rtbeat's answers need. net/http's client takes several times as much of the core
// that it shares with the sink.
type connection struct {
	conn net.Conn
	in   *bufio.Reader
	host string

	head     []byte // of the last request
	length   int    // of its body
	encoding string
}

// dial connects to an address.
func dial(ctx context.Context, address string) (*connection, error) {
	dialer := net.Dialer{Timeout: answerTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	return &connection{conn: conn, in: bufio.NewReaderSize(conn, 1024), host: address, length: -1}, nil
}

func (c *connection) close() { _ = c.conn.Close() }

// connections are closed together.
type connections []*connection

// dialAll opens n connections to an address.
func dialAll(ctx context.Context, address string, n int) (all connections, err error) {
	for range n {
		c, err := dial(ctx, address)
		if err != nil {
			all.close()
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func (cs connections) close() {
	for _, c := range cs {
		c.close()
	}
}

// post sends a batch and waits for its 200. Any other answer is an error.
func (c *connection) post(body []byte, encoding string) error {
	if len(body) != c.length || encoding != c.encoding {
		c.length, c.encoding = len(body), encoding
		c.head = fmt.Appendf(c.head[:0], "POST /in HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", c.host, len(body))
		if encoding != "" {
			c.head = fmt.Appendf(c.head, "Content-Encoding: %s\r\n", encoding)
		}
		c.head = append(c.head, "\r\n"...)
	}
	return c.exchange(c.head, body)
}

// get asks for a path, and expects 200.
func (c *connection) get(path string) error {
	return c.exchange(fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, c.host), nil)
}

func (c *connection) exchange(head, body []byte) error {
	if err := c.conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return fmt.Errorf("setting the time limit: %w", err)
	}
	request := net.Buffers{head, body} // one call of the kernel for both
	if _, err := request.WriteTo(c.conn); err != nil {
		return fmt.Errorf("sending the request: %w", err)
	}
	return readOK(c.in)
}

var (
	statusOK      = []byte("HTTP/1.1 200 ")
	contentLength = []byte("Content-Length:")
)

// readOK reads an answer to its end. One that is not 200, or that ends the connection, is an error.
func readOK(in *bufio.Reader) error {
	status, err := in.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	ok, said := bytes.HasPrefix(status, statusOK), string(bytes.TrimSpace(status))
	length := -1
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("reading the headers of the answer: %w", err)
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		if value, found := bytes.CutPrefix(line, contentLength); found {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return fmt.Errorf("reading the length of the answer: %w", err)
			}
		}
	}
	if length < 0 {
		return errors.New("reading the answer: it has no length")
	}
	if !ok {
		text, _ := io.ReadAll(io.LimitReader(in, int64(length))) // the status is enough
		return fmt.Errorf("answered %q: %s", said, bytes.TrimSpace(text))
	}
	if _, err := in.Discard(length); err != nil {
		return fmt.Errorf("reading the body of the answer: %w", err)
	}
	return nil
}
