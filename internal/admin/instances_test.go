package admin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/internal/upstream"
)

func TestInstanceLifecycle(t *testing.T) {
	k := started(t, shop)
	const path = "/v1/services/orders/instances/b"
	var i client.InstanceInfo
	made := k.call("PUT", path,
		`{"address":"127.0.0.1:3002","weight":3,"zone":"a","metadata":{"v":"1"},"ttl":"1m"}`).want(201)
	made.read(&i)
	if i.ID != "b" || i.Service != "orders" || i.Weight != 3 || i.Zone != "a" || i.Metadata["v"] != "1" ||
		i.TTL.Std() != time.Minute ||
		i.Source != "api" || i.Status != "unknown" || !i.Eligible || i.Updated == nil || i.Created.IsZero() ||
		i.Since.IsZero() {
		t.Errorf("made %+v", i)
	}
	if g, _ := k.groups.Lookup("orders"); g.Set().Len() != 2 {
		t.Error("it cannot be routed to when the answer comes")
	}
	var beat client.Heartbeat
	k.call("PUT", path+"/heartbeat", "").want(200).read(&beat)
	if beat.ID != "b" || beat.TTL.Std() != time.Minute {
		t.Errorf("heartbeat: %+v", beat)
	}
	for _, method := range []string{"PUT", "POST"} {
		k.call(method, path+"/drain", "").want(200).read(&i)
		if !i.Draining || i.Eligible {
			t.Errorf("draining: %+v", i)
		}
		k.call(method, path+"/enable", "").want(200).read(&i)
		if i.Draining {
			t.Errorf("enabled: %+v", i)
		}
	}
	i = client.InstanceInfo{}
	k.call("PUT", path, `{"address":"127.0.0.1:3002"}`).want(200).read(&i)
	if i.Weight != 1 || i.TTL != 0 {
		t.Errorf("what a PUT does not say has its default: %+v", i)
	}
	k.call("PUT", path+"/heartbeat", "").refused(400, "invalid_field", "ttl: ")
	k.call("DELETE", path, "").want(200)
	k.call("GET", path, "").refused(404, "not_found", "there is no instance b")
	k.call("DELETE", path, "").refused(404, "not_found")
	k.call("PUT", path+"/heartbeat", "").refused(404, "not_found")
}

func TestInstanceChangesUnderDryRun(t *testing.T) {
	k := started(t, shop)
	const path = "/v1/services/orders/instances/b"
	k.call("PUT", path, `{"address":"127.0.0.1:3002"}`).want(201)
	before := k.store.Status().Revision
	for _, c := range []struct{ method, path, body, kind string }{
		{"PUT", path, `{"address":"127.0.0.1:3002","weight":2}`, "changed"},
		{"DELETE", path, "", "removed"},
		{"PUT", path + "/drain", "", "changed"},
	} {
		var r client.Result
		k.call(c.method, c.path+"?dry_run=true", c.body).want(200).read(&r)
		if !r.DryRun || len(r.Changes) != 1 || r.Changes[0].Kind != c.kind ||
			r.Changes[0].Path != "services.orders.instances.b" {
			t.Errorf("%s %s: %+v", c.method, c.path, r)
		}
	}
	var r client.Result
	k.call("PUT", path+"?dry_run=true", `{"address":"127.0.0.1:3002"}`).want(200).read(&r)
	if len(r.Changes) != 0 {
		t.Errorf("the same is a change: %+v", r.Changes)
	}
	k.call("PUT", path+"?dry_run=true", `{"address":"nowhere"}`).refused(400, "invalid_field", "address")
	k.call("PUT", "/v1/services/orders/instances/c?dry_run=true", `{"address":"127.0.0.1:3002"}`).refused(409, "in_use")
	if k.store.Status().Revision != before {
		t.Error("a dry run wrote")
	}
}

func TestInstancesThatAreRefused(t *testing.T) {
	k := started(t, shop)
	k.call("PUT", "/v1/services/orders/instances/b", `{"address":"127.0.0.1:3002"}`).want(201)
	const c = "/v1/services/orders/instances/c"
	for _, x := range []struct {
		method, path, body string
		status             int
		reason, detail     string
	}{
		{"PUT", c, `{"adress":"a:1"}`, 400, "invalid_body", `unknown key "adress": did you mean "address"?`},
		{"PUT", c, `{}`, 400, "invalid_body", "address: is required"},
		{"PUT", c, `{"address":"a:1","weight":-1}`, 400, "invalid_body", "weight: must be at least 0"},
		{"PUT", c, `{"address":"a:1","weight":70000}`, 400, "invalid_body", "weight: must be at most 65535"},
		{"PUT", c, `{"address":"a:1","weight":"1"}`, 400, "invalid_body", "weight: want a"},
		{"PUT", c, `{"address":"a"}`, 400, "invalid_field", "address: must be host:port"},
		{"PUT", c, `{"address":"a:1","ttl":"-1s"}`, 400, "invalid_body", "ttl: must not be negative"},
		{"PUT", c, `{"address":"a:1","metadata":{"":"x"}}`, 400, "invalid_field", "metadata: "},
		{"PUT", "/v1/services/orders/instances/a%20b", `{"address":"a:1"}`, 400, "invalid_field", "id: must be"},
		{"PUT", "/v1/services/none/instances/a", `{"address":"a:1"}`, 404, "not_found", "there is no service none"},
		{"PUT", c, `{"address":"127.0.0.1:3002"}`, 409, "in_use", "instance b"},
		{"PUT", c, `{"address":"127.0.0.1:3001"}`, 409, "read_only", "sallyport.yaml:8"},
		{
			"PUT", "/v1/services/orders/instances/127.0.0.1:3001", `{"address":"a:1"}`, 409, "read_only",
			"sallyport.yaml:8",
		},
		{"DELETE", "/v1/services/orders/instances/127.0.0.1:3001", ``, 409, "read_only", "sallyport.yaml:8"},
		{"PUT", "/v1/services/orders/instances/127.0.0.1:3001/drain", ``, 409, "read_only", "sallyport.yaml:8"},
		{"GET", "/v1/services/none/instances", ``, 404, "not_found", "there is no service none"},
		{"GET", "/v1/instances?status=helthy", ``, 400, "invalid_parameter", `did you mean "healthy"?`},
	} {
		k.call(x.method, x.path, x.body).refused(x.status, x.reason, x.detail)
	}
}

func TestListsOfInstances(t *testing.T) {
	k := started(t, shop)
	k.call("POST", "/services", mail).want(201)
	k.call("PUT", "/v1/services/orders/instances/b", `{"address":"127.0.0.1:3002"}`).want(201)
	g, _ := k.groups.Lookup("orders")
	g.SetHealth("b", upstream.Unhealthy, "connection refused")
	list := func(query string) string {
		var p struct{ Data []client.InstanceInfo }
		k.call("GET", query, "").want(200).read(&p)
		var all []string
		for _, i := range p.Data {
			all = append(all, i.Service+"/"+i.Address+"="+i.Status)
		}
		return strings.Join(all, " ")
	}
	for query, want := range map[string]string{
		"/v1/instances": "mail.example.com/localhost:3001=unknown " +
			"orders/127.0.0.1:3001=unknown orders/127.0.0.1:3002=unhealthy",
		"/v1/instances?status=unhealthy":         "orders/127.0.0.1:3002=unhealthy",
		"/v1/instances?service=mail.example.com": "mail.example.com/localhost:3001=unknown",
		"/v1/instances?service=none":             "",
		"/v1/services/orders/instances": "orders/127.0.0.1:3001=unknown " +
			"orders/127.0.0.1:3002=unhealthy",
		"/v1/services/orders/instances?status=unknown":     "orders/127.0.0.1:3001=unknown",
		"/v1/services/mail.example.com/instances?limit=10": "mail.example.com/localhost:3001=unknown",
	} {
		if got := list(query); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	var i client.InstanceInfo
	k.call("GET", "/v1/services/orders/instances/b", "").want(200).read(&i)
	if i.Reason != "connection refused" || i.Eligible {
		t.Errorf("got %+v", i)
	}
	var short struct{ Data []client.Registered }
	k.call("GET", "/services", "").want(200).read(&short)
	if len(short.Data) != 1 {
		t.Errorf("the short form lists %+v", short.Data)
	}
}

// An instance has one id in both forms of the API.
func TestOneIDInBothForms(t *testing.T) {
	k := started(t, shop)
	var made struct{ Data client.Registered }
	k.call("POST", "/services", mail).want(201).read(&made)
	path := "/v1/services/mail.example.com/instances/" + made.Data.ID
	var i client.InstanceInfo
	k.call("GET", path, "").want(200).read(&i)
	if i.Name != "Mail" || i.Tag != "mail" || i.Host != "mail.example.com" {
		t.Errorf("got %+v", i)
	}
	k.call("PUT", path+"/drain", "").want(200)
	k.call("DELETE", path, "").want(200)
	k.call("GET", "/services/"+made.Data.ID, "").refused(404, "not_found")
}
