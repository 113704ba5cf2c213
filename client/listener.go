package client

import (
	"context"
	"net/http"

	"github.com/asynched/api-gateway/config"
)

// ListenerInfo is a listener and where it accepts connections.
type ListenerInfo struct {
	// Name of the listener.
	Name string `json:"name" required:"true"`
	// Owner is who may change it: a file, this API, or nobody yet: then it is the one there is by default.
	Owner string `json:"owner" required:"true" enum:"file,api,default"`
	// Where a file declares it: file:line:col.
	Where string `json:"where,omitempty"`
	// Address is where it accepts connections: the real one, where the configuration has a port of 0. Empty if it does
	// not.
	Address string `json:"address,omitempty"`
	// Config is the configuration, defaults filled in.
	Config *config.Listener `json:"config,omitempty"`
	// ETag is the entity tag, for Write.Match; it comes in a header, and not in lists.
	ETag string `json:"-"`
}

// Listeners returns all listeners by name.
func (c *Client) Listeners(ctx context.Context) ([]ListenerInfo, error) {
	return list[ListenerInfo](ctx, c, "/v1/listeners", nil)
}

// Listener returns one listener.
func (c *Client) Listener(ctx context.Context, name string) (*ListenerInfo, error) {
	l := new(ListenerInfo)
	var err error
	l.ETag, err = c.get(ctx, at("v1", "listeners", name), nil, l)
	return l, err
}

// PutListener makes or replaces a listener that this API owns. Begin with the defaults (spec.Defaults): a field that is
// zero is sent as it is.
func (c *Client) PutListener(ctx context.Context, name string, l *config.Listener, w Write) (*Written[ListenerInfo], error) {
	return put[ListenerInfo](ctx, c, http.MethodPut, at("v1", "listeners", name), l, w)
}

// DeleteListener removes a listener that this API owns. Its open exchanges finish.
func (c *Client) DeleteListener(ctx context.Context, name string, w Write) (*Result, error) {
	return c.apply(ctx, http.MethodDelete, at("v1", "listeners", name), nil, "", w)
}
