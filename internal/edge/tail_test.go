package edge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/tail"
)

const watched = `
listeners: {web: {address: "127.0.0.1:0"}}
services: {origin: {instances: [{address: "$origin"}], health: {active: {type: none}}}}
routes:
  orders: {match: {paths: [/orders/*]}, service: origin, filters: [{headers: {request: {set: {X-A: b}}}}]}
  hello: {match: {paths: [/hello]}, respond: {body: hello}}
`

// watch joins those who watch.
func (g *gate) watch(query string) *tail.Subscription {
	g.t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		g.t.Fatal(err)
	}
	f, err := tail.Parse(values)
	if err != nil {
		g.t.Fatal(err)
	}
	s, err := g.edge.Tail().Join(f)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(s.Leave)
	return s
}

// A told exchange is what a line says of one.
type told struct {
	Path, Route, Service, Address, Source, Reason, Error string
	Status                                               int
	Steps                                                []exchange.Step
}

// told returns the next exchanges that a watcher is told of, n of them.
func (g *gate) told(s *tail.Subscription, n int) (all []told) {
	g.t.Helper()
	for len(all) < n {
		text, _, err := s.Next(g.t.Context())
		if err != nil {
			g.t.Fatal(err)
		}
		for row := range strings.Lines(string(text)) {
			var one told
			if err := json.Unmarshal([]byte(row), &one); err != nil {
				g.t.Fatalf("%v in %q", err, row)
			}
			all = append(all, one)
		}
	}
	return all
}

func (g *gate) get(path string) {
	g.t.Helper()
	resp, err := http.Get(g.url(path))
	if err != nil {
		g.t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// Who watches is told of what it wants to know, although there is no access log; and why, if it asks.
func TestWatching(t *testing.T) {
	g := start(t, watched, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	orders, missing, explained := g.watch("route=orders"), g.watch("reason=no_route&explain=true"), g.watch("explain=true&path=/orders/*")
	for _, path := range []string{"/hello", "/orders/1?a=b", "/nowhere"} {
		g.get(path)
	}
	if one := g.told(orders, 1)[0]; one.Path != "/orders/1" || one.Status != http.StatusTeapot || one.Service != "origin" ||
		one.Source != "upstream" || one.Steps != nil {
		t.Errorf("of orders: %+v", one)
	}
	if one := g.told(missing, 1)[0]; one.Path != "/nowhere" || one.Status != http.StatusNotFound || one.Reason != "no_route" ||
		!strings.Contains(one.Error, "nothing serves") || len(one.Steps) != 1 || one.Steps[0].Verdict != "lost" {
		t.Errorf("of what nothing serves: %+v", one)
	}
	one := g.told(explained, 1)[0]
	var steps []string
	for _, s := range one.Steps {
		steps = append(steps, fmt.Sprintf("%s %s %s", s.Stage, s.Subject, s.Verdict))
	}
	want := "match orders won, filter headers changes the request, balance " + one.Address + " picked, attempt " + one.Address + " answered"
	if got := strings.Join(steps, ", "); got != want {
		t.Errorf("the steps are %s, want %s", got, want)
	}
}

// A request that nobody watches has no decision record, and what it costs is the same whether somebody watches others or not.
func TestWatchingOthersCostsNothing(t *testing.T) {
	g := startAt(t, manyRoutes+"\naccess_log: {path: /dev/null}\n", fixedOrigin(t))
	once := caller(t, g.address())
	for range 50 {
		once()
	}
	without := testing.AllocsPerRun(300, once)
	g.watch("status=5xx&route=carts,re*&explain=true&path=/api/carts/*")
	with := testing.AllocsPerRun(300, once)
	if with > without+1 { // pools lose something now and then; a decision record alone would be more
		t.Errorf("%.0f allocations a request with nobody there, %.0f with one who wants something else", without, with)
	}
}
