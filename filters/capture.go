package filters

import (
	"bytes"
	"io"
	"net/http"
	"sync"

	"github.com/asynched/api-gateway/exchange"
)

// A capture is the body of a request that is kept for a copy while it streams to the service. The copy is sent when the
// body is complete. It is read by one goroutine at a time, which may outlive the exchange.
type capture struct {
	from   io.ReadCloser
	mirror *mirror
	length int64 // -1 if it is not known

	mu      sync.Mutex
	copy    *exchange.Exchange // nil once it is settled what becomes of the copy
	content []byte
}

// capture sends the request on with a body that is kept.
func (m *mirror) capture(x, y *exchange.Exchange) (*http.Response, error) {
	c := &capture{from: x.Request.Body, mirror: m, length: x.Request.ContentLength, copy: y}
	x.Request.Body = c
	done := false
	defer func() {
		if !done {
			c.settle(mirrorIncomplete)
		}
	}()
	resp, err := m.next.Handle(x)
	if err != nil || resp == nil || resp.Body == http.NoBody || c.settled() {
		return resp, err
	}
	done = true
	resp.Body = &captured{resp.Body, c} // the service answers before it has taken the whole body
	return resp, nil
}

// captured is the body of an answer that began before the request had ended.
type captured struct {
	io.ReadCloser
	capture *capture
}

// Close ends the exchange.
func (c *captured) Close() error {
	c.capture.settle(mirrorIncomplete)
	return c.ReadCloser.Close()
}

// Read reads on from the client.
func (c *capture) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.take(p[:n], err)
	return n, err
}

// Close ends the body, which whoever took it wants no more of.
func (c *capture) Close() error {
	c.settle(mirrorIncomplete)
	return c.from.Close()
}

// take keeps a part of the body, and sends the copy after the last one.
func (c *capture) take(part []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.copy == nil {
		return
	}
	total := int64(len(c.content) + len(part))
	if total > c.mirror.maxBody {
		c.drop(mirrorTooLarge)
		return
	}
	c.keep(part)
	switch {
	case err == io.EOF && c.length <= total || c.length == total:
		y := c.copy
		y.Request.Body, y.Request.ContentLength = io.NopCloser(bytes.NewReader(c.content)), total
		c.copy, c.content = nil, nil
		c.mirror.send(y)
	case err != nil:
		c.drop(mirrorIncomplete)
	}
}

// keep appends a part. What is allocated is never more than max_body.
func (c *capture) keep(part []byte) {
	if need := len(c.content) + len(part); need > cap(c.content) {
		room := min(max(2*cap(c.content), need, 512), int(c.mirror.maxBody))
		c.content = append(make([]byte, 0, room), c.content...)
	}
	c.content = append(c.content, part...)
}

// settle drops the copy, unless it has been settled what becomes of it.
func (c *capture) settle(result mirrorResult) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.copy != nil {
		c.drop(result)
	}
}

// settled tells whether it is.
func (c *capture) settled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.copy == nil
}

// drop makes it so that there is no copy. The caller holds mu.
func (c *capture) drop(result mirrorResult) {
	c.copy, c.content = nil, nil
	c.mirror.copies.release()
	c.mirror.counters[result].Inc()
}
