package spec_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

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

func seconds(n int) spec.Duration { return spec.Duration(n) * spec.Duration(time.Second) }

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
		Timeouts: timeouts{seconds(1), seconds(10), seconds(-300)},
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

// The file has the configurations and the exact messages, one after the other.
func TestDecodeErrors(t *testing.T) {
	cases, err := txtar.ParseFile("testdata/decode.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(cases.Files); i += 2 {
		given, want := cases.Files[i], cases.Files[i+1]
		t.Run(given.Name, func(t *testing.T) {
			_, errs := decodeShop(t, string(given.Data))
			if diff := cmp.Diff(strings.TrimSpace(string(want.Data)), errs.Error()); diff != "" {
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
	want := `{"file":"f","line":1,"col":11,"path":"version","message":"want 1, got 2"}`
	if err != nil || string(b) != want {
		t.Errorf("got %s, %v", b, err)
	}
}
