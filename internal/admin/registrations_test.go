package admin_test

import (
	"encoding/json"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/internal/store"
)

const mail = `{"host":"mail.example.com","address":"localhost:3001","name":"Mail","tag":"mail"}`

// keys returns the keys of a JSON object, sorted.
func keys(t *testing.T, text json.RawMessage) []string {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

func TestShortFormHasExactlyItsShape(t *testing.T) {
	k := started(t, shop)
	want := []string{"address", "createdAt", "host", "id", "name", "status", "tag", "updatedAt"}
	var made struct{ Data json.RawMessage }
	posted := k.call("POST", "/services", mail, "Content-Type", "application/x-www-form-urlencoded").want(201)
	posted.read(&made)
	if got := keys(t, json.RawMessage(posted.body)); !slices.Equal(got, []string{"data"}) {
		t.Errorf("envelope has %v", got)
	}
	if got := keys(t, made.Data); !slices.Equal(got, want) {
		t.Errorf("POST answers %v, want %v", got, want)
	}
	var one client.Registered
	if err := json.Unmarshal(made.Data, &one); err != nil {
		t.Fatal(err)
	}
	if one.Host != "mail.example.com" || one.Address != "localhost:3001" || one.Name != "Mail" || one.Tag != "mail" ||
		one.Status != "unknown" {
		t.Errorf("got %+v", one)
	}
	if _, found := k.registry.Lookup("mail.example.com"); !found {
		t.Error("the host cannot be routed to when the answer comes")
	}
	var list struct{ Data []json.RawMessage }
	k.call("GET", "/services", "").want(200).read(&list)
	if len(list.Data) != 1 || !slices.Equal(keys(t, list.Data[0]), want) {
		t.Errorf("GET lists %s", list.Data)
	}
	var shown struct{ Data client.Registered }
	k.call("GET", "/services/"+one.ID, "").want(200).read(&shown)
	if shown.Data != one {
		t.Errorf("GET shows %+v, POST answered %+v", shown.Data, one)
	}
	gone := k.call("DELETE", "/services/"+one.ID, "").want(200)
	if got := keys(t, json.RawMessage(gone.body)); !slices.Equal(got, []string{"message"}) {
		t.Errorf("DELETE answers %v", got)
	}
	k.call("GET", "/services/"+one.ID, "").refused(404, "not_found", one.ID)
	if body := k.call("GET", "/services", "").want(200).body; strings.Join(strings.Fields(body), "") != `{"data":[]}` {
		t.Errorf("an empty list is %s", body)
	}
}

func TestSameRegistrationAgain(t *testing.T) {
	k := started(t, shop)
	var first, second struct{ Data client.Registered }
	k.call("POST", "/services", mail).want(201).read(&first)
	again := `{"host":"MAIL.example.com.:80","address":"localhost:3001","name":"Mail 2","tag":"m2"}`
	k.call("POST", "/services", again).want(200).read(&second)
	if second.Data.ID != first.Data.ID || second.Data.Name != "Mail 2" || second.Data.Tag != "m2" ||
		!second.Data.CreatedAt.Equal(first.Data.CreatedAt) {
		t.Errorf("first %+v, then %+v", first.Data, second.Data)
	}
}

func TestHealthCheck(t *testing.T) {
	k := newKit(t, shop) // up, even without a configuration
	r := k.call("GET", "/health/check?x=1", "", "Host", "10.0.0.1").want(200)
	if got := keys(t, json.RawMessage(r.body)); !slices.Equal(got, []string{"startup", "status", "uptime"}) {
		t.Errorf("keys are %v", got)
	}
	var h client.GatewayHealth
	r.read(&h)
	if _, err := time.ParseDuration(h.Uptime); err != nil || h.Status != "up" || time.Since(h.Startup) > time.Minute {
		t.Errorf("got %+v, %v", h, err)
	}
}

func TestRegistrationsThatAreRefused(t *testing.T) {
	k := started(t, shop)
	cases := []struct {
		name, body string
		status     int
		reason     string
		detail     []string
	}{
		{"empty", ``, 400, "invalid_body", []string{"the body is empty", "host and address"}},
		{"no JSON", `host=a`, 400, "invalid_body", []string{"1:1: invalid character 'h'"}},
		{"a list", `[]`, 400, "invalid_body", []string{"want a map, got a list"}},
		{"null", `null`, 400, "invalid_body", []string{"want a map, got null"}},
		{"two values", mail + mail, 400, "invalid_body", []string{"after top-level value"}},
		{"cut off", `{"host":`, 400, "invalid_body", []string{"unexpected end"}},
		{
			"unknown key", `{"hots":"a.example.com","address":"a:1"}`, 400, "invalid_body",
			[]string{`1:2: hots: unknown key "hots": did you mean "host"?`, "host: is required"},
		},
		{
			"key in another case", `{"Host":"a.example.com","address":"a:1"}`, 400, "invalid_body",
			[]string{`unknown key "Host": did you mean "host"?`},
		},
		{
			"key twice", `{"host":"a.example.com","host":"b.example.com","address":"a:1"}`, 400, "invalid_body",
			[]string{`the key "host" is already set at`},
		},
		{
			"wrong type", `{"host":5,"address":"a:1"}`, 400, "invalid_body",
			[]string{"host: want a string, got a number"},
		},
		{"host empty", `{"host":"","address":"a:1"}`, 400, "invalid_body", []string{"host: must not be empty"}},
		{"address missing", `{"host":"a.example.com"}`, 400, "invalid_body", []string{"address: is required"}},
		{
			"ttl without unit", `{"host":"a.example.com","address":"a:1","ttl":5}`, 400, "invalid_body",
			[]string{"ttl: ", "want a duration"},
		},
		{
			"ttl too short", `{"host":"a.example.com","address":"a:1","ttl":"5ms"}`, 400, "invalid_field",
			[]string{"ttl: must be"},
		},
		{
			"impossible host", `{"host":"a b","address":"a:1"}`, 400, "invalid_field",
			[]string{"host: must be a host name", `"a b"`},
		},
		{
			"wildcard", `{"host":"*.example.com","address":"a:1"}`, 400, "invalid_field",
			[]string{"host: must be one host"},
		},
		{
			"no port", `{"host":"a.example.com","address":"localhost"}`, 400, "invalid_field",
			[]string{"address: must be host:port", `"localhost"`},
		},
		{
			"port 0", `{"host":"a.example.com","address":"localhost:0"}`, 400, "invalid_field",
			[]string{"from 1 to 65535"},
		},
		{
			"a URL", `{"host":"a.example.com","address":"http://localhost:1"}`, 400, "invalid_field",
			[]string{"it has a scheme"},
		},
		{"both wrong", `{"host":"a b","address":"localhost"}`, 400, "invalid_field", []string{"host: ", "address: "}},
		{
			"control byte", `{"host":"a.example.com","address":"a:1","name":"a\u0007"}`, 400, "invalid_field",
			[]string{"name: "},
		},
		{
			"configured host", `{"host":"shop.example.com","address":"a:1"}`, 409, "host_taken",
			[]string{"route orders (", "sallyport.yaml:10", "PUT /v1/services/orders/instances/{id}"},
		},
		{"too large", `{"host":"` + strings.Repeat("a", 64<<10) + `"}`, 413, "body_too_large", []string{"64 KiB"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k.t = t
			k.call("POST", "/services", c.body).refused(c.status, c.reason, c.detail...)
			if n := len(k.registry.Registrations()); n != 0 {
				t.Errorf("%d registrations were made", n)
			}
		})
	}
	k.t = t
	p := k.call("POST", "/services", "{\n  \"host\": \"a b\",\n  \"address\": \"a:1\"}").refused(400, "invalid_field")
	if len(p.Errors) != 1 || p.Errors[0].Line != 2 || p.Errors[0].Col != 3 || p.Errors[0].Path != "host" {
		t.Errorf("errors are %+v", p.Errors)
	}
}

func TestStoreThatCannotWrite(t *testing.T) {
	k := started(t, shop)
	k.store.Fail(&store.Error{
		Op: "commit", Path: "/data/sallyport.db", Kind: store.ErrFull, Cause: syscall.ENOSPC,
		Cure: "make room; nothing has to be restarted",
	})
	k.call("POST", "/services", mail).refused(503, "store_failed", "/data/sallyport.db", "disk full", "make room")
	k.call("PUT", "/v1/services/a", `{"instances":[{"address":"a:1"}]}`).refused(503, "store_failed", "make room")
	if log := k.log.String(); !strings.Contains(log, "result=store_failed") ||
		!strings.Contains(log, "admin call failed") {
		t.Errorf("the log does not tell: %s", log)
	}
	k.store.Fail(nil)
	k.call("POST", "/services", mail).want(201)
}

func TestNothingBeforeTheConfigurationIsLive(t *testing.T) {
	k := newKit(t, shop)
	k.call("POST", "/services", mail).refused(503, "not_ready")
	k.call("GET", "/v1/status", "").refused(503, "not_ready")
	if r := k.call("GET", "/readyz", ""); r.status != 503 || !strings.Contains(r.body, "not live yet") {
		t.Errorf("readyz: %d %s", r.status, r.body)
	}
	if err := k.control.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.call("GET", "/readyz", "").want(200)
	k.draining.Store(true)
	if r := k.call("GET", "/readyz", ""); r.status != 503 || !strings.Contains(r.body, "draining") {
		t.Errorf("readyz: %d %s", r.status, r.body)
	}
	k.call("GET", "/livez", "").want(200)
	k.call("POST", "/services", mail).want(201) // still answers
}

func TestUnknownPathsAndMethods(t *testing.T) {
	k := started(t, shop)
	for path, hint := range map[string]string{
		"/servces":              `did you mean "/services"?`,
		"/routes":               `did you mean "/v1/routes"?`,
		"/services/":            `did you mean "/services"?`,
		"/v1/service/orders":    `did you mean "/v1/services/orders"?`,
		"/v1/services/a/instnc": `did you mean "/v1/services/a/instances"?`,
		"//services":            `did you mean`,
		"/nothing/like/it/here": "GET /v1/openapi.json",
	} {
		k.call("GET", path, "").refused(404, "unknown_path", hint)
	}
	for _, c := range []struct{ method, path, allow string }{
		{"PUT", "/services", "GET, HEAD, POST"},
		{"OPTIONS", "/v1/config", "GET, HEAD, PUT"},
		{"POST", "/health/check", "GET, HEAD"},
		{"GET", "/v1/services/a/instances/b/drain", "POST, PUT"},
	} {
		r := k.call(c.method, c.path, "")
		r.refused(405, "method_not_allowed", c.method)
		if got := r.header.Get("Allow"); got != c.allow {
			t.Errorf("%s %s: Allow is %q, want %q", c.method, c.path, got, c.allow)
		}
	}
}

func TestUnknownParametersAreRefused(t *testing.T) {
	k := started(t, shop)
	k.call("PUT", "/v1/services/a?dryrun=true", `{}`).refused(400, "invalid_parameter",
		`unknown query parameter "dryrun": did you mean "dry_run"?`)
	k.call("PUT", "/v1/services/a?dry_run=maybe", `{}`).refused(400, "invalid_parameter", "want true or false")
	k.call("GET", "/v1/services?limit=1&limit=2", "").refused(400, "invalid_parameter", "there 2 times")
	k.call("GET", "/v1/services?%zz", "").refused(400, "invalid_parameter", "query")
	k.call("DELETE", "/services/x?dry_run=true", "").refused(400, "invalid_parameter", "dry_run")
}

func TestChangesAreLogged(t *testing.T) {
	k := started(t, shop)
	k.call("POST", "/services", mail, "X-Request-ID", "me-1").want(201)
	k.call("POST", "/services", `{}`, "X-Request-ID", "me-2").want(400)
	k.call("GET", "/services", "", "X-Request-ID", "me-3").want(200)
	log := k.log.String()
	for _, want := range []string{
		`msg="admin call" call=register method=POST path=/services remote=192.0.2.1:1234 client="" dry_run=false status=201 result=done request_id=me-1`,
		`status=400 result=invalid_body request_id=me-2`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in %s", want, log)
		}
	}
	if strings.Contains(log, "me-3") {
		t.Error("a call that changes nothing was logged")
	}
}
