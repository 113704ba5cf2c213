package filters

import (
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/spec"
)

// Headers changes the header fields of requests and answers. An answer that the gateway makes itself because something
// failed is left alone.
type Headers struct {
	// Request changes what the instance gets. Host can be set, which shows where preserve_host is true.
	Request HeaderChanges `json:"request"`
	// Response changes what the client gets.
	Response HeaderChanges `json:"response"`
}

// HeaderChanges are made in this order: remove, set, add. The values of set and add may hold {client_ip}, {host},
// {path}, {request_id}, {route} and {param.NAME}, which is a placeholder of the route's path; host, path and params are
// in their canonical form, escapes and all. A brace itself is written twice.
type HeaderChanges struct {
	// Set gives fields one value, in place of those they have.
	Set map[string]string `json:"set,omitempty"`
	// Add gives fields one value more.
	Add map[string]string `json:"add,omitempty"`
	// Remove takes fields away.
	Remove []string `json:"remove,omitempty"`
}

// Check reports fields that are not the filter's to change, and values that cannot be made.
func (h *Headers) Check(c *spec.Checks) {
	h.Request.check(c, "request")
	h.Response.check(c, "response")
}

func (h *HeaderChanges) check(c *spec.Checks, side string) {
	checkValues(c, side, "set", h.Set)
	checkValues(c, side, "add", h.Add)
	for i, name := range h.Remove {
		at := spec.Index(side+".remove", i)
		checkName(c, at, side, "remove", name)
		for set := range h.Set {
			if canonicalName(set) == canonicalName(name) {
				c.Errorf(at, "%s is set, which takes its old values away: leave it out here", set)
			}
		}
	}
}

func checkValues(c *spec.Checks, side, how string, fields map[string]string) {
	seen := make(map[string]string)
	for _, name := range sortedKeys(fields) {
		at := spec.Key(side+"."+how, name)
		checkName(c, at, side, how, name)
		if other, twice := seen[canonicalName(name)]; twice {
			c.Errorf(at, "%s is the same field as %s", name, other)
		}
		seen[canonicalName(name)] = name
		if err := checkValue(name, fields[name]); err != nil {
			c.Errorf(at, "%s", err)
		}
	}
}

func checkValue(name, text string) error {
	if !httpguts.ValidHeaderFieldValue(text) {
		return fmt.Errorf("the value holds a byte that cannot stand in a header")
	}
	t, err := valueDialect().parse(text)
	if err != nil {
		return err
	}
	if host, fixed := t.fixed(); fixed && canonicalName(name) == "Host" && !isHost(host) {
		return fmt.Errorf("%q is not a host: want a name or an address and, if need be, a port", host)
	}
	return nil
}

func checkName(c *spec.Checks, at, side, how, name string) {
	if !httpguts.ValidHeaderFieldName(name) {
		c.Errorf(at, "%q is not a valid header name", name)
	}
	switch canonical := canonicalName(name); {
	case slices.Contains(connectionFields(), canonical):
		c.Errorf(at, "%s says how a connection is used or where a message ends, and is written by the gateway alone", canonical)
	case canonical == "Host" && side == "response":
		c.Errorf(at, "Host is a field of requests")
	case canonical == "Host" && how != "set":
		c.Errorf(at, "a request has exactly one Host: it can be set, not added or removed")
	}
}

// connectionFields belong to one connection or to the framing of a message (RFC 9110, 7.6.1): they are gone when a
// filter runs, or written after it has.
func connectionFields() []string {
	return []string{
		"Connection", "Content-Length", "Http2-Settings", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	}
}

func canonicalName(name string) string { return textproto.CanonicalMIMEHeaderKey(name) }

// isHost reports whether s holds nothing but what hosts and ports are made of.
func isHost(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]") == ""
}

// Wrap compiles the changes.
func (h *Headers) Wrap(b *filter.Build, next exchange.Handler) (exchange.Handler, error) {
	request, err := h.Request.compile(b, "request")
	if err != nil {
		return nil, err
	}
	response, err := h.Response.compile(b, "response")
	if err != nil {
		return nil, err
	}
	f := &headers{request: request, response: response, next: next}
	if i := slices.IndexFunc(request.set, func(v fieldValue) bool { return v.name == "Host" }); i >= 0 {
		f.host = &request.set[i].value
		f.request.set = slices.Concat(request.set[:i], request.set[i+1:])
	}
	return f, nil
}

func (h *HeaderChanges) compile(b *filter.Build, side string) (changes, error) {
	var c changes
	for _, name := range h.Remove {
		c.remove = append(c.remove, canonicalName(name))
	}
	var err error
	if c.set, err = compileValues(b, side+".set", h.Set); err != nil {
		return c, err
	}
	c.add, err = compileValues(b, side+".add", h.Add)
	return c, err
}

func compileValues(b *filter.Build, at string, fields map[string]string) ([]fieldValue, error) {
	var list []fieldValue
	for _, name := range sortedKeys(fields) {
		t, err := valueDialect().parse(fields[name])
		if err == nil {
			err = t.bind(b)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", spec.Key(at, name), err)
		}
		v := fieldValue{name: canonicalName(name), value: t}
		v.text, v.fixed = t.fixed()
		list = append(list, v)
	}
	return list, nil
}

// A fieldValue is a field in canonical form and what it gets: a text that is always the same, or one to fill in.
type fieldValue struct {
	name  string
	text  string
	fixed bool
	value template
}

// make returns the value for an exchange, and whether it may stand in a header.
func (v *fieldValue) make(x *exchange.Exchange) (string, bool) {
	if v.fixed {
		return v.text, true
	}
	text := v.value.fill(x)
	return text, httpguts.ValidHeaderFieldValue(text)
}

// changes are what is done to one header.
type changes struct {
	remove   []string
	set, add []fieldValue
}

// headers is the filter at work.
type headers struct {
	host              *template // nil if the host stays
	request, response changes
	next              exchange.Handler
}

// Handle changes the request on its way in and the answer on its way out.
func (h *headers) Handle(x *exchange.Exchange) (*http.Response, error) {
	if h.host != nil {
		host := h.host.fill(x)
		if !isHost(host) {
			return nil, exchange.Errorf(exchange.BadRequest, "what the request would put into its Host is no host name")
		}
		x.Request.Host = host
		x.Note(exchange.StageFilter, "headers", "sets the host", host)
	}
	h.request.apply(x, x.Request.Header, "request")
	resp, err := h.next.Handle(x)
	if err != nil {
		return nil, err
	}
	if resp.Header == nil {
		resp.Header = make(http.Header)
	}
	h.response.apply(x, resp.Header, "answer")
	return resp, nil
}

// apply makes the changes. A value that cannot stand in a header is never written: a field that it was to replace is
// taken away, so that nobody takes what the client sent for the gateway's word.
func (c *changes) apply(x *exchange.Exchange, h http.Header, what string) {
	for _, name := range c.remove {
		h.Del(name)
	}
	for i := range c.set {
		if text, ok := c.set[i].make(x); ok {
			h.Set(c.set[i].name, text)
		} else {
			h.Del(c.set[i].name)
		}
	}
	for i := range c.add {
		if text, ok := c.add[i].make(x); ok {
			h.Add(c.add[i].name, text)
		}
	}
	if x.Explaining() {
		c.note(x, what)
	}
}

// note writes down what was done, by the names of the fields alone: values may be secret.
func (c *changes) note(x *exchange.Exchange, what string) {
	var done []string
	for _, name := range c.remove {
		done = append(done, "removes "+name)
	}
	for i := range c.set {
		done = append(done, "sets "+c.set[i].name)
	}
	for i := range c.add {
		done = append(done, "adds "+c.add[i].name)
	}
	if len(done) > 0 {
		x.Note(exchange.StageFilter, "headers", "changes the "+what, strings.Join(done, ", "))
	}
}
