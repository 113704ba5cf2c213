package admin_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/asynched/api-gateway/client"
)

const payService = `{"instances":[{"address":"127.0.0.1:4001"}],"timeouts":{"connect":"1s"}}`

func TestServiceLifecycle(t *testing.T) {
	k := started(t, shop)
	made := k.call("PUT", "/v1/services/pay", payService).want(201)
	var info client.ServiceInfo
	made.read(&info)
	if info.Name != "pay" || info.Owner != "api" || info.Where != "" || info.Protocol != "http" ||
		info.Instances.Total != 1 ||
		info.Config.Timeouts.Connect.String() != "1s" || info.Config.Retries.Attempts != 2 ||
		made.header.Get("Location") != "/v1/services/pay" {
		t.Errorf("made %+v, %+v", info, info.Config)
	}
	again := k.call("PUT", "/v1/services/pay", payService).want(200)
	if again.header.Get("ETag") == "" || again.header.Get("ETag") != made.header.Get("ETag") {
		t.Errorf("the same object has the tags %s and %s", made.header.Get("ETag"), again.header.Get("ETag"))
	}
	k.call("PUT", "/v1/services/pay", "protocol: h2c\ninstances: [{address: \"127.0.0.1:4001\"}]\n", "Content-Type",
		"application/yaml").
		want(200).read(&info)
	if info.Protocol != "h2c" {
		t.Errorf("YAML was not understood: %+v", info)
	}
	gone := k.call("DELETE", "/v1/services/pay", "").want(200)
	var result client.Result
	gone.read(&result)
	if result.DryRun || len(result.Changes) != 1 || result.Changes[0].Path != "services.pay" ||
		result.Changes[0].Kind != "removed" {
		t.Errorf("got %s", gone.body)
	}
	k.call("GET", "/v1/services/pay", "").refused(404, "not_found", `there is no service "pay"`)
	k.call("DELETE", "/v1/services/pay", "").refused(404, "not_found")
}

func TestFilesOwnTheirObjects(t *testing.T) {
	k := started(t, shop)
	var info client.ServiceInfo
	k.call("GET", "/v1/services/orders", "").want(200).read(&info)
	if info.Owner != "file" || !strings.HasSuffix(info.Where, "sallyport.yaml:6:3") {
		t.Errorf("owner %s, where %s", info.Owner, info.Where)
	}
	for _, path := range []string{"/v1/services/orders", "/v1/routes/orders", "/v1/listeners/web"} {
		for _, method := range []string{"PUT", "DELETE"} {
			p := k.call(method, path, `{"address":":1"}`).refused(409, "read_only", "sallyport.yaml:",
				"change it there and reload")
			if len(p.Errors) != 1 || p.Errors[0].Line == 0 || !strings.HasSuffix(p.Errors[0].File, "sallyport.yaml") {
				t.Errorf("%s %s: errors are %+v", method, path, p.Errors)
			}
		}
	}
}

func TestRegistrationsOwnWhatTheyImply(t *testing.T) {
	k := started(t, shop)
	k.call("POST", "/services", mail).want(201)
	var services struct{ Data []client.ServiceInfo }
	k.call("GET", "/v1/services", "").want(200).read(&services)
	if len(services.Data) != 2 || services.Data[0].Name != "mail.example.com" ||
		services.Data[0].Owner != "registration" ||
		services.Data[0].Instances.Total != 1 || services.Data[1].Name != "orders" || services.Data[0].Config != nil {
		t.Errorf("services are %+v", services.Data)
	}
	var routes struct{ Data []client.RouteInfo }
	k.call("GET", "/v1/routes", "").want(200).read(&routes)
	if len(routes.Data) != 2 || !routes.Data[0].Implied || routes.Data[0].Owner != "registration" ||
		!slices.Equal(routes.Data[0].Config.Match.Hosts, []string{"mail.example.com"}) || routes.Data[1].Implied {
		t.Errorf("routes are %+v", routes.Data)
	}
	k.call("DELETE", "/v1/services/mail.example.com", "").refused(409, "read_only",
		"DELETE /v1/services/mail.example.com/instances/{id}")
	k.call("DELETE", "/v1/routes/mail.example.com", "").refused(409, "read_only", "registered")
}

func TestDryRunChangesNothing(t *testing.T) {
	k := started(t, shop)
	k.call("PUT", "/v1/services/pay", payService).want(201)
	before, _ := json.Marshal(k.control.State().Document.Config)
	revision := k.store.Status().Revision
	for _, c := range []struct{ method, path, body, changed, kind string }{
		{"PUT", "/v1/services/new", payService, "services.new", "added"},
		{"PUT", "/v1/services/pay", `{}`, "services.pay", "changed"},
		{"DELETE", "/v1/services/pay", "", "services.pay", "removed"},
		{"PUT", "/v1/routes/new", `{"service":"pay"}`, "routes.new", "added"},
		{"PUT", "/v1/listeners/new", `{"address":"127.0.0.1:4444"}`, "listeners.new", "added"},
		{"PUT", "/v1/config", `{"version":1}`, "services.pay", "removed"},
		{"PUT", "/v1/services/orders/instances/x", `{"address":"a:1"}`, "services.orders.instances.x", "added"},
	} {
		var r client.Result
		k.call(c.method, c.path+"?dry_run=true", c.body).want(200).read(&r)
		if !r.DryRun || len(r.Changes) != 1 || r.Changes[0].Path != c.changed || r.Changes[0].Kind != c.kind {
			t.Errorf("%s %s: %+v", c.method, c.path, r)
		}
	}
	k.write(strings.Replace(shop, "orders", "bestell", 4))
	var r client.Result
	k.call("POST", "/v1/config/reload?dry_run=1", "").want(200).read(&r)
	if len(r.Changes) != 4 {
		t.Errorf("a reload would change %+v", r.Changes)
	}
	if after, _ := json.Marshal(k.control.State().Document.Config); string(after) != string(before) ||
		k.store.Status().Revision != revision {
		t.Error("a dry run changed something")
	}
}

func TestBadConfiguration(t *testing.T) {
	k := started(t, shop)
	p := k.call("PUT", "/v1/routes/a",
		"{\n \"match\": {\"host\": [\"a\"]},\n \"service\": \"ordres\",\n \"filters\": [{\"heders\": {}}]}").
		refused(422, "invalid_config", "errors, the first: (api):2:12: routes.a.match.host: unknown key")
	var paths []string
	for _, e := range p.Errors {
		paths = append(paths, e.Path)
		if e.File != "(api)" || e.Line == 0 || e.Col == 0 {
			t.Errorf("no place: %+v", e)
		}
	}
	for _, want := range []string{"routes.a.match.host", "routes.a.service", "routes.a.filters[0]"} {
		if !slices.Contains(paths, want) {
			t.Errorf("errors are at %v, not at %s", paths, want)
		}
	}
	k.call("PUT", "/v1/routes/a", `{"service":"orders","service":"b"}`).refused(400, "invalid_body", "already set at")
	k.call("PUT", "/v1/routes/a", `[]`).refused(400, "invalid_body", "want a map of keys, got a list")
	k.call("PUT", "/v1/routes/a", `: :`, "Content-Type", "text/yaml").refused(400, "invalid_body")
	k.call("PUT", "/v1/routes/a%20b", `{}`).refused(400, "invalid_parameter", `the name "a b"`)
	k.call("PUT", "/v1/config", strings.Repeat(" ", 4<<20)+"{}").refused(413, "body_too_large", "4096 KiB")
	k.call("PUT", "/v1/config", `{"services":{}}`).refused(422, "invalid_config", "version")
	k.call("PUT", "/v1/config", `{"version":1,"admin":{"address":"127.0.0.1:1"}}`).refused(409, "read_only",
		"admin can be set in a configuration file only")

	k.call("PUT", "/v1/services/pay", payService).want(201)
	k.call("PUT", "/v1/routes/pay", `{"match":{"hosts":["pay.example.com"]},"service":"pay"}`).want(201)
	p = k.call("DELETE", "/v1/services/pay", "").refused(409, "in_use")
	if len(p.Errors) == 0 || !strings.HasPrefix(p.Errors[0].Path, "routes.pay") {
		t.Errorf("errors are %+v", p.Errors)
	}
}

func TestConditions(t *testing.T) {
	k := started(t, shop)
	tag := k.call("PUT", "/v1/services/pay", payService, "If-None-Match", "*").want(201).header.Get("ETag")
	k.call("PUT", "/v1/services/pay", payService, "If-None-Match", "*").refused(412, "changed_meanwhile",
		"exists already")
	k.call("PUT", "/v1/services/pay", payService, "If-None-Match", tag).refused(400, "invalid_parameter", "want *")
	k.call("PUT", "/v1/services/pay", payService, "If-Match", `"other"`).refused(412, "changed_meanwhile", "its tag is")
	k.call("PUT", "/v1/services/pay", payService, "If-Match", "W/"+tag).refused(400, "invalid_parameter")
	k.call("PUT", "/v1/services/none", payService, "If-Match", "*").refused(412, "changed_meanwhile",
		"there is no service none")
	k.call("PUT", "/v1/services/pay", payService, "If-Match", `"other", `+tag).want(200)
	if r := k.call("GET", "/v1/services/pay", "", "If-None-Match", tag).want(304); r.body != "" ||
		r.header.Get("ETag") != tag {
		t.Errorf("304 with %q and %s", r.body, r.header.Get("ETag"))
	}
	// What is live changes the tag, but not what If-Match is about.
	k.call("PUT", "/v1/services/pay/instances/b", `{"address":"127.0.0.1:4002"}`).want(201)
	r := k.call("GET", "/v1/services/pay", "", "If-None-Match", tag).want(200)
	if r.header.Get("ETag") == tag {
		t.Error("another answer has the same tag")
	}
	k.call("PUT", "/v1/services/pay", `{}`, "If-Match", tag).want(200)
	k.call("DELETE", "/v1/services/pay", "", "If-Match", tag).refused(412, "changed_meanwhile")
	k.call("DELETE", "/v1/services/pay", "", "If-Match", "*").want(200)

	whole := k.call("GET", "/v1/config", "").want(200).header.Get("ETag")
	k.call("PUT", "/v1/config", `{"version":1,"services":{"x":{}}}`, "If-Match", whole).want(200)
	k.call("PUT", "/v1/config", `{"version":1}`, "If-Match", whole).refused(412, "changed_meanwhile")
}

// Of many who change an object on the condition that it is as they saw it, one succeeds.
func TestOneOfManyWins(t *testing.T) {
	k := started(t, shop)
	config := k.call("PUT", "/v1/services/pay", payService).want(201).header.Get("ETag")
	instance := k.call("PUT", "/v1/services/pay/instances/a", `{"address":"a:1"}`).want(201).header.Get("ETag")
	for _, c := range []struct{ path, body, header, tag string }{
		{"/v1/services/pay", `{"balance":{"policy":"random"}}`, "If-Match", config},
		{"/v1/services/pay/instances/a", `{"address":"a:1","weight":5}`, "If-Match", instance},
		{"/v1/services/fresh", `{}`, "If-None-Match", "*"},
		{"/v1/services/pay/instances/fresh", `{"address":"a:2"}`, "If-None-Match", "*"},
	} {
		var wg sync.WaitGroup
		statuses := make([]int, 8)
		for i := range statuses {
			wg.Go(func() { statuses[i] = k.call("PUT", c.path, c.body, c.header, c.tag).status })
		}
		wg.Wait()
		won := 0
		for _, s := range statuses {
			if s < 300 {
				won++
			} else if s != 412 {
				t.Errorf("%s: status %d", c.path, s)
			}
		}
		if won != 1 {
			t.Errorf("%s: %d won: %v", c.path, won, statuses)
		}
	}
}

func TestConfigViews(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	k := started(t, shop+"admin: {token: \"${file:"+token+"}\"}\n")
	auth := []string{"Authorization", "Bearer s3cret"}
	k.call("PUT", "/v1/services/pay", payService, auth...).want(201)
	r := k.call("GET", "/v1/config", "", auth...).want(200)
	if strings.Contains(r.body, "s3cret") || !strings.Contains(r.body, `"token": "***"`) {
		t.Errorf("the token is shown: %s", r.body)
	}
	var info client.ConfigInfo
	r.read(&info)
	if info.Owners["services.pay"].Owner != "api" || info.Owners["services.orders"].Owner != "file" ||
		info.Owners["services.orders"].Where == "" ||
		info.Owners["admin"].Owner != "file" || info.Owners["log"].Owner != "" {
		t.Errorf("owners are %+v", info.Owners)
	}
	k.call("GET", "/v1/config?view=api", "", auth...).want(200).read(&info)
	want := `{"services":{"pay":{"instances":[{"address":"127.0.0.1:4001"}],"timeouts":{"connect":"1s"}}},"version":1}`
	if got := strings.Join(strings.Fields(string(info.Config)), ""); got != want {
		t.Errorf("the part of the API is %s, want %s", got, want)
	}
	k.call("GET", "/v1/config?view=file", "", auth...).refused(400, "invalid_parameter", "want effective or api")
	// What was read can be sent back.
	var res client.Result
	k.call("PUT", "/v1/config", string(info.Config), auth...).want(200).read(&res)
	if len(res.Changes) != 0 {
		t.Errorf("the same again changed %+v", res.Changes)
	}
}

func TestDiff(t *testing.T) {
	k := started(t, shop)
	var res client.Result
	k.call("POST", "/v1/config/diff", strings.Replace(shop, "3001", "3002", 1), "Content-Type",
		"application/yaml").want(200).read(&res)
	if !res.DryRun || len(res.Changes) != 1 || res.Changes[0].Path != "services.orders" ||
		res.Changes[0].Kind != "changed" ||
		!strings.Contains(string(res.Changes[0].After), "3002") ||
		!strings.Contains(string(res.Changes[0].Before), "3001") {
		t.Errorf("got %+v", res)
	}
	k.call("POST", "/v1/config/diff", `{"version":1,"routes":{"a":{"service":"b"}}}`).refused(422, "invalid_config",
		"b")
}

func TestReload(t *testing.T) {
	k := started(t, shop)
	k.write(strings.Replace(shop, "3001", "3002", 1))
	var res client.Result
	k.call("POST", "/v1/config/reload", "").want(200).read(&res)
	if res.Revision != 2 || len(res.Changes) != 1 || res.DryRun {
		t.Errorf("got %+v", res)
	}
	k.write("version: 1\nrouts: {}\n")
	p := k.call("POST", "/v1/config/reload", "").refused(422, "invalid_config", "sallyport.yaml:2:1: routs")
	if len(p.Errors) != 1 || p.Errors[0].Line != 2 {
		t.Errorf("errors are %+v", p.Errors)
	}
	var status client.Status
	k.call("GET", "/v1/status", "").want(200).read(&status)
	if f := status.Config.Failure; f == nil || f.Source != "api" || len(f.Errors) != 1 || status.Config.Revision != 2 {
		t.Errorf("status is %+v", status.Config)
	}
}

func TestStatus(t *testing.T) {
	k := started(t, shop)
	k.call("POST", "/services", mail).want(201)
	k.write(shop + "  mail: {match: {hosts: [mail.example.com]}, service: orders}\n")
	k.call("POST", "/v1/config/reload", "").want(200)
	var s client.Status
	k.call("GET", "/v1/status", "").want(200).read(&s)
	if s.Version != "v1.2.3" || !s.Ready || s.Listeners["web"] != "127.0.0.1:40001" || s.Store.Driver != "memory" ||
		s.Store.Entries == 0 ||
		s.Counts.Services != 2 || s.Counts.Hosts != 1 || s.Counts.Routes != 2 || s.Counts.Instances.Total != 2 ||
		len(s.Config.Files) != 1 {
		t.Errorf("got %+v", s)
	}
	if len(s.Config.Shadowed) != 1 || !strings.HasPrefix(s.Config.Shadowed[0], "host mail.example.com: route mail (") {
		t.Errorf("shadowed: %q", s.Config.Shadowed)
	}
}

func TestPages(t *testing.T) {
	k := started(t, shop)
	for _, name := range []string{"e", "c", "a", "d", "b"} {
		k.call("PUT", "/v1/services/"+name, `{}`).want(201)
	}
	var names []string
	after := ""
	for range 10 {
		var p struct {
			Data []client.ServiceInfo
			Next string
		}
		k.call("GET", "/v1/services?limit=2&after="+after, "").want(200).read(&p)
		for _, s := range p.Data {
			names = append(names, s.Name)
		}
		if after = p.Next; after == "" {
			break
		}
		_ = k.call("DELETE", "/v1/services/"+p.Data[len(p.Data)-1].Name, "") // the cursor survives its object
	}
	if got := strings.Join(names, " "); got != "a b c d e orders" {
		t.Errorf("got %s", got)
	}
	for query, detail := range map[string]string{
		"limit=0": "limit: want a number from 1 to 1000", "limit=1001": `got "1001"`, "limit=x": `got "x"`,
		"after=!": "after: ",
	} {
		k.call("GET", "/v1/services?"+query, "").refused(400, "invalid_parameter", detail)
	}
}

func TestExplain(t *testing.T) {
	k := started(t, shop)
	var e client.Explanation
	k.call("POST", "/v1/explain", `{"url":"http://Shop.example.com/a/../b"}`).want(200).read(&e)
	if e.Method != "GET" || e.Host != "shop.example.com" || e.Path != "/b" || e.Route != "orders" ||
		e.Service != "orders" ||
		e.Address != "127.0.0.1:3001" || len(e.Steps) == 0 {
		t.Errorf("got %+v", e)
	}
	k.call("POST", "/v1/explain", `{"url":"http://none.example.com/"}`).want(200).read(&e)
	if e.Status != 404 || e.Reason != "no_route" {
		t.Errorf("got %+v", e)
	}
	for body, detail := range map[string]string{
		`{"url":"shop.example.com"}`:                                 "want a URL with scheme and host",
		`{"url":"http://a b/"}`:                                      "there is no such request",
		`{"method":"G T","url":"http://a.example.com/"}`:             "not an HTTP method",
		`{"url":"http://a.example.com/","headers":{"a b":["c"]}}`:    "not a header name",
		`{"url":"http://a.example.com/","headers":{"A":["\u000a"]}}`: "headers.A",
		`{"url":"http://a.example.com/%00"}`:                         "there is no such request",
	} {
		k.call("POST", "/v1/explain", body).refused(400, "invalid_field", detail)
	}
}
