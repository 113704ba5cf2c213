package client

import (
	"context"
	"net/http"

	"github.com/asynched/api-gateway/config"
)

// RouteInfo is a route and who owns it.
type RouteInfo struct {
	// Name of the route; of an implied one the host it is for.
	Name string `json:"name" required:"true"`
	// Owner is who may change it: a file, this API, or registrations, which imply it.
	Owner string `json:"owner" required:"true" enum:"file,api,registration"`
	// Where a file declares it: file:line:col.
	Where string `json:"where,omitempty"`
	// Implied is true for the route of a registered host. It comes after routes that name the host and before those that
	// name none.
	Implied bool `json:"implied"`
	// Config is the configuration, defaults filled in. Filters keep their configuration as JSON.
	Config *config.Route `json:"config,omitempty"`
	// ETag is the entity tag, for Write.Match; it comes in a header, and not in lists.
	ETag string `json:"-"`
}

// Routes returns all routes by name, those that registered hosts imply included.
func (c *Client) Routes(ctx context.Context) ([]RouteInfo, error) {
	return list[RouteInfo](ctx, c, "/v1/routes", nil)
}

// Route returns one route.
func (c *Client) Route(ctx context.Context, name string) (*RouteInfo, error) {
	r := new(RouteInfo)
	var err error
	r.ETag, err = c.get(ctx, at("v1", "routes", name), nil, r)
	return r, err
}

// PutRoute makes or replaces a route that this API owns. Begin with the defaults (spec.Defaults): a field that is zero
// is sent as it is.
func (c *Client) PutRoute(ctx context.Context, name string, r *config.Route, w Write) (*Written[RouteInfo], error) {
	return put[RouteInfo](ctx, c, http.MethodPut, at("v1", "routes", name), r, w)
}

// PutRouteText does it for a route in JSON, as it stands in a configuration file: what it does not say has its default.
func (c *Client) PutRouteText(ctx context.Context, name string, text []byte, w Write) (*Written[RouteInfo], error) {
	return put[RouteInfo](ctx, c, http.MethodPut, at("v1", "routes", name), Value(text), w)
}

// DeleteRoute removes a route that this API owns.
func (c *Client) DeleteRoute(ctx context.Context, name string, w Write) (*Result, error) {
	return c.apply(ctx, http.MethodDelete, at("v1", "routes", name), nil, "", w)
}
