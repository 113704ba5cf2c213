package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/spec"
)

// A view is what happened between two moments.
type view struct {
	Seconds  float64       `json:"seconds"`
	Requests float64       `json:"requests_per_second"`
	Errors   float64       `json:"errors_per_second"`
	Status   client.Load   `json:"load"`
	Memory   int64         `json:"memory"`
	Revision int64         `json:"revision"`
	Uptime   spec.Duration `json:"uptime"`
	Services []serviceView `json:"services"`
	Hidden   int           `json:"hidden,omitempty"`
}

// Rates are what happened to a service or an instance.
type rates struct {
	Requests float64  `json:"requests_per_second"`
	Errors   float64  `json:"errors_per_second"`
	Failures float64  `json:"failures_per_second"`
	P50      *float64 `json:"p50_ms,omitempty"`
	P95      *float64 `json:"p95_ms,omitempty"`
	P99      *float64 `json:"p99_ms,omitempty"`
	Open     int64    `json:"open"`
}

type serviceView struct {
	Service string `json:"service"`
	rates
	Pending   int64          `json:"pending"`
	Breaker   string         `json:"breaker,omitempty"`
	Eligible  int            `json:"eligible"`
	Instances []instanceView `json:"instances"`
}

type instanceView struct {
	ID      string `json:"id"`
	Address string `json:"address"`
	Weight  int    `json:"weight"`
	State   string `json:"state"`
	rates
}

// newView returns what happened between two polls, as it was asked for.
func newView(before, now *poll, o *top) *view {
	seconds := now.at.Sub(before.at).Seconds()
	load, was := now.status.Load, before.status.Load
	v := &view{
		Seconds: seconds, Status: load, Memory: now.status.Resources.MemoryUsed, Revision: now.status.Config.Revision, Uptime: now.status.Uptime,
		Requests: perSecond(was.Requests, load.Requests, seconds), Errors: perSecond(was.Errors, load.Errors, seconds),
	}
	known := make(map[string]*client.ServiceTraffic, len(before.services))
	for i := range before.services {
		known[before.services[i].Service] = &before.services[i]
	}
	for i := range now.services {
		s := &now.services[i]
		earlier := known[s.Service]
		if earlier == nil {
			earlier = new(client.ServiceTraffic)
		}
		v.Services = append(v.Services, newServiceView(earlier, s, seconds))
	}
	v.sort(o.sort)
	if o.most > 0 && len(v.Services) > o.most {
		v.Hidden = len(v.Services) - o.most
		v.Services = v.Services[:o.most]
	}
	return v
}

func newServiceView(before, now *client.ServiceTraffic, seconds float64) serviceView {
	s := serviceView{
		Service: now.Service, rates: newRates(&before.Total, &now.Total, seconds), Pending: now.Pending, Breaker: now.Breaker,
		Instances: []instanceView{},
	}
	for _, i := range now.Instances {
		earlier := new(client.Traffic)
		for n := range before.Instances {
			if was := &before.Instances[n]; was.ID == i.ID && was.Address == i.Address {
				earlier = &was.Total
			}
		}
		if i.Eligible {
			s.Eligible++
		}
		s.Instances = append(s.Instances, instanceView{
			ID: i.ID, Address: i.Address, Weight: i.Weight, State: trafficState(&i), rates: newRates(earlier, &i.Total, seconds),
		})
	}
	return s
}

// trafficState is the status of an instance with what else keeps traffic from it.
func trafficState(i *client.InstanceTraffic) string {
	state := i.Status
	if i.Draining {
		state += ",draining"
	}
	if i.Ejected {
		state += ",ejected"
	}
	return state
}

func newRates(before, now *client.Traffic, seconds float64) rates {
	r := rates{
		Requests: perSecond(before.Requests, now.Requests, seconds), Errors: perSecond(before.Errors, now.Errors, seconds),
		Failures: perSecond(before.Failures, now.Failures, seconds), Open: now.Open,
	}
	if times := now.Times.Since(before.Times); len(times) > 0 {
		percentile := func(p float64) *float64 {
			ms := float64(times.Percentile(p)) / float64(time.Millisecond)
			return &ms
		}
		r.P50, r.P95, r.P99 = percentile(0.5), percentile(0.95), percentile(0.99)
	}
	return r
}

// perSecond returns by how much something grew in a second. What is less than before has begun anew.
func perSecond(before, now uint64, seconds float64) float64 {
	switch {
	case seconds <= 0:
		return 0
	case now < before:
		before = 0
	}
	return float64(now-before) / seconds
}

// sort puts first what is asked for first; services that are alike in that are in the order of their names.
func (v *view) sort(by string) {
	weight := func(s *serviceView) float64 {
		switch by {
		case "rate":
			return s.Requests
		case "errors":
			return s.Errors + s.Failures
		case "p99":
			if s.P99 != nil {
				return *s.P99
			}
		}
		return 0
	}
	slices.SortStableFunc(v.Services, func(a, b serviceView) int {
		return cmp.Or(cmp.Compare(weight(&b), weight(&a)), cmp.Compare(a.Service, b.Service))
	})
	for _, s := range v.Services {
		slices.SortFunc(s.Instances, func(a, b instanceView) int { return cmp.Compare(a.Address, b.Address) })
	}
}

// summary is the line about the gateway as a whole.
func (v *view) summary() string {
	l := v.Status
	return strings.Join([]string{
		"requests " + rate(v.Requests) + "/s", "errors " + rate(v.Errors) + "/s", fmt.Sprintf("in flight %d", l.InFlight),
		fmt.Sprintf("connections %d", l.Connections), fmt.Sprintf("memory %d MiB", v.Memory>>20),
		fmt.Sprintf("config revision %d", v.Revision), "up " + span(v.Uptime.Std()),
	}, "   ")
}

// table shows services, and below each its instances.
func (v *view) table() *table {
	t := newTable("SERVICE", "RATE", "ERRORS", "FAILED", "P50", "P95", "P99", "OPEN", "QUEUE", "WEIGHT", "STATE")
	for _, s := range v.Services {
		state := fmt.Sprintf("%d of %d eligible", s.Eligible, len(s.Instances))
		if s.Breaker != "" && s.Breaker != "closed" {
			state += ", breaker " + s.Breaker
		}
		t.add(append(s.cells(harmless(s.Service)), strconv.FormatInt(s.Pending, 10), "", state)...)
		for _, i := range s.Instances {
			t.add(append(i.cells("  "+harmless(i.Address)), "", strconv.Itoa(i.Weight), i.State)...)
		}
	}
	return t
}

// cells are the columns that services and instances have in common.
func (r *rates) cells(name string) []string {
	percentile := func(ms *float64) string {
		if ms == nil {
			return ""
		}
		return duration(*ms)
	}
	return []string{
		name, rate(r.Requests), rate(r.Errors), rate(r.Failures), percentile(r.P50), percentile(r.P95), percentile(r.P99),
		strconv.FormatInt(r.Open, 10),
	}
}

// rate writes how often something happens in a second.
func rate(n float64) string {
	if n == 0 || n >= 99.95 {
		return strconv.FormatFloat(n, 'f', 0, 64)
	}
	return strconv.FormatFloat(n, 'f', 1, 64)
}
