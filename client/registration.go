package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/asynched/api-gateway/spec"
)

// A Registration says that an instance serves a host.
type Registration struct {
	// Tag is a label of the service.
	Tag string `json:"tag,omitempty"`
	// Host that is served, as clients write it in their requests.
	Host string `json:"host" required:"true"`
	// Address is where the instance listens: host:port.
	Address string `json:"address" required:"true"`
	// Name is a label of the service.
	Name string `json:"name,omitempty"`
	// TTL is how long the registration lasts without a heartbeat; without it, until it is removed.
	TTL spec.Duration `json:"ttl,omitempty"`
}

// Registered is an instance that was registered, in the short form.
type Registered struct {
	// ID of the instance, the same in both forms of the API.
	ID string `json:"id" required:"true"`
	// Tag is a label of the service.
	Tag string `json:"tag"`
	// Host that is served, in its canonical form: lower case, no port, no trailing dot. It names the service too.
	Host string `json:"host" required:"true"`
	// Address is where the instance listens: host:port.
	Address string `json:"address" required:"true"`
	// Name is a label of the service.
	Name string `json:"name"`
	// Status is what the health checker found out. An unknown one gets traffic until its first check decides.
	Status string `json:"status" required:"true" enum:"unknown,healthy,unhealthy"`
	// CreatedAt is when it was registered first.
	CreatedAt time.Time `json:"createdAt" required:"true"`
	// UpdatedAt is when it was last registered again or changed.
	UpdatedAt time.Time `json:"updatedAt" required:"true"`
}

// Message is an answer that only says what was done.
type Message struct {
	// Message says it in a sentence.
	Message string `json:"message" required:"true"`
}

// GatewayHealth is the gateway's own health.
type GatewayHealth struct {
	// Status is always up: a gateway that is not does not answer.
	Status string `json:"status" required:"true" enum:"up"`
	// Startup is when the gateway started.
	Startup time.Time `json:"startup" required:"true"`
	// Uptime is how long it has been running, as Go writes durations: 1h2m3s.
	Uptime string `json:"uptime" required:"true"`
}

// Register registers an instance of the service that serves a host, and reports whether it is a new one. When it
// returns the instance can be routed to. The same host and address again updates labels and keeps the id.
func (c *Client) Register(ctx context.Context, r Registration) (*Registered, bool, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, false, err
	}
	a, err := c.send(ctx, call{method: http.MethodPost, path: "/services", body: body})
	if err != nil {
		return nil, false, err
	}
	var reply struct {
		Data *Registered `json:"data"`
	}
	err = a.read(&reply)
	return reply.Data, a.status == http.StatusCreated, err
}

// Registrations returns all registered instances.
func (c *Client) Registrations(ctx context.Context) ([]Registered, error) {
	var reply struct {
		Data []Registered `json:"data"`
	}
	_, err := c.get(ctx, "/services", nil, &reply)
	return reply.Data, err
}

// Registration returns one registered instance.
func (c *Client) Registration(ctx context.Context, id string) (*Registered, error) {
	var reply struct {
		Data *Registered `json:"data"`
	}
	_, err := c.get(ctx, at("services", id), nil, &reply)
	return reply.Data, err
}

// Deregister removes a registered instance. Requests that are open with it finish.
func (c *Client) Deregister(ctx context.Context, id string) error {
	_, err := c.send(ctx, call{method: http.MethodDelete, path: at("services", id)})
	return err
}

// Health returns the gateway's own health.
func (c *Client) Health(ctx context.Context) (*GatewayHealth, error) {
	h := new(GatewayHealth)
	_, err := c.get(ctx, "/health/check", nil, h)
	return h, err
}
