package client

import (
	"context"
	"net/http"

	"github.com/asynched/api-gateway/config"
)

// Counts are how many instances there are, by what may be done with them.
type Counts struct {
	// Total of all instances.
	Total int `json:"total" required:"true"`
	// Healthy ones passed their checks.
	Healthy int `json:"healthy" required:"true"`
	// Unhealthy ones failed their checks.
	Unhealthy int `json:"unhealthy" required:"true"`
	// Unknown ones have not been checked yet, or are not checked; they get traffic.
	Unknown int `json:"unknown" required:"true"`
	// Draining ones get no new requests, whatever their health.
	Draining int `json:"draining" required:"true"`
	// Ejected ones get no traffic for a while because they kept failing requests.
	Ejected int `json:"ejected" required:"true"`
	// Eligible ones get traffic now, weights apart.
	Eligible int `json:"eligible" required:"true"`
}

// ServiceInfo is a service and how its instances are.
type ServiceInfo struct {
	// Name of the service; of a registered one its canonical host.
	Name string `json:"name" required:"true"`
	// Owner is who may change it: a file, this API, or registrations, which imply it.
	Owner string `json:"owner" required:"true" enum:"file,api,registration"`
	// Where a file declares it: file:line:col.
	Where string `json:"where,omitempty"`
	// Protocol its instances speak.
	Protocol string `json:"protocol" required:"true"`
	// Instances by health.
	Instances Counts `json:"instances" required:"true"`
	// Breaker is the state of its circuit breaker, left out if it has none or has not been asked yet.
	Breaker string `json:"breaker,omitempty" enum:"closed,half-open,open"`
	// Config is the configuration, defaults filled in. Lists leave it out.
	Config *config.Service `json:"config,omitempty"`
	// ETag is the entity tag, for Write.Match; it comes in a header, and not in lists.
	ETag string `json:"-"`
}

// Services returns all services, configured and registered, by name.
func (c *Client) Services(ctx context.Context) ([]ServiceInfo, error) {
	return list[ServiceInfo](ctx, c, "/v1/services", nil)
}

// Service returns one service with its configuration.
func (c *Client) Service(ctx context.Context, name string) (*ServiceInfo, error) {
	s := new(ServiceInfo)
	var err error
	s.ETag, err = c.get(ctx, at("v1", "services", name), nil, s)
	return s, err
}

// PutService makes or replaces a service that this API owns. Begin with the defaults (spec.Defaults): a field that is
// zero is sent as it is.
func (c *Client) PutService(ctx context.Context, name string, s *config.Service, w Write) (*Written[ServiceInfo], error) {
	return put[ServiceInfo](ctx, c, http.MethodPut, at("v1", "services", name), s, w)
}

// PutServiceText does it for a service in JSON, as it stands in a configuration file: what it does not say has the default
// of the gateway.
func (c *Client) PutServiceText(ctx context.Context, name string, text []byte, w Write) (*Written[ServiceInfo], error) {
	return put[ServiceInfo](ctx, c, http.MethodPut, at("v1", "services", name), Value(text), w)
}

// DeleteService removes a service that this API owns. It is refused while a route refers to it.
func (c *Client) DeleteService(ctx context.Context, name string, w Write) (*Result, error) {
	return c.apply(ctx, http.MethodDelete, at("v1", "services", name), nil, "", w)
}
