package cache

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"strings"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/httpcache"
)

const methodQuery = "QUERY"

// fork returns the exchange that asks the service. It may outlive the client's, and says nothing that the key does not hold
// and that could change an answer.
func (q *call) fork(ctx context.Context) *exchange.Exchange {
	return q.forkTo(ctx, new(exchange.Exchange), q.cleansed())
}

// forkTo is fork, into an exchange that is there, and with that header.
func (q *call) forkTo(ctx context.Context, y *exchange.Exchange, h http.Header) *exchange.Exchange {
	x := q.x
	*y = *x
	r := x.Request.WithContext(ctx)
	r.Header, r.Host = h, q.host
	if q.query != r.URL.RawQuery {
		u := *r.URL
		u.RawQuery = q.query
		r.URL = &u
	}
	if q.body != nil {
		body := q.body
		r.ContentLength = int64(len(body))
		r.Body = io.NopCloser(bytes.NewReader(body))
	} else {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	y.Request = r
	return y
}

// cleansed returns the header for the service, which is a copy.
func (q *call) cleansed() http.Header {
	h := maps.Clone(q.x.Request.Header)
	q.cleanse(h)
	return h
}

// shareable reports whether the service may get the client's header as it is.
func (q *call) shareable() bool {
	h := q.x.Request.Header
	return !q.rq.Conditional && len(h["Range"]) == 0 && len(h["If-Range"]) == 0 && !q.tainted(h)
}

// tainted reports whether cleanse would change anything.
func (q *call) tainted(h http.Header) bool {
	for name := range h {
		if unkeyed(name) && !q.keyed(name) {
			return true
		}
	}
	claimed := h["X-Forwarded-Host"]
	return len(claimed) > 1 || len(claimed) == 1 && claimed[0] != q.host
}

// adopt takes over what the forked exchange learned.
func (q *call) adopt(y *exchange.Exchange) {
	x := q.x
	if x == y {
		return
	}
	x.Service, x.Instance, x.Address, x.Stats = y.Service, y.Instance, y.Address, y.Stats
	x.Attempts, x.Tries, x.Timings = y.Attempts, y.Tries, y.Timings
	y.Record, y.Inform = nil, nil // they are the client's, whose exchange may end before this one
}

// cleanse removes from the request for the service what a client could change the answer with, for others.
func (q *call) cleanse(h http.Header) {
	for name := range h {
		if unkeyed(name) && !q.keyed(name) {
			delete(h, name)
		}
	}
	if claimed := h["X-Forwarded-Host"]; len(claimed) > 0 && (len(claimed) > 1 || claimed[0] != q.host) {
		h["X-Forwarded-Host"] = []string{q.host}
		delete(h, "Forwarded")
	}
}

// keyed reports whether a field is part of the key.
func (q *call) keyed(name string) bool {
	for _, one := range q.cache.key.headers {
		if one == name {
			return true
		}
	}
	return false
}

// unkeyed reports whether a field is one of those that frameworks and servers take for the host, the path, the method or the
// scheme of a request, or for its client, although it comes from the client. docs/caching.md lists them.
func unkeyed(name string) bool {
	switch name[0] {
	case 'X':
		return unkeyedX(name)
	case 'C', 'F', 'T', 'B', 'P', 'x':
		switch name {
		case "Base-Url", "Client-Ip", "Cf-Connecting-Ip", "Fastly-Client-Ip", "Forwarded-For", "Forwarded-Host", "Forwarded-Proto",
			"Front-End-Https", "Proxy-Host", "Proxy-Url", "True-Client-Ip":
			return true
		}
		return strings.IndexByte(name, '_') > 0
	}
	return strings.IndexByte(name, '_') > 0 // many servers read it as '-'
}

func unkeyedX(name string) bool {
	switch name {
	case "X-Original-Url", "X-Original-Uri", "X-Original-Host", "X-Original-Method", "X-Original-Path", "X-Rewrite-Url",
		"X-Rewrite-Uri", "X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Http-Host-Override",
		"X-Http-Destinationurl", "X-Host", "X-Host-Override", "X-Forwarded-Server", "X-Forwarded-Port", "X-Forwarded-Prefix",
		"X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-Protocol", "X-Forwarded-Path", "X-Forwarded-Uri", "X-Forwarded-By",
		"X-Forwarded", "X-Forward-For", "X-Forward-Host", "X-Url-Scheme", "X-Scheme", "X-Proxy-Url", "X-Client-Ip", "X-Cluster-Client-Ip",
		"X-Originating-Ip", "X-Remote-Ip", "X-Remote-Addr", "X-Envoy-Original-Path", "X-Middleware-Subrequest",
		"X-Invoke-Path", "X-Invoke-Query", "X-Matched-Path", "X-Now-Route-Matches", "X-Wap-Profile":
		return true
	}
	return strings.IndexByte(name, '_') > 0
}

// readQuery reads the content of a QUERY and makes the key of it. If that is longer than it may be, the request has it
// still, and the reason is returned.
func (q *call) readQuery() (why string) {
	r := q.x.Request
	if r.ContentLength > q.maxQuery {
		return "query-too-long"
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, q.maxQuery+1))
	if err != nil || int64(len(body)) > q.maxQuery {
		r.Body = &unread{io.MultiReader(bytes.NewReader(body), failing{r.Body, err}), r.Body}
		return "query-too-long"
	}
	q.body = body
	key := httpcache.NewContentKey(string(q.key), r.Header)
	_, _ = key.Write(body)
	q.key = []byte(key.Key())
	return ""
}

// unread is a body of which a part has been read and put back.
type unread struct {
	io.Reader
	io.Closer
}

// failing reads on, or returns the error that reading came to before.
type failing struct {
	io.Reader
	err error
}

func (f failing) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return f.Reader.Read(p)
}
