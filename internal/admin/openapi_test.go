package admin_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/admin"
	"github.com/asynched/api-gateway/internal/upstream"
)

// A document is what the tests look at in the description.
type document struct {
	Paths map[string]map[string]struct {
		OperationID string
		Parameters  []struct{ Name, In, Description string }
		RequestBody *struct {
			Content map[string]struct{ Example any }
		}
		Responses map[string]response
	}
	Components struct{ Responses map[string]response }
}

type response struct {
	Ref     string `json:"$ref"`
	Content map[string]struct{ Example any }
}

// response returns the described answer of a status, and where it stands.
func (d *document) response(path, method, status string) (response, []string, bool) {
	r, ok := d.Paths[path][method].Responses[status]
	if name, shared := strings.CutPrefix(r.Ref, "#/components/responses/"); shared {
		r, ok = d.Components.Responses[name]
		return r, []string{"components", "responses", name}, ok
	}
	return r, []string{"paths", path, method, "responses", status}, ok
}

const base = "https://sallyport.test/openapi.json"

// described returns the description and what compiles the schemas in it.
func described(t *testing.T) (*document, *jsonschema.Compiler) {
	t.Helper()
	text := admin.OpenAPI("v1", catalog(t))
	doc := new(document)
	if err := json.Unmarshal(text, doc); err != nil {
		t.Fatal(err)
	}
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource(base, whole); err != nil {
		t.Fatal(err)
	}
	return doc, c
}

// pointer joins a JSON pointer.
func pointer(parts ...string) string {
	for i, p := range parts {
		parts[i] = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", ";", "%3B", "=", "%3D", "+",
			"%2B").Replace(p)
	}
	return base + "#/" + strings.Join(parts, "/")
}

func validate(t *testing.T, c *jsonschema.Compiler, at string, text string) {
	t.Helper()
	schema, err := c.Compile(at)
	if err != nil {
		t.Errorf("%s: %v", at, err)
		return
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Errorf("%s: %v", at, err)
		return
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s: %v in %s", at, err, text)
	}
}

func TestDescriptionIsDeterministic(t *testing.T) {
	if !bytes.Equal(admin.OpenAPI("v1", catalog(t)), admin.OpenAPI("v1", catalog(t))) {
		t.Error("two runs give different bytes")
	}
}

func TestSchemasCompile(t *testing.T) {
	_, c := described(t)
	var doc struct {
		Components struct {
			Schemas map[string]struct{ Description string }
		}
	}
	if err := json.Unmarshal(admin.OpenAPI("v1", catalog(t)), &doc); err != nil {
		t.Fatal(err)
	}
	for name, s := range doc.Components.Schemas {
		if _, err := c.Compile(pointer("components", "schemas", name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(name, "_") {
			t.Errorf("%s: two types have that name", name)
		}
		if s.Description == "" && name != "List" {
			t.Errorf("%s has no description", name)
		}
	}
}

// Every example in the description is one.
func TestExamplesAreRight(t *testing.T) {
	doc, c := described(t)
	n := 0
	for path, methods := range doc.Paths {
		for method, op := range methods {
			check := func(example any, at ...string) {
				if example == nil {
					return
				}
				n++
				text, _ := json.Marshal(example)
				validate(t, c, pointer(at...), string(text))
			}
			if op.RequestBody != nil {
				if op.RequestBody.Content["application/json"].Example == nil {
					t.Errorf("%s %s: the body has no example", method, path)
				}
				for kind, content := range op.RequestBody.Content {
					check(content.Example, "paths", path, method, "requestBody", "content", kind, "schema")
				}
			}
			for status := range op.Responses {
				r, at, ok := doc.response(path, method, status)
				if !ok {
					t.Errorf("%s %s: status %s leads nowhere", method, path, status)
				}
				for kind, content := range r.Content {
					check(content.Example, append(at, "content", kind, "schema")...)
				}
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d examples were looked at", n)
	}
}

// Whatever the mux takes is described, and whatever is described is taken. The names of operations are unique, and each
// placeholder is a parameter.
func TestEveryCallIsDescribed(t *testing.T) {
	doc, _ := described(t)
	k := newKit(t, shop)
	ids := make(map[string]bool)
	placeholder := regexp.MustCompile(`\{([a-z]+)\}`)
	for path, methods := range doc.Paths {
		var allow []string
		for method, op := range methods {
			if ids[op.OperationID] || op.OperationID == "" {
				t.Errorf("%s %s: the operationId %q is not its own", method, path, op.OperationID)
			}
			ids[op.OperationID] = true
			allow = append(allow, strings.ToUpper(method))
			if method == "get" {
				allow = append(allow, "HEAD")
			}
			var named []string
			for _, p := range op.Parameters {
				if p.In == "path" {
					named = append(named, p.Name)
				}
				if p.Description == "" {
					t.Errorf("%s %s: parameter %s has no description", method, path, p.Name)
				}
			}
			var want []string
			for _, m := range placeholder.FindAllStringSubmatch(path, -1) {
				want = append(want, m[1])
			}
			if !slices.Equal(named, want) {
				t.Errorf("%s %s: path parameters are %v, want %v", method, path, named, want)
			}
		}
		slices.Sort(allow)
		r := k.call("PATCH", placeholder.ReplaceAllString(path, "x"), "")
		if got := r.header.Get("Allow"); got != strings.Join(allow, ", ") {
			t.Errorf("%s takes %q, and %q is described", path, got, allow)
		}
	}
}

// What the server really answers is what the description says.
func TestRealAnswersFitTheDescription(t *testing.T) {
	doc, c := described(t)
	k := started(t, shop)
	seen := make(map[string]bool)
	play := func(method, path, target, body string, header ...string) *reply {
		t.Helper()
		r := k.call(method, target, body, header...)
		op := doc.Paths[path][strings.ToLower(method)]
		response, at, ok := doc.response(path, strings.ToLower(method), strconv.Itoa(r.status))
		if !ok {
			t.Errorf("%s %s: answered %d, which is not described: %s", method, target, r.status, r.body)
			return r
		}
		kind := r.header.Get("Content-Type")
		if _, ok := response.Content[kind]; !ok && r.status != http.StatusNotModified && path != "/metrics" {
			t.Errorf("%s %s: answered %s, described is %v", method, target, kind, response.Content)
		}
		seen[op.OperationID] = true
		if strings.HasSuffix(kind, "json") {
			validate(t, c, pointer(append(at, "content", kind, "schema")...), r.body)
		}
		return r
	}
	plain := func(method, path, body string, header ...string) *reply {
		t.Helper()
		return play(method, path, path, body, header...)
	}
	plain("GET", "/services", "")
	var made struct{ Data struct{ ID string } }
	plain("POST", "/services", mail).want(201).read(&made)
	plain("POST", "/services", mail).want(200)
	plain("POST", "/services", `{"host":5}`).want(400)
	plain("POST", "/services", `{"host":"shop.example.com","address":"a:1"}`).want(409)
	plain("GET", "/services", "")
	play("GET", "/services/{id}", "/services/"+made.Data.ID, "")
	play("GET", "/services/{id}", "/services/none", "").want(404)
	g, _ := k.groups.Lookup("orders")
	g.SetHealth("127.0.0.1:3001", upstream.Unhealthy, "connection refused")
	one := "/v1/services/{name}/instances/{id}"
	play("PUT", one, "/v1/services/orders/instances/b", `{"address":"a:1","ttl":"1h","metadata":{"a":"b"}}`).want(201)
	play("PUT", one, "/v1/services/orders/instances/b?dry_run=true", `{"address":"a:2","ttl":"1h"}`).want(200)
	play("PUT", one, "/v1/services/orders/instances/b", `{"address":"a:1","ttl":"2h"}`).want(200)
	play("GET", one, "/v1/services/orders/instances/b", "").want(200)
	play("GET", one, "/v1/services/orders/instances/127.0.0.1:3001", "").want(200)
	play("PUT", one+"/heartbeat", "/v1/services/orders/instances/b/heartbeat", "").want(200)
	for _, method := range []string{"PUT", "POST"} {
		play(method, one+"/drain", "/v1/services/orders/instances/b/drain?dry_run=true", "").want(200)
		play(method, one+"/drain", "/v1/services/orders/instances/b/drain", "").want(200)
		play(method, one+"/enable", "/v1/services/orders/instances/b/enable", "").want(200)
	}
	plain("GET", "/v1/instances", "")
	play("GET", "/v1/instances", "/v1/instances?limit=1", "")
	play("GET", "/v1/services/{name}/instances", "/v1/services/orders/instances", "")
	play("DELETE", one, "/v1/services/orders/instances/b", "").want(200)
	objects := map[string]string{
		"services": `{"tls":{"insecure":true},"protocol":"https","instances":[{"dns":"localhost:1","refresh":"1h"}],"balance":{"sticky":{}}}`,
		"routes": `{"match":{"hosts":["a.example.com"],"headers":{"X":"*"}},"services":[{"name":"orders"}],
			"filters":[{"headers":{"request":{"set":{"X-A":"1"}}}},{"rewrite":{"strip_prefix":"/x"}}],"timeouts":{"response":"1s"}}`,
		"listeners": `{"address":"127.0.0.1:4444","trusted_proxies":["10.0.0.0/8"]}`,
	}
	for kind, body := range objects {
		path, target := "/v1/"+kind+"/{name}", "/v1/"+kind+"/x"
		play("PUT", path, target+"?dry_run=true", body).want(200)
		play("PUT", path, target, body).want(201)
		play("PUT", path, target, body).want(200)
		play("PUT", path, target, `{"nonsense":1}`).want(422)
		play("GET", path, target, "").want(200)
		play("GET", path, target, "", "If-None-Match", "*").want(304)
		plain("GET", "/v1/"+kind, "")
		play("DELETE", path, target, "", "If-Match", `"x"`).want(412)
		play("DELETE", path, target, "").want(200)
		play("DELETE", path, target, "").want(404)
	}
	plain("GET", "/v1/config", "")
	play("GET", "/v1/config", "/v1/config?view=api", "")
	plain("PUT", "/v1/config", `{"version":1}`).want(200)
	plain("POST", "/v1/config/diff", `{"version":1}`).want(200)
	plain("POST", "/v1/config/reload", "").want(200)
	plain("GET", "/v1/schema", "")
	plain("GET", "/v1/status", "")
	plain("POST", "/v1/explain", `{"url":"http://shop.example.com/"}`).want(200)
	plain("GET", "/v1/openapi.json", "")
	plain("GET", "/v1/cache", "").want(404)
	play("PUT", "/v1/routes/{name}", "/v1/routes/kept", `{"match":{"hosts":["kept.example.com"]},"filters":[{"cache":{}}],
		"respond":{"headers":{"Cache-Control":"max-age=60","ETag":"\"1\"","Vary":"Accept","Cache-Tag":"a"}}}`).want(201)
	k.fetch("http://kept.example.com/")
	plain("GET", "/v1/cache", "").want(200)
	plain("GET", "/v1/cache/objects", "").want(200)
	play("GET", "/v1/cache/objects", "/v1/cache/objects?limit=x", "").want(400)
	play("GET", "/v1/cache/inspect", "/v1/cache/inspect?url=http://kept.example.com/", "").want(200)
	play("POST", "/v1/cache/purge", "/v1/cache/purge?dry_run=true", `{"all":true}`).want(200)
	plain("POST", "/v1/cache/purge", `{"tags":["a"],"soft":true}`).want(200)
	plain("POST", "/v1/cache/purge", `{}`).want(400)
	play("GET", "/v1/cache/inspect", "/v1/cache/inspect?url=http://kept.example.com/", "").want(200)
	plain("GET", "/livez", "")
	plain("GET", "/readyz", "")
	plain("GET", "/metrics", "")
	play("GET", "/v1/traffic", "/v1/traffic?quiet=true", "").want(200)
	play("GET", "/v1/traffic", "/v1/traffic?service=none", "").want(404)
	play("GET", "/v1/tail", "/v1/tail?status=600", "").want(400)
	k.tail.Close()
	plain("GET", "/v1/tail", "").want(503)
	plain("GET", "/health/check", "")
	k.draining.Store(true)
	plain("GET", "/readyz", "").want(503)
	play("DELETE", "/services/{id}", "/services/"+made.Data.ID, "").want(200)
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if !seen[op.OperationID] {
				t.Errorf("%s %s was not played", method, path)
			}
		}
	}
}

func TestReasonsShareTheirStatusWithTraffic(t *testing.T) {
	seen := make(map[exchange.Reason]bool)
	for _, r := range admin.Reasons() {
		if seen[r.Reason] || r.Title == "" || r.Cause == "" || r.Cure == "" {
			t.Errorf("%+v", r)
		}
		seen[r.Reason] = true
		if known := r.Reason.Info(); known.Reason == r.Reason && known.Status != r.Status {
			t.Errorf("%s is %d here and %d for traffic", r.Reason, r.Status, known.Status)
		}
	}
}

// The reference has a heading for each call, and every link on the page leads somewhere on it.
func TestReferencePage(t *testing.T) {
	text := string(admin.Reference(catalog(t)))
	if path := os.Getenv("WRITE_REFERENCE"); path != "" {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	headings := make(map[string]int)
	for line := range strings.Lines(text) {
		if h, ok := strings.CutPrefix(strings.TrimSpace(line), "### "); ok {
			anchor := strings.Map(func(r rune) rune {
				if r == ' ' {
					return '-'
				}
				if strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-_", r) {
					return r
				}
				return -1
			}, strings.ToLower(h))
			headings[anchor]++
		}
	}
	for anchor, n := range headings {
		if n > 1 {
			t.Errorf("%d headings are #%s", n, anchor)
		}
	}
	for _, m := range regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllStringSubmatch(text, -1) {
		if headings[m[1]] == 0 {
			t.Errorf("a link leads to #%s, which is not there", m[1])
		}
	}
}
