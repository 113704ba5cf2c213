package client

import (
	"context"
	"time"

	"github.com/asynched/api-gateway/spec"
)

// Status is how the gateway is.
type Status struct {
	// Version of the gateway.
	Version string `json:"version" required:"true"`
	// Ready is true when a configuration is live and the gateway is not about to leave.
	Ready bool `json:"ready"`
	// Draining is true when the gateway is about to leave.
	Draining bool `json:"draining"`
	// Started is when the gateway started.
	Started time.Time `json:"started" required:"true"`
	// Uptime is how long it has been running.
	Uptime spec.Duration `json:"uptime" required:"true"`
	// Config is the configuration that is running.
	Config ConfigStatus `json:"config" required:"true"`
	// Listeners are where connections are accepted, by the name of the listener.
	Listeners map[string]string `json:"listeners" required:"true"`
	// Resources are what the gateway itself uses, and may use.
	Resources Resources `json:"resources" required:"true"`
	// Store keeps what came through this API.
	Store StoreStatus `json:"store" required:"true"`
	// Counts of objects.
	Counts ObjectCounts `json:"counts" required:"true"`
	// Load is what the gateway has to do.
	Load Load `json:"load" required:"true"`
}

// Load is what the gateway has to do.
type Load struct {
	// Requests that have begun since the gateway started.
	Requests uint64 `json:"requests"`
	// Errors are those that were answered with a status of 500 and above.
	Errors uint64 `json:"errors"`
	// InFlight are requests whose answer is not complete, open tunnels included.
	InFlight int64 `json:"in_flight"`
	// Connections that clients have open.
	Connections int64 `json:"connections"`
	// Watchers are those who watch requests as they end.
	Watchers int `json:"watchers"`
}

// ConfigStatus is how the configuration came to be.
type ConfigStatus struct {
	// Revision counts the configurations that this process has applied, from 1.
	Revision int64 `json:"revision" required:"true"`
	// Source is where the last change came from: start, reload, watch, api.
	Source string `json:"source" required:"true"`
	// Applied is when it was.
	Applied time.Time `json:"applied" required:"true"`
	// Files are those that were read.
	Files []string `json:"files" required:"true"`
	// Failure is the last change that was refused; not there if the last one was applied.
	Failure *ConfigFailure `json:"failure,omitempty"`
	// Warnings are what is probably not meant.
	Warnings []Fault `json:"warnings" required:"true"`
	// Shadowed are the objects that this API made and a file, or a route of one, has taken over.
	Shadowed []string `json:"shadowed" required:"true"`
}

// ConfigFailure is a change that was refused while another configuration was running.
type ConfigFailure struct {
	// Source is where it came from: start, reload, watch, api.
	Source string `json:"source" required:"true"`
	// At is when.
	At time.Time `json:"at" required:"true"`
	// Message says what is wrong, one line for each error.
	Message string `json:"message" required:"true"`
	// Errors are all that is wrong, each with its place.
	Errors []Fault `json:"errors" required:"true"`
}

// Resources are what the gateway itself uses, and may use.
type Resources struct {
	// Level is ok; close while connections are closed after an answer because memory is short; refuse while new requests
	// are refused; full while no connections are accepted.
	Level string `json:"level" required:"true" enum:"ok,close,refuse,full"`
	// MemoryUsed is how many bytes are in use, by the last collection of garbage.
	MemoryUsed int64 `json:"memory_used"`
	// MemoryLimit is how many bytes may be; 0 if that is not known.
	MemoryLimit int64 `json:"memory_limit"`
	// MemoryLimitFrom says who sets the limit: configuration, GOMEMLIMIT, cgroup, machine.
	MemoryLimitFrom string `json:"memory_limit_from,omitempty"`
	// DescriptorsOpen is how many file descriptors are open; 0 if that is not known.
	DescriptorsOpen int `json:"descriptors_open"`
	// DescriptorsLimit is how many may be; 0 if that is not known.
	DescriptorsLimit int `json:"descriptors_limit"`
}

// StoreStatus is how the store is.
type StoreStatus struct {
	// Driver of the store.
	Driver string `json:"driver" required:"true"`
	// Path is its file, or where it is reached.
	Path string `json:"path,omitempty"`
	// Revision is that of its last change.
	Revision int64 `json:"revision"`
	// Entries is how many there are.
	Entries int `json:"entries"`
	// Leases is how many there are: registrations with a TTL.
	Leases int `json:"leases"`
	// Bytes is the size of its file.
	Bytes int64 `json:"bytes"`
	// Error is why the last write was refused, and what cures it; not there if it went well.
	Error string `json:"error,omitempty"`
}

// ObjectCounts are how many objects there are.
type ObjectCounts struct {
	// Services, registered ones included.
	Services int `json:"services"`
	// Routes, without those that registered hosts imply.
	Routes int `json:"routes"`
	// Listeners of the configuration.
	Listeners int `json:"listeners"`
	// Hosts that are registered.
	Hosts int `json:"hosts"`
	// Instances of all services, by health.
	Instances Counts `json:"instances" required:"true"`
}

// Status returns how the gateway is.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	s := new(Status)
	_, err := c.get(ctx, "/v1/status", nil, s)
	return s, err
}
