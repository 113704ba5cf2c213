package client

import (
	"context"
	"math"
	"net/url"
	"time"
)

// Times count how long something took, since the beginning of what is counted: a list of buckets that are not empty, the
// shortest time first.
type Times []Bucket

// A Bucket counts what took between two times.
type Bucket struct {
	// From is the shortest time, in microseconds.
	From int64 `json:"from_us" required:"true"`
	// To is the time that is too long already, in microseconds.
	To int64 `json:"to_us" required:"true"`
	// Count is how often it took that long.
	Count uint64 `json:"count" required:"true"`
}

// Traffic is what something has had to do. What counts, counts from when it became known, or the gateway started: two
// answers tell what was between them.
type Traffic struct {
	// Requests that ended: their answer has begun, or failed. Of an instance, the requests that were sent to it.
	Requests uint64 `json:"requests"`
	// Errors are answers with a status of 500 and above.
	Errors uint64 `json:"errors"`
	// Failures are requests without an answer by fault of the service or the gateway; of a service, those that were refused
	// to protect it are among them.
	Failures uint64 `json:"failures"`
	// Times to the head of the answer, or to the timeout. Of a service, waiting for a place, retries and hedges are part of
	// it.
	Times Times `json:"times" required:"true"`
	// Open is how many requests are open now.
	Open int64 `json:"open"`
}

// ServiceTraffic is what a service has had to do, and its instances.
type ServiceTraffic struct {
	// Service is its name.
	Service string `json:"service" required:"true"`
	// Total is what the service has had to do.
	Total Traffic `json:"total" required:"true"`
	// Pending is how many requests wait for a place now.
	Pending int64 `json:"pending"`
	// Breaker is the state of its circuit breaker, left out if it has none or has not been asked yet.
	Breaker string `json:"breaker,omitempty" enum:"closed,half-open,open"`
	// Instances of the service.
	Instances []InstanceTraffic `json:"instances" required:"true"`
}

// InstanceTraffic is what an instance has had to do, and how it is.
type InstanceTraffic struct {
	// ID of the instance.
	ID string `json:"id" required:"true"`
	// Address is where it listens.
	Address string `json:"address" required:"true"`
	// Weight is its share of requests relative to the other instances.
	Weight int `json:"weight"`
	// Status is what active checks found out.
	Status string `json:"status" required:"true" enum:"unknown,healthy,unhealthy"`
	// Eligible is true if it gets traffic now, its weight apart.
	Eligible bool `json:"eligible"`
	// Draining is true if it gets no new requests.
	Draining bool `json:"draining"`
	// Ejected is true if it gets none for a while because it kept failing requests.
	Ejected bool `json:"ejected"`
	// Total is what the instance has had to do.
	Total Traffic `json:"total" required:"true"`
}

// A TrafficFilter picks services.
type TrafficFilter struct {
	// Service picks one; "" is all.
	Service string
	// Quiet includes those that have had no request.
	Quiet bool
}

// Traffic returns what services have had to do, by name.
func (c *Client) Traffic(ctx context.Context, f TrafficFilter) ([]ServiceTraffic, error) {
	query := make(url.Values)
	if f.Service != "" {
		query.Set("service", f.Service)
	}
	if f.Quiet {
		query.Set("quiet", "true")
	}
	return list[ServiceTraffic](ctx, c, "/v1/traffic", query)
}

// Since returns what was counted after before. What was counted anew in between counts from its beginning.
func (t Times) Since(before Times) Times {
	was := make(map[int64]uint64, len(before))
	for _, b := range before {
		was[b.From] = b.Count
	}
	later := make(Times, 0, len(t))
	for _, b := range t {
		if b.Count < was[b.From] {
			return t // it is another count
		}
		if b.Count -= was[b.From]; b.Count > 0 {
			later = append(later, b)
		}
	}
	return later
}

// Percentile returns the time that a share of what was counted did not exceed, p from 0 to 1, as near as the buckets tell:
// within 7 %, or 2 µs. It is zero if nothing was counted.
func (t Times) Percentile(p float64) time.Duration {
	var all uint64
	for _, b := range t {
		all += b.Count
	}
	rank := uint64(math.Ceil(p * float64(all)))
	for _, b := range t {
		if b.Count >= rank {
			return time.Duration(b.From+b.To) * time.Microsecond / 2
		}
		rank -= b.Count
	}
	return 0
}
