package admin

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/internal/upstream"
)

// listTraffic lists what services have had to do. Only those that have had any request, unless the others are asked for:
// there may be a hundred thousand registered hosts.
func listTraffic(s *Server, c *call) (*answer, error) {
	quiet := false
	if c.query.Has("quiet") {
		var err error
		if quiet, err = strconv.ParseBool(c.query.Get("quiet")); err != nil {
			return nil, refuse(invalidParameter, "quiet: want true or false, got %q", c.query.Get("quiet"))
		}
	}
	var groups []*upstream.Group
	switch only := c.query.Get("service"); {
	case only != "":
		g, ok := s.opts.Groups.Lookup(only)
		if !ok {
			return nil, refuse(notFound, "there is no service %q", only)
		}
		groups = append(groups, g)
	case quiet:
		groups = s.opts.Groups.All()
	default:
		groups = s.opts.Groups.Busy()
	}
	a, err := paged(c, groups, (*upstream.Group).Name, serviceTraffic)
	if err != nil {
		return nil, err
	}
	// It is asked for every few seconds, and not read by people: no indentation.
	if a.text, err = json.Marshal(a.body); err != nil {
		return nil, err
	}
	a.kind = "application/json"
	return a, nil
}

func serviceTraffic(g *upstream.Group) client.ServiceTraffic {
	total := g.Traffic()
	t := client.ServiceTraffic{
		Service: g.Name(), Total: traffic(&total), Pending: total.Pending, Breaker: g.Breaker(),
		Instances: []client.InstanceTraffic{},
	}
	for _, i := range g.Set().Instances() {
		own, live := i.Traffic(), i.Live()
		t.Instances = append(t.Instances, client.InstanceTraffic{
			ID: i.ID, Address: i.Address, Weight: i.Weight, Status: live.Status.String(), Eligible: i.Eligible(),
			Draining: i.Draining, Ejected: !live.EjectedUntil.IsZero(), Total: traffic(&own),
		})
	}
	return t
}

func traffic(t *upstream.Traffic) client.Traffic {
	shown := client.Traffic{
		Requests: t.Requests, Errors: t.Errors, Failures: t.Failures, Open: t.Open, Times: make(client.Times, 0, len(t.Times)),
	}
	for _, b := range t.Times {
		shown.Times = append(shown.Times, client.Bucket{
			From: int64(b.From / time.Microsecond), To: int64(b.To / time.Microsecond), Count: b.Count,
		})
	}
	return shown
}
