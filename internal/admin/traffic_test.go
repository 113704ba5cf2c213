package admin_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

func TestTraffic(t *testing.T) {
	k := started(t, shop+"  idle: {match: {hosts: [idle.example.com]}, service: orders}\n")
	var page struct {
		Data []client.ServiceTraffic
		Next string
	}
	k.call("GET", "/v1/traffic", "").want(200).read(&page)
	if len(page.Data) != 0 {
		t.Errorf("without a request: %+v", page.Data)
	}
	k.call("GET", "/v1/traffic?quiet=true", "").want(200).read(&page)
	if len(page.Data) != 1 || page.Data[0].Service != "orders" || len(page.Data[0].Instances) != 1 {
		t.Errorf("with those that are quiet: %+v", page.Data)
	}
	k.send("orders")
	k.send("orders")
	k.call("GET", "/v1/traffic", "").want(200).read(&page)
	if len(page.Data) != 1 || page.Data[0].Total.Requests != 2 || page.Data[0].Total.Failures != 2 ||
		page.Data[0].Instances[0].Total.Requests != 2 || page.Data[0].Instances[0].Address != "127.0.0.1:3001" {
		t.Errorf("after two requests: %+v", page.Data)
	}
	k.call("GET", "/v1/traffic?service=none", "").refused(404, "not_found", `"none"`)
	k.call("GET", "/v1/traffic?quiet=maybe", "").refused(400, "invalid_parameter", "quiet: want true or false")
}

// send sends a request to the instances of a service, where nobody listens.
func (k *kit) send(service string) {
	k.t.Helper()
	g, _ := k.groups.Lookup(service)
	c := new(config.Service)
	spec.Defaults(c)
	c.Retries.Attempts = 1
	leases := lease.New().Borrower()
	defer func() { _ = leases.Release() }()
	s, err := upstream.New(service, c, g, upstream.Env{Leases: leases, Engine: refusing{}})
	if err != nil {
		k.t.Fatal(err)
	}
	x := &exchange.Exchange{Request: httptest.NewRequest(http.MethodGet, "/", http.NoBody), Path: "/", Timings: exchange.Timings{Start: time.Now()}}
	if _, err := s.Handle(x); err == nil {
		k.t.Fatal("there was an answer")
	}
}

type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) { return nil, http.ErrServerClosed }
