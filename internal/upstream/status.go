package upstream

import "github.com/asynched/api-gateway/internal/metric"

// Status says what active checks found out about an instance.
type Status int8

// What can be known of an instance. Unknown gets traffic.
const (
	Unknown Status = iota
	Healthy
	Unhealthy
)

// String returns the word that the admin API shows: unknown, healthy or unhealthy.
func (s Status) String() string {
	switch s {
	case Healthy:
		return "healthy"
	case Unhealthy:
		return "unhealthy"
	}
	return "unknown"
}

// MarshalText writes what String returns.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// gauge returns the status as it is counted.
func (s Status) gauge() metric.Health {
	switch s {
	case Healthy:
		return metric.Healthy
	case Unhealthy:
		return metric.Unhealthy
	}
	return metric.Unknown
}
