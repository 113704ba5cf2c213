package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/asynched/api-gateway/spec"
)

// Placement is what the API can say of an instance: where it is and what share it gets.
type Placement struct {
	// Address is where the instance listens: host:port.
	Address string `json:"address" required:"true"`
	// Weight is the share of requests relative to the other instances; 0 gets none, nil is 1.
	Weight *int `json:"weight,omitempty" default:"1" min:"0" max:"65535"`
	// Zone is where the instance runs; it is kept and shown.
	Zone string `json:"zone,omitempty"`
	// Metadata are labels that are kept and shown.
	Metadata map[string]string `json:"metadata,omitempty"`
	// TTL is how long the instance stays without a heartbeat; without it, until it is removed.
	TTL spec.Duration `json:"ttl,omitempty"`
}

// InstanceInfo is an instance and how it is at this moment.
type InstanceInfo struct {
	// ID of the instance, unique in its service.
	ID string `json:"id" required:"true"`
	// Service it belongs to.
	Service string `json:"service" required:"true"`
	// Host that it was registered for; not there for a service of the configuration.
	Host string `json:"host,omitempty"`
	// Address is where it listens: host:port.
	Address string `json:"address" required:"true"`
	// Weight is its share of requests relative to the other instances; 0 gets none.
	Weight int `json:"weight" required:"true"`
	// Zone is where it runs.
	Zone string `json:"zone,omitempty"`
	// Metadata are its labels.
	Metadata map[string]string `json:"metadata,omitempty"`
	// Name is a label of a registration.
	Name string `json:"name,omitempty"`
	// Tag is a label of a registration.
	Tag string `json:"tag,omitempty"`
	// Source is who told of it: a file, this API, or DNS. Only those of this API can be changed by it.
	Source string `json:"source" required:"true" enum:"file,api,dns"`
	// Where the configuration names it, or the DNS name that leads to it: file:line:col.
	Where string `json:"where,omitempty"`
	// Shadowed is true if something else is in its place, such as the same address in a file: it gets no requests.
	Shadowed bool `json:"shadowed"`
	// TTL is how long it stays without a heartbeat; not there if it stays until it is removed.
	TTL spec.Duration `json:"ttl,omitempty"`
	// Draining is true if it gets no new requests; open ones finish.
	Draining bool `json:"draining"`
	// Status is what active checks found out. An unknown one gets traffic.
	Status string `json:"status" required:"true" enum:"unknown,healthy,unhealthy"`
	// Reason is what speaks against it.
	Reason string `json:"reason,omitempty"`
	// Since is when the status changed last.
	Since time.Time `json:"since" required:"true"`
	// Eligible is true if it gets traffic now, its weight apart.
	Eligible bool `json:"eligible"`
	// EjectedUntil is when it gets traffic again after it kept failing requests; not there if it is not ejected.
	EjectedUntil *time.Time `json:"ejected_until,omitempty"`
	// EjectedFor is why it is ejected, with numbers; not there if it is not.
	EjectedFor string `json:"ejected_for,omitempty"`
	// Open is the number of requests whose answer is not complete.
	Open int `json:"open"`
	// Requests counts the requests sent to it.
	Requests uint64 `json:"requests"`
	// Failures counts those that failed by its fault.
	Failures uint64 `json:"failures"`
	// FailuresInARow counts the failures since the last success.
	FailuresInARow int `json:"failures_in_a_row"`
	// Latency is the peak-sensitive average of the time to the head of an answer; 0s if none was observed.
	Latency spec.Duration `json:"latency"`
	// Created is when it became known.
	Created time.Time `json:"created" required:"true"`
	// Updated is when it was last registered again or changed; only for those of this API.
	Updated *time.Time `json:"updated,omitempty"`
	// ETag is the entity tag, for Write.Match; it comes in a header, and not in lists.
	ETag string `json:"-"`
}

// Heartbeat is the answer to one.
type Heartbeat struct {
	// ID of the instance.
	ID string `json:"id" required:"true"`
	// TTL until it leaves without another one.
	TTL spec.Duration `json:"ttl" required:"true"`
}

// A Filter picks instances from a list.
type Filter struct {
	// Service picks those of one service; "" is all.
	Service string
	// Status picks those of one status: unknown, healthy, unhealthy; "" is all.
	Status string
}

// Instances returns instances of all services, by service and id.
func (c *Client) Instances(ctx context.Context, f Filter) ([]InstanceInfo, error) {
	query := make(url.Values)
	if f.Service != "" {
		query.Set("service", f.Service)
	}
	if f.Status != "" {
		query.Set("status", f.Status)
	}
	return list[InstanceInfo](ctx, c, "/v1/instances", query)
}

// ServiceInstances returns the instances of one service, by id. A service that does not exist is an error.
func (c *Client) ServiceInstances(ctx context.Context, service string) ([]InstanceInfo, error) {
	return list[InstanceInfo](ctx, c, at("v1", "services", service, "instances"), nil)
}

// Instance returns one instance.
func (c *Client) Instance(ctx context.Context, service, id string) (*InstanceInfo, error) {
	i := new(InstanceInfo)
	var err error
	i.ETag, err = c.get(ctx, at("v1", "services", service, "instances", id), nil, i)
	return i, err
}

// PutInstance makes or replaces an instance. When it returns the instance can be routed to.
func (c *Client) PutInstance(ctx context.Context, service, id string, p Placement, w Write) (*Written[InstanceInfo], error) {
	return put[InstanceInfo](ctx, c, http.MethodPut, at("v1", "services", service, "instances", id), p, w)
}

// DeleteInstance removes an instance. Requests that are open with it finish.
func (c *Client) DeleteInstance(ctx context.Context, service, id string, w Write) (*Result, error) {
	return c.apply(ctx, http.MethodDelete, at("v1", "services", service, "instances", id), nil, "", w)
}

// Heartbeat keeps an instance with a TTL for another TTL.
func (c *Client) Heartbeat(ctx context.Context, service, id string) (*Heartbeat, error) {
	w, err := put[Heartbeat](ctx, c, http.MethodPut, at("v1", "services", service, "instances", id, "heartbeat"), nil, Write{})
	if err != nil {
		return nil, err
	}
	return w.Object, nil
}

// Drain lets an instance get no new requests; open ones finish. It stays so over a restart.
func (c *Client) Drain(ctx context.Context, service, id string, w Write) (*Written[InstanceInfo], error) {
	return put[InstanceInfo](ctx, c, http.MethodPut, at("v1", "services", service, "instances", id, "drain"), nil, w)
}

// Enable ends Drain.
func (c *Client) Enable(ctx context.Context, service, id string, w Write) (*Written[InstanceInfo], error) {
	return put[InstanceInfo](ctx, c, http.MethodPut, at("v1", "services", service, "instances", id, "enable"), nil, w)
}
