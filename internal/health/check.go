package health

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/upstream"
)

// A Check is how the instances of a service are probed. It is immutable and may be shared by any number of services:
// all registered hosts have one.
type Check struct {
	settings settings
	probe    probe // nil: nothing is probed
}

// settings are what tells one Check from another: an instance is probed anew when they change.
type settings struct {
	protocol string
	active   config.ActiveHealth
	tls      config.UpstreamTLS
}

// A probe asks the instance at an address once. It returns nil if the instance can be used, and otherwise what speaks
// against it, in words for a person. It ends with ctx, whose deadline is the timeout of the check.
type probe func(ctx context.Context, address string) error

// NewCheck returns the check that the settings of a service ask for. It reads the TLS files that they name. Errors name
// the key that is wrong.
func NewCheck(s *config.Service) (*Check, error) {
	c := &Check{settings: settings{protocol: s.Protocol, active: s.Health.Active, tls: s.TLS}}
	secure, err := upstream.TLSConfig(s)
	if err != nil {
		return nil, err
	}
	if secure != nil {
		secure.ClientSessionCache = nil // each probe looks at the certificate
	}
	d := &dialer{net.Dialer{KeepAlive: -1}} // no probe lasts long enough for one
	switch a := c.settings.active; a.Type {
	case "none":
	case "tcp":
		c.probe = d.probe
	case "http":
		expected, err := parseExpect(a.Expect)
		if err != nil {
			return nil, err
		}
		if _, err := url.ParseRequestURI(a.Path); err != nil || strings.Contains(a.Path, " ") {
			return nil, fmt.Errorf("health.active.path: %q cannot stand in a request", a.Path)
		}
		c.probe = httpProbe(d, secure, s.HTTP2(), a.Path, expected)
	case "grpc":
		c.probe = grpcProbe(d, secure, strings.TrimPrefix(a.Path, "/"))
	default:
		return nil, fmt.Errorf("health.active.type: %q is none of tcp, http, grpc, none", a.Type)
	}
	return c, nil
}

// equal tells whether two checks ask the same.
func (c *Check) equal(d *Check) bool {
	return c == d || reflect.DeepEqual(c.settings, d.settings)
}

// interval returns how long it is from the start of one probe to the next. It has a floor, so that a typing error does
// not become an attack.
func (c *Check) interval() time.Duration {
	return max(c.settings.active.Interval.Std(), 10*time.Millisecond)
}

func (c *Check) timeout() time.Duration { return c.settings.active.Timeout.Std() }

// run probes the instance once and puts what went wrong into words.
func (c *Check) run(ctx context.Context, address string) error {
	probing, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	return explain(c.probe(probing, address), c.timeout())
}

// statuses are those that pass.
type statuses struct {
	text   string
	ranges []config.Statuses
}

func parseExpect(expect []string) (statuses, error) {
	s := statuses{text: strings.Join(expect, ", ")}
	for _, e := range expect {
		r, ok := config.ParseStatuses(e)
		if !ok {
			return s, fmt.Errorf("health.active.expect: %q is no status and no range of them, such as 200 or 200-399", e)
		}
		s.ranges = append(s.ranges, r)
	}
	return s, nil
}

func (s statuses) has(status int) bool {
	return slices.ContainsFunc(s.ranges, func(r config.Statuses) bool { return r.From <= status && status <= r.To })
}

// serverName returns the name that the certificate of the instance at the address must be for.
func serverName(c *tls.Config, address string) string {
	if c.ServerName != "" {
		return c.ServerName
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
