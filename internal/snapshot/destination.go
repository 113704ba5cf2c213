package snapshot

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/metric"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// destination makes what answers on a route when its filters are done, and names the service that does, if it is always
// the same. It returns nil if there is none, which has been reported already.
func (b *builder) destination(name, at string, c *config.Route) (exchange.Handler, string) {
	options := upstream.RouteOptions{PreserveHost: c.PreserveHost, Timeouts: c.Timeouts, Retries: c.Retries}
	switch {
	case c.Redirect != nil:
		return newRedirect(c.Redirect), ""
	case c.Respond != nil:
		return newRespond(c.Respond), ""
	case c.Service != "":
		if s := b.services[c.Service]; s != nil {
			return s.Route(options), c.Service
		}
	case len(c.Services) > 0:
		return b.split(name, at, c.Services, options), ""
	}
	return nil, ""
}

// split shares exchanges out to services by weight; each is counted under its own service.
func (b *builder) split(name, at string, list []config.WeightedService, options upstream.RouteOptions) exchange.Handler {
	shares := make([]upstream.Share, 0, len(list))
	for i, w := range list {
		service := b.services[w.Name]
		if service == nil {
			return nil
		}
		stats := b.stats(spec.Index(at+".services", i), name, w.Name)
		shares = append(shares, upstream.Share{Name: w.Name, Weight: w.Weight, Handler: &counted{stats, service.Route(options)}})
	}
	s, err := upstream.Split(shares)
	if err != nil {
		b.fail(at+".services", err)
		return nil
	}
	return s
}

// A counted handler says where the exchange is counted.
type counted struct {
	stats *metric.Route
	next  exchange.Handler
}

// Handle notes it and goes on.
func (c *counted) Handle(x *exchange.Exchange) (*http.Response, error) {
	x.Stats = c.stats
	return c.next.Handle(x)
}

// A redirect sends the client elsewhere. Its parts are literal text and placeholders in turn.
type redirect struct {
	status int
	parts  []string // literal, placeholder, literal, …
}

func newRedirect(c *config.Redirect) *redirect {
	r := &redirect{status: c.Status}
	rest := c.To
	for {
		before, after, ok := strings.Cut(rest, "{")
		r.parts = append(r.parts, before)
		if !ok {
			return r
		}
		placeholder, after, _ := strings.Cut(after, "}")
		r.parts = append(r.parts, placeholder)
		rest = after
	}
}

// Handle answers with the redirect.
func (r *redirect) Handle(x *exchange.Exchange) (*http.Response, error) {
	var to strings.Builder
	for i, part := range r.parts {
		if i%2 == 0 {
			to.WriteString(part)
			continue
		}
		to.WriteString(fill(x, part))
	}
	location := to.String()
	if strings.HasPrefix(location, "//") {
		// A path that begins with two slashes would be read as another host.
		location = "/" + strings.TrimLeft(location, "/")
	}
	x.Note(exchange.StageResponse, "redirect", "answers", location)
	return &http.Response{
		StatusCode: r.status, ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody, ContentLength: 0,
		Header: http.Header{"Location": {location}, "Content-Length": {"0"}},
	}, nil
}

// fill returns what a placeholder stands for. Host and path are canonical, so they hold nothing that could end the
// field or change where the URL leads.
func fill(x *exchange.Exchange, placeholder string) string {
	switch placeholder {
	case "scheme":
		return x.Scheme
	case "host":
		if strings.Contains(x.Host, ":") && !strings.HasPrefix(x.Host, "[") {
			return "[" + x.Host + "]"
		}
		return x.Host
	case "path":
		return x.Path
	case "query":
		if q := x.Request.URL.RawQuery; q != "" {
			return "?" + q
		}
		return ""
	}
	return x.Params.Value(placeholder)
}

// A respond answers with something fixed.
type respond struct {
	status int
	header http.Header
	body   []byte
}

func newRespond(c *config.Respond) *respond {
	r := &respond{status: c.Status, header: make(http.Header), body: []byte(c.Body)}
	for name, value := range c.Headers {
		r.header.Set(name, value)
	}
	if r.header.Get("Content-Type") == "" && len(r.body) > 0 {
		r.header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	if r.status != http.StatusNoContent && r.status != http.StatusNotModified {
		r.header.Set("Content-Length", strconv.Itoa(len(r.body)))
	}
	return r
}

// Handle answers. Filters may change the header, so each answer has its own.
func (r *respond) Handle(x *exchange.Exchange) (*http.Response, error) {
	x.Note(exchange.StageResponse, "respond", "answers", "a fixed response")
	resp := &http.Response{
		StatusCode: r.status, ProtoMajor: 1, ProtoMinor: 1, Header: r.header.Clone(), Body: http.NoBody, ContentLength: int64(len(r.body)),
	}
	if len(r.body) > 0 && x.Request.Method != http.MethodHead {
		resp.Body = io.NopCloser(bytes.NewReader(r.body))
	}
	return resp, nil
}
