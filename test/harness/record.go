package harness

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"time"
)

// PostBy is Post by whoever the caller brings, for senders that need more than the ledger's own client: TLS, credentials.
func (l *Ledger) PostBy(ctx context.Context, c *Client, url string, header http.Header, b Batch) Answer {
	p := l.open(b)
	a := c.PostTo(ctx, url, header, b.Body())
	l.mu.Lock()
	defer l.mu.Unlock()
	p.answer, p.answered = a, true
	return a
}

// Attributes are additions of a sender to an attempt.
type Attributes struct {
	// By is the sender's name. Several senders may send equal messages.
	By string
	// Header has the request headers beside the usual ones.
	Header http.Header
	// MayDrop tells of a message that the processors drop when they see it with this Header. A 200 does not say then
	// that it was delivered. nil is for none.
	MayDrop func(Message) bool
}

// PostWith is Post with attributes.
func (l *Ledger) PostWith(ctx context.Context, addr string, b Batch, with Attributes) Answer {
	p := l.open(b)
	l.mu.Lock()
	p.by = with.By
	for _, m := range b {
		if with.MayDrop != nil && with.MayDrop(m) {
			if p.mayDrop == nil {
				p.mayDrop = make(map[string]bool)
			}
			p.mayDrop[m.ID] = true
		}
	}
	l.mu.Unlock()
	a := l.client.PostTo(ctx, "http://"+addr+"/in", with.Header, b.Body())
	l.mu.Lock()
	defer l.mu.Unlock()
	p.answer, p.answered = a, true
	return a
}

// NewClientOver makes a client over the caller's transport.
func NewClientOver(transport http.RoundTripper) *Client {
	return &Client{http: &http.Client{Transport: transport, Timeout: senderTimeout}}
}

// PostTo sends a body to any URL, with more headers.
func (c *Client) PostTo(ctx context.Context, url string, header http.Header, body []byte) Answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return Answer{Start: time.Now(), At: time.Now(), Err: err}
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Content-Type", "application/json")
	return c.Do(req)
}
