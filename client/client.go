package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultAddress is where the admin API is unless the configuration says otherwise.
const DefaultAddress = "http://127.0.0.1:9190"

// maxAnswer bounds an answer, so that a wrong address cannot fill the memory.
const maxAnswer = 64 << 20

// Options say where the admin API is and how to be let in. The zero value is the default address without a token.
type Options struct {
	// Address is the URL of the admin API: http://127.0.0.1:9190. host:port alone means http, or https if TLS is set.
	Address string
	// Token is sent as a bearer with every call, if it is not empty.
	Token string
	// TLS is how to speak HTTPS: authorities to trust, a certificate to show. Nil is the system's way.
	TLS *tls.Config
	// Timeout bounds one call, the answer included; 30 s if zero. The context of a call may end it earlier.
	Timeout time.Duration
	// UserAgent names the caller; "sallyport-client" if empty.
	UserAgent string
	// Transport carries the calls instead of one of the client's own; TLS must be nil then.
	Transport http.RoundTripper
}

// A Client calls the admin API of one gateway. Its methods may be called by many goroutines at once. What the gateway
// refuses is a *Problem; any other error means that there was no answer.
type Client struct {
	base  *url.URL
	http  *http.Client
	token string
	agent string
}

// New returns a client. It connects to nothing yet; the error is about the options.
func New(opts Options) (*Client, error) {
	base, err := parseAddress(opts.Address, opts.TLS != nil)
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(opts.Token, "\r\n\x00") {
		return nil, errors.New("token: holds a line break or a NUL")
	}
	transport := opts.Transport
	switch {
	case transport != nil && opts.TLS != nil:
		return nil, errors.New("tls and transport: want only one of them")
	case transport == nil:
		transport = &http.Transport{
			TLSClientConfig: opts.TLS, MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second,
			ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second,
		}
	}
	return &Client{
		base:  base,
		token: opts.Token,
		agent: cmp.Or(opts.UserAgent, "sallyport-client"),
		http: &http.Client{
			Transport: transport, Timeout: cmp.Or(opts.Timeout, 30*time.Second),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// parseAddress reads the address of an admin API. What a listener is told to mean all addresses is this machine here.
func parseAddress(address string, secure bool) (*url.URL, error) {
	text := cmp.Or(address, DefaultAddress)
	if !strings.Contains(text, "://") {
		scheme := "http://"
		if secure {
			scheme = "https://"
		}
		text = scheme + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("address %q: want the URL of the admin API, such as %s", address, DefaultAddress)
	}
	if u.Hostname() == "" || u.Hostname() == "0.0.0.0" {
		u.Host = "127.0.0.1:" + u.Port()
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	return u, nil
}

// Address returns the URL of the admin API that is called.
func (c *Client) Address() string { return c.base.String() }

// Close closes connections that are not in use. Calls may still be made.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// A call is one request to the admin API.
type call struct {
	method string
	path   string // escaped
	query  url.Values
	header http.Header
	body   []byte // nil is none
}

// An answer is what came back of a call that was not refused.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send makes a call and reads the whole answer. A status of 400 and above is an error, a *Problem if the gateway wrote
// it.
func (c *Client) send(ctx context.Context, call call) (*answer, error) {
	target := c.base.String() + call.path
	if len(call.query) > 0 {
		target += "?" + call.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, call.method, target, bytes.NewReader(call.body))
	if err != nil {
		return nil, err
	}
	for name, values := range call.header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if call.body != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s %s: read the answer: %w", call.method, target, err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("%s %s: the answer is larger than %d MiB", call.method, target, maxAnswer>>20)
	case resp.StatusCode >= 300 && resp.StatusCode != http.StatusNotModified:
		return nil, refusal(call.method, target, resp, body)
	}
	return &answer{resp.StatusCode, resp.Header, body}, nil
}

// refusal makes an error of an answer that is one.
func refusal(method, target string, resp *http.Response, body []byte) error {
	p := new(Problem)
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") && json.Unmarshal(body, p) == nil {
		p.Status = resp.StatusCode
		return p
	}
	return fmt.Errorf("%s %s: answered %s, and not as an admin API does: is this its address?", method, target, resp.Status)
}

// read decodes what an answer says.
func (a *answer) read(into any) error {
	if err := json.Unmarshal(a.body, into); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// get reads one object, and returns its entity tag.
func (c *Client) get(ctx context.Context, path string, query url.Values, into any) (string, error) {
	a, err := c.send(ctx, call{method: http.MethodGet, path: path, query: query})
	if err != nil {
		return "", err
	}
	return a.header.Get("ETag"), a.read(into)
}

// list reads all pages of a list.
func list[T any](ctx context.Context, c *Client, path string, query url.Values) ([]T, error) {
	if query == nil {
		query = make(url.Values)
	}
	query.Set("limit", "1000")
	all := []T{}
	for {
		var page struct {
			Data []T    `json:"data"`
			Next string `json:"next"`
		}
		if _, err := c.get(ctx, path, query, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Data...)
		if page.Next == "" {
			return all, nil
		}
		query.Set("after", page.Next)
	}
}

// at joins a path of the API out of its segments, escaping names.
func at(segments ...string) string {
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return "/" + strings.Join(segments, "/")
}
