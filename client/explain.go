package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// A Question is a request that nobody sends.
type Question struct {
	// Method of the request.
	Method string `json:"method,omitempty" default:"GET"`
	// URL of the request, with scheme and host.
	URL string `json:"url" required:"true"`
	// Headers of the request; Host takes the place of the URL's.
	Headers map[string][]string `json:"headers,omitempty"`
}

// A Step is one decision about a request.
type Step struct {
	// At is the time since the exchange began, in nanoseconds.
	At time.Duration `json:"at_ns"`
	// Stage is the kind of step: edge, match, filter, cache, balance, attempt, response.
	Stage exchange.Stage `json:"stage" required:"true"`
	// Subject names the object that decided or was decided about: a route, a filter kind, an instance.
	Subject string `json:"subject" required:"true"`
	// Verdict is one or two words: won, lost, picked, passed over, would send.
	Verdict string `json:"verdict" required:"true"`
	// Why is the reason in a sentence.
	Why string `json:"why,omitempty"`
}

// An Explanation is what would become of a request, and why.
type Explanation struct {
	// Method of the request.
	Method string `json:"method" required:"true"`
	// Host is what is judged, in its canonical form.
	Host string `json:"host" required:"true"`
	// Path is what is judged, in its canonical form.
	Path string `json:"path" required:"true"`
	// Route that takes the request; empty if none does.
	Route string `json:"route,omitempty"`
	// Service that would answer.
	Service string `json:"service,omitempty"`
	// Instance that would get the request.
	Instance string `json:"instance,omitempty"`
	// Address of the instance.
	Address string `json:"address,omitempty"`
	// Status is that of the gateway's own answer, where it would answer itself.
	Status int `json:"status,omitempty"`
	// Reason is why it would; empty for an answer that a route asks for.
	Reason string `json:"reason,omitempty"`
	// Detail says more.
	Detail string `json:"detail,omitempty"`
	// Cached is true if the answer would come out of the cache.
	Cached bool `json:"cached,omitempty"`
	// CacheURL is the URL under which the cache would look for it; empty if the request meets no cache.
	CacheURL string `json:"cache_url,omitempty"`
	// Steps are the decisions, in their order.
	Steps []Step `json:"steps" required:"true"`
}

// Explain rehearses a request: nothing is sent.
func (c *Client) Explain(ctx context.Context, q Question) (*Explanation, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	a, err := c.send(ctx, call{method: http.MethodPost, path: "/v1/explain", body: body})
	if err != nil {
		return nil, err
	}
	e := new(Explanation)
	return e, a.read(e)
}
