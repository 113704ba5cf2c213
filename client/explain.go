package client

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/asynched/api-gateway/exchange"
)

// A Question is a request that nobody sends.
type Question struct {
	// Method of the request.
	Method string `json:"method" default:"GET"`
	// URL of the request, with scheme and host.
	URL string `json:"url" required:"true"`
	// Headers of the request; Host takes the place of the URL's.
	Headers map[string][]string `json:"headers,omitempty"`
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
	// Steps are the decisions, in their order.
	Steps []exchange.Step `json:"steps" required:"true"`
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
