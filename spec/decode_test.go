package spec_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asynched/api-gateway/spec"
)

type shop struct {
	Version  int                `json:"version" required:"true" enum:"1"`
	Defaults defaultsOf         `json:"defaults"`
	Services map[string]service `json:"services" keys:"name"`
	Routes   map[string]*route  `json:"routes"`
	Sample   float64            `json:"sample" default:"1" min:"0" max:"1"`
	Token    spec.Secret        `json:"token" minlen:"8"`
	Trusted  []spec.CIDR        `json:"trusted"`
	Until    time.Time          `json:"until"`
}

type defaultsOf struct {
	Service service `json:"service"`
}

type named struct {
	Name string `json:"name" pattern:"^[a-z]+$"`
}

type service struct {
	named
	Address   string            `json:"address" required:"true" check:"hostport"`
	Policy    string            `json:"policy" default:"p2c" enum:"p2c,random,round-robin"`
	Weight    int               `json:"weight" default:"1" min:"1" max:"100"`
	Timeouts  timeouts          `json:"timeouts"`
	Statuses  []string          `json:"statuses" default:"502,503" maxitems:"3" pattern:"^[0-9]{3}$"`
	Metadata  map[string]string `json:"metadata"`
	KeepAlive *bool             `json:"keep_alive" default:"true"`
	TLS       *tlsOf            `json:"tls"`
	Port      uint16            `json:"port"`
	Share     spec.Percent      `json:"share" max:"50%"`
	Limit     spec.Size         `json:"limit" default:"10MiB" min:"1KiB"`
}

type timeouts struct {
	Connect spec.Duration `json:"connect" default:"2s" max:"1m"`
	Request spec.Duration `json:"request" default:"30s"`
	Offset  spec.Duration `json:"offset" min:"-1h"`
}

func (t *timeouts) Check(c *spec.Checks) {
	if c.OK("connect", "request") && t.Connect > t.Request {
		c.Errorf("connect", "is longer than request, %s", t.Request)
	}
}

type tlsOf struct {
	Cert string `json:"cert" required:"true"`
	Key  string `json:"key" default:"key.pem"`
}

type route struct {
	Service string `json:"service"`
	Filters steps  `json:"filters"`
}

// steps are written as a list of maps with one key.
type steps []step

type step struct {
	Kind   string
	Header string
}

func (s *steps) DecodeNode(d *spec.Decoder, n *spec.Node, path string) {
	kinds, _ := spec.Value[[]string](d)
	if n.Kind != spec.List {
		d.Errorf(n, path, "want a list of filters, got %s", n.Kind)
		return
	}
	*s = nil
	for i, item := range n.Items {
		at := spec.Index(path, i)
		if item.Kind != spec.Map || len(item.Fields) != 1 {
			d.Errorf(item, at, "want one filter such as {%s: {}}", kinds[0])
			continue
		}
		f := item.Fields[0]
		var config cacheOf
		d.Decode(f.Value, at, &config)
		*s = append(*s, step{f.Key, config.Header})
	}
}

func (s *shop) Check(c *spec.Checks) {
	for name, r := range s.Routes {
		if _, ok := s.Services[r.Service]; !ok {
			c.Errorf(spec.Key("routes", name)+".service", "there is no service %q", r.Service)
		}
	}
}

func decodeShop(t *testing.T, text string) (*shop, spec.Errors) {
	t.Helper()
	n, errs := spec.ParseYAML("f", []byte(text))
	if errs != nil {
		t.Fatal(errs)
	}
	s := new(shop)
	spec.Defaults(s)
	errs = spec.Decode(n, s, spec.Options{
		Values: []any{[]string{"cache"}},
		New: func(_ string, t reflect.Type) any {
			if t == reflect.TypeFor[service]() {
				copied := s.Defaults.Service
				return &copied
			}
			return nil
		},
	})
	return s, errs
}

func TestDecodeLayersDefaults(t *testing.T) {
	s, errs := decodeShop(t, `
version: 1
services:
  a: {address: "x:1", timeouts: {connect: 1s}, metadata: {k: v}}
  b: {address: "y:2", statuses: ["500"], tls: {key: b.pem}, keep_alive: null}
defaults:
  service:
    address: "default:1"
    policy: random
    tls: {cert: c.pem}
    timeouts: {request: 10s, offset: -5m}
trusted: [10.0.0.0/8, "::1"]
until: 2027-01-01T00:00:00Z
`)
	if errs != nil {
		t.Fatal(errs)
	}
	a, b := s.Services["a"], s.Services["b"]
	yes := true
	want := service{
		Address: "x:1", Policy: "random", Weight: 1, Statuses: []string{"502", "503"}, KeepAlive: &yes,
		Metadata: map[string]string{"k": "v"}, TLS: &tlsOf{"c.pem", "key.pem"}, Limit: 10 << 20,
		Timeouts: timeouts{spec.Duration(time.Second), spec.Duration(10 * time.Second), spec.Duration(-5 * time.Minute)},
	}
	if diff := cmp.Diff(want, a, cmp.AllowUnexported(service{}, named{})); diff != "" {
		t.Error(diff)
	}
	if !cmp.Equal(b.Statuses, []string{"500"}) || *b.TLS != (tlsOf{"c.pem", "b.pem"}) || !*b.KeepAlive {
		t.Errorf("got %+v, %+v", b, b.TLS)
	}
	if *s.Defaults.Service.TLS != (tlsOf{"c.pem", "key.pem"}) {
		t.Errorf("decoding a service changed the defaults: %+v", s.Defaults.Service.TLS)
	}
	if s.Sample != 1 || fmt.Sprint(s.Trusted) != "[10.0.0.0/8 ::1]" || s.Until.Year() != 2027 {
		t.Errorf("got %+v", s)
	}
}

func TestDecodeErrors(t *testing.T) {
	// The address and the version are there unless a case is about them.
	in := func(lines ...string) string {
		return "version: 1\nservices:\n  a:\n    address: x:1\n    " + strings.Join(lines, "\n    ")
	}
	tests := map[string]struct{ text, want string }{
		"unknown, near":     {in("adress: x:2"), `f:5:5: services.a.adress: unknown key "adress": did you mean "address"?`},
		"unknown, style":    {in("keepAlive: true"), `f:5:5: services.a.keepAlive: unknown key "keepAlive": did you mean "keep_alive"?`},
		"unknown, case":     {in("Weight: 3"), `f:5:5: services.a.Weight: unknown key "Weight": did you mean "weight"?`},
		"unknown, few":      {in("tls: {cert: x, bogus: 1}"), `f:5:20: services.a.tls.bogus: unknown key "bogus": want one of cert, key`},
		"unknown, many":     {in("bogus: 1"), `f:5:5: services.a.bogus: unknown key "bogus"`},
		"list":              {in("statuses: x"), `f:5:15: services.a.statuses: want a list, got a string`},
		"map":               {in("timeouts: [1]"), `f:5:15: services.a.timeouts: want a map, got a list`},
		"string, number":    {in("policy: 5"), `f:5:13: services.a.policy: want a string, got a number: put 5 in quotes`},
		"string, boolean":   {in("policy: true"), `f:5:13: services.a.policy: want a string, got a boolean: put true in quotes`},
		"string, list":      {in("policy: []"), `f:5:13: services.a.policy: want a string, got a list`},
		"boolean":           {in("keep_alive: yes"), `f:5:17: services.a.keep_alive: want true or false, got "yes"`},
		"boolean, number":   {in("keep_alive: 1"), `f:5:17: services.a.keep_alive: want true or false, got 1`},
		"whole":             {in("weight: x"), `f:5:13: services.a.weight: want a whole number, got "x"`},
		"whole, quoted":     {in(`weight: "5"`), `f:5:13: services.a.weight: want a whole number, got "5"`},
		"whole, fraction":   {in("weight: 1.5"), `f:5:13: services.a.weight: want a whole number, got 1.5`},
		"whole, octal":      {in("weight: 010"), `f:5:13: services.a.weight: want a whole number without leading zeros, got 010`},
		"whole, large":      {in("port: 70000"), `f:5:11: services.a.port: want a whole number from 0 to 65535, got 70000`},
		"whole, negative":   {in("port: -1"), `f:5:11: services.a.port: want a whole number from 0 to 65535, got -1`},
		"min":               {in("weight: 0"), `f:5:13: services.a.weight: must be at least 1, got 0`},
		"max":               {in("weight: 101"), `f:5:13: services.a.weight: must be at most 100, got 101`},
		"max, duration":     {in("timeouts: {connect: 2m, request: 3m}"), `f:5:25: services.a.timeouts.connect: must be at most 1m, got "2m"`},
		"min, size":         {in("limit: 5"), `f:5:12: services.a.limit: must be at least 1KiB, got 5`},
		"max, percent":      {in("share: 51%"), `f:5:12: services.a.share: must be at most 50%, got "51%"`},
		"enum":              {in("policy: round_robin"), `f:5:13: services.a.policy: want one of p2c, random, round-robin, got "round_robin": did you mean "round-robin"?`},
		"enum, number":      {"version: 2", `f:1:10: version: want 1, got 2`},
		"pattern":           {in("name: A1"), `f:5:11: services.a.name: must match ^[a-z]+$, got "A1"`},
		"pattern of item":   {in(`statuses: ["502", x]`), `f:5:23: services.a.statuses[1]: must match ^[0-9]{3}$, got "x"`},
		"maxitems":          {in(`statuses: ["501","502","503","504"]`), `f:5:15: services.a.statuses: must have at most 3 items, has 4`},
		"null item":         {in(`statuses: [~]`), `f:5:16: services.a.statuses[0]: want a string, got null`},
		"null entry":        {in("metadata: {k: }"), `f:5:19: services.a.metadata.k: want a string, got null`},
		"duration":          {in("timeouts: {connect: soon}"), `f:5:25: services.a.timeouts.connect: want a duration such as 250ms, 5s or 1h, got "soon"`},
		"duration, unit":    {in("timeouts: {connect: 5}"), `f:5:25: services.a.timeouts.connect: want a duration such as 250ms, 5s or 1h: the unit is missing, got 5`},
		"duration, list":    {in("timeouts: {connect: []}"), `f:5:25: services.a.timeouts.connect: want a duration, got a list`},
		"duration, less":    {in("timeouts: {request: -5s}"), `f:5:25: services.a.timeouts.request: must not be negative, got "-5s"`},
		"duration, minimum": {in("timeouts: {offset: -2h}"), `f:5:24: services.a.timeouts.offset: must be at least -1h, got "-2h"`},
		"checker":           {in("timeouts: {connect: 45s}"), `f:5:16: services.a.timeouts.connect: is longer than request, 30s`},
		"checker, inherits": {in("timeouts: {request: 1s}"), `f:5:5: services.a.timeouts.connect: is longer than request, 1s`},
		"required":          {"version: 1\nservices: {a: {}}", `f:2:15: services.a.address: is required`},
		"required, null":    {"version: 1\nservices:\n  a:\n", `f:3:3: services.a.address: is required`},
		"required, empty":   {"version: 1\nservices: {a: {address: ''}}", `f:2:16: services.a.address: must not be empty`},
		"required, root":    {"sample: 0.5", `f:1:1: version: is required`},
		"required, pointer": {in("tls: {}"), `f:5:10: services.a.tls.cert: is required`},
		"key":               {"version: 1\nservices: {'a b': {address: 'x:1'}}", `f:2:12: services["a b"]: want a name of letters, digits, '.', '_' and '-', got "a b"`},
		"secret":            {"version: 1\ntoken: short", `f:2:8: token: must have at least 8 characters, has 5`},
		"secret, hidden":    {"version: 1\ntoken: '***'", `f:2:8: token: *** stands for a secret that is not shown: write the secret or a reference such as ${NAME}`},
		"number":            {"version: 1\nsample: .nan", `f:2:9: sample: want a number, got .nan`},
		"time":              {"version: 1\nuntil: tomorrow", `f:2:8: until: want a time such as 2027-01-31T12:00:00Z, got "tomorrow"`},
		"cidr":              {"version: 1\ntrusted: [10.1.0.0/8]", `f:2:11: trusted[0]: "10.1.0.0/8" has bits beyond its length: did you mean "10.0.0.0/8"?`},
		"custom":            {in("") + "\nroutes: {r: {service: a, filters: [{cache: {}}, {cache: {header: 'a b'}}, {}]}}", "f:6:66: routes.r.filters[1].header: want a header name such as X-Api-Key, got \"a b\"\nf:6:75: routes.r.filters[2]: want one filter such as {cache: {}}"},
		"dangling":          {in("") + "\nroutes: {\"r.1\": {service: b}}", `f:6:18: routes["r.1"].service: there is no service "b"`},
		"dangling, absent":  {in("") + "\nroutes: {r: {}}", `f:6:10: routes.r.service: there is no service ""`},
		"all at once":       {"sampel: 1\nservices: {a: {weight: 0, address: y}}", "f:1:1: sampel: unknown key \"sampel\": did you mean \"sample\"?\nf:1:1: version: is required\nf:2:24: services.a.weight: must be at least 1, got 0\nf:2:36: services.a.address: want host:port such as 127.0.0.1:3001, got \"y\""},
		"root":              {"[1]", `f:1:1: want a map, got a list`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, errs := decodeShop(t, tt.text)
			if diff := cmp.Diff(tt.want, errs.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestErrorsAreErrors(t *testing.T) {
	_, errs := decodeShop(t, "{version: 2, sample: 2}")
	var one *spec.Error
	if !errors.As(errs.Err(), &one) || one.Path != "version" || len(errs.Unwrap()) != 2 {
		t.Errorf("got %v", errs)
	}
	if spec.Errors(nil).Err() != nil || (spec.Errors{}).Err() != nil {
		t.Error("no errors are an error")
	}
	b, err := one.MarshalJSON()
	if want := `{"file":"f","line":1,"col":11,"path":"version","message":"want 1, got 2"}`; err != nil || string(b) != want {
		t.Errorf("got %s, %v", b, err)
	}
}
