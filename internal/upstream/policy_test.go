package upstream_test

import (
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// held is the body of an answer that stays open until the test closes it.
type held struct{ io.Reader }

func (held) Close() error { return nil }

func holding(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: make(http.Header), Body: held{strings.NewReader("")}, ContentLength: -1, Request: r}, nil
}

// spread sends n exchanges, keeps up to open of them open, and returns how many each instance got.
func spread(t testing.TB, s *upstream.Service, n, open int, change func(n int, x *exchange.Exchange)) map[string]int {
	t.Helper()
	got := map[string]int{}
	var waiting []*http.Response
	for k := range n {
		x := newExchange(http.MethodGet, "/", nil)
		if change != nil {
			change(k, x)
		}
		resp, err := s.Handle(x)
		if err != nil {
			t.Fatal(err)
		}
		got[x.Instance]++
		if waiting = append(waiting, resp); len(waiting) > open {
			at := rand.IntN(len(waiting))
			waiting[at].Body.Close()
			waiting = append(waiting[:at], waiting[at+1:]...)
		}
	}
	for _, resp := range waiting {
		resp.Body.Close()
	}
	return got
}

// clients makes each exchange come from an address of its own, so that a hash of it spreads.
func clients(n int, x *exchange.Exchange) {
	x.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 1)
}

func weighted(weights ...int) []upstream.Description {
	var all []upstream.Description
	for n, w := range weights {
		all = append(all, upstream.Description{ID: string(rune('a' + n)), Service: "s", Address: fmt.Sprint("h:", n+1), Weight: w})
	}
	return all
}

// TestShares holds every policy to the weights, idle and with open requests, as far as latency does not say otherwise.
func TestShares(t *testing.T) {
	const n = 5000
	for _, policy := range []string{"p2c", "random", "round-robin", "least-request", "hash"} {
		for _, weights := range [][]int{{1, 1, 1}, {1}, {5, 1}, {6, 3, 2, 1}, {1, 0, 1}, {3, 3, 3, 3, 3, 3, 3, 3, 3}} {
			for _, open := range []int{0, 60} {
				t.Run(fmt.Sprint(policy, weights, open), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { // all latencies are the same: no time passes
						r := newRig(t).stub(holding)
						s := r.service(func(c *config.Service) { c.Balance.Policy = policy })
						s.Group().Update(weighted(weights...))
						got := spread(t, s, n, open, clients)
						sum := 0
						for _, w := range weights {
							sum += w
						}
						for k, w := range weights {
							want := float64(n) * float64(w) / float64(sum)
							if diff := math.Abs(float64(got[string(rune('a'+k))]) - want); diff > 0.14*want+60 {
								t.Errorf("shares %v, want as %v", got, weights)
								break
							}
						}
					})
				})
			}
		}
	}
}

func TestRoundRobinIsSmooth(t *testing.T) {
	r := newRig(t).stub(canned)
	s := r.service(func(c *config.Service) { c.Balance.Policy = "round-robin" })
	s.Group().Update(weighted(5, 1, 1))
	order := ""
	for range 21 {
		x := newExchange(http.MethodGet, "/", nil)
		if _, err := s.Handle(x); err != nil {
			t.Fatal(err)
		}
		order += x.Instance
	}
	if !strings.Contains(order, "aabacaa") || strings.Contains(order, "aaaaa") {
		t.Errorf("order %s", order)
	}
	for _, weights := range [][]int{{65535, 1}, {1000, 999, 998}} {
		s.Group().Update(weighted(weights...))
		got := spread(t, s, 20000, 0, nil)
		if weights[1] == 1 && (got["b"] == 0 || got["b"] > 20) || weights[1] > 1 && math.Abs(float64(got["a"]-got["c"])) > 100 {
			t.Errorf("weights %v: %v", weights, got)
		}
	}
	many := make([]int, 300)
	for n := range many {
		many[n] = 1 + n%3
	}
	s.Group().Update(weightedIDs(many))
	got := spread(t, s, 6000, 0, nil)
	for n, w := range many {
		if got[fmt.Sprint("i", n)] != 10*w {
			t.Fatalf("one of %d with weight %d got %d", len(many), w, got[fmt.Sprint("i", n)])
		}
	}
}

func weightedIDs(weights []int) []upstream.Description {
	var all []upstream.Description
	for n, w := range weights {
		all = append(all, upstream.Description{ID: fmt.Sprint("i", n), Service: "s", Address: fmt.Sprint("h:", n+1), Weight: w})
	}
	return all
}

func TestP2CPrefersQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).stub(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "h:1" {
				time.Sleep(20 * time.Millisecond)
			} else {
				time.Sleep(time.Millisecond)
			}
			return canned(r)
		})
		s := r.service(nil, "h:1", "h:2", "h:3")
		got := spread(t, s, 2000, 0, nil)
		if got["a"] == 0 || got["a"] > 100 || got["b"] < 700 || got["c"] < 700 {
			t.Errorf("shares %v: want the slow one to get few, and be asked now and then", got)
		}
		if l := instance(t, s.Group(), "a").Live().Latency; l < time.Millisecond {
			t.Errorf("latency %v", l)
		}
	})
}

// TestP2CNewcomer checks that an instance without a latency gets its share: neither all nor nothing.
func TestP2CNewcomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).stub(func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Millisecond)
			return holding(r)
		})
		s := r.service(nil, "h:1", "h:2")
		spread(t, s, 200, 4, nil)
		s.Group().Update(described("h:1", "h:2", "h:3"))
		var open []*http.Response
		got := 0
		for range 30 { // the new one's answers do not end
			x := newExchange(http.MethodGet, "/", nil)
			resp, err := s.Handle(x)
			if err != nil {
				t.Fatal(err)
			}
			if x.Instance == "c" {
				got++
			}
			open = append(open, resp)
		}
		if got < 4 || got > 20 {
			t.Errorf("the new one got %d of 30", got)
		}
		for _, resp := range open {
			resp.Body.Close()
		}
	})
}

// TestFailingIsNotQuick checks that an instance that refuses at once does not draw all requests.
func TestFailingIsNotQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).stub(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "h:1" {
				return nil, io.EOF
			}
			time.Sleep(time.Millisecond)
			return canned(r)
		})
		s := r.service(func(c *config.Service) { c.Retries.Attempts, c.Health.Passive.ConsecutiveErrors = 1, 0 }, "h:1", "h:2", "h:3")
		failed := 0
		for range 1000 {
			if _, err := get(t, s, "/"); err != nil {
				failed++
			}
		}
		if failed > 50 {
			t.Errorf("%d of 1000 were sent to the one that fails", failed)
		}
	})
}

func TestLeastRequest(t *testing.T) {
	for _, n := range []int{3, 20} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t).stub(holding)
			s := r.service(func(c *config.Service) { c.Balance.Policy = "least-request" })
			s.Group().Update(weighted(make([]int, n)...))
			all := weightedIDs(make([]int, n))
			for k := range all {
				all[k].Weight = 1
			}
			s.Group().Update(all)
			var open []*http.Response
			got := map[string]int{}
			for range 10 * n {
				x := newExchange(http.MethodGet, "/", nil)
				resp, err := s.Handle(x)
				if err != nil {
					t.Fatal(err)
				}
				open = append(open, resp)
				got[x.Instance]++
			}
			for id, c := range got {
				if n == 3 && c != 10 || c < 6 || c > 14 {
					t.Errorf("%d instances: %s has %d open, want about 10", n, id, c)
				}
			}
			for _, resp := range open {
				resp.Body.Close()
			}
		})
	}
}

func TestHashKeepsKeys(t *testing.T) {
	keys := map[string]func(n int, x *exchange.Exchange){
		"client_ip":   clients,
		"path":        func(n int, x *exchange.Exchange) { x.Path = fmt.Sprint("/", n) },
		"header:x-id": func(n int, x *exchange.Exchange) { x.Request.Header.Set("X-Id", fmt.Sprint(n)) },
		"cookie:sid": func(n int, x *exchange.Exchange) {
			x.Request.Header.Set("Cookie", fmt.Sprintf("a=b; sid=%d; sid=other", n))
		},
		"query:user": func(n int, x *exchange.Exchange) { x.Request.URL.RawQuery = fmt.Sprintf("a=b&us%%65r=%d", n) },
	}
	for key, set := range keys {
		t.Run(key, func(t *testing.T) {
			r := newRig(t).stub(canned)
			s := r.service(func(c *config.Service) { c.Balance.Policy, c.Balance.Hash.Key = "hash", key }, "h:1", "h:2", "h:3", "h:4", "h:5")
			where := func() map[int]string {
				m := map[int]string{}
				for n := range 500 {
					x := newExchange(http.MethodGet, "/", nil)
					set(n, x)
					if _, err := s.Handle(x); err != nil {
						t.Fatal(err)
					}
					m[n] = x.Instance
				}
				return m
			}
			moved := func(a, b map[int]string, from string) (n int) {
				for k := range a {
					if a[k] != b[k] && a[k] != from {
						n++
					}
				}
				return n
			}
			before := where()
			if n := moved(before, where(), ""); n != 0 {
				t.Errorf("%d keys moved although nothing changed", n)
			}
			s.Group().SetHealth("c", upstream.Unhealthy, "x")
			down := where()
			if n := moved(before, down, "c"); n != 0 {
				t.Errorf("%d keys of others moved when one went down", n)
			}
			spreadOver := map[string]bool{}
			for k := range before {
				if before[k] == "c" {
					spreadOver[down[k]] = true
				}
			}
			if len(spreadOver) != 4 || spreadOver["c"] {
				t.Errorf("the keys of the one that is down went to %v", spreadOver)
			}
			s.Group().SetHealth("c", upstream.Healthy, "")
			if n := moved(before, where(), ""); n != 0 {
				t.Errorf("%d keys moved after it was back", n)
			}
			s.Group().Update(described("h:1", "h:2", "h:3", "h:4")) // e is gone
			if n := moved(before, where(), "e"); n > 25 {
				t.Errorf("%d of 500 keys of others moved when one was removed", n)
			}
		})
	}
}

func TestHashBoundsLoad(t *testing.T) {
	r := newRig(t).stub(holding)
	s := r.service(func(c *config.Service) { c.Balance.Policy = "hash" }, "h:1", "h:2", "h:3", "h:4")
	open := map[string]int{}
	var all []*http.Response
	for range 400 { // all by one client
		x := newExchange(http.MethodGet, "/", nil)
		resp, err := s.Handle(x)
		if err != nil {
			t.Fatal(err)
		}
		open[x.Instance]++
		all = append(all, resp)
		for id, n := range open {
			if float64(n) > math.Ceil(1.25*float64(len(all))/4) {
				t.Fatalf("%s has %d of %d open", id, n, len(all))
			}
		}
	}
	for _, resp := range all {
		resp.Body.Close()
	}
	first, second := newExchange(http.MethodGet, "/", nil), newExchange(http.MethodGet, "/", nil)
	if _, err := get(t, s, "/"); err != nil {
		t.Fatal(err)
	}
	_, _ = do(t, s, first)
	_, _ = do(t, s, second)
	if first.Instance != second.Instance {
		t.Error("one client went to two instances although nothing is open")
	}
}

func TestSlowStart(t *testing.T) {
	for _, policy := range []string{"p2c", "random", "round-robin", "least-request"} {
		t.Run(policy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t).stub(canned)
				s := r.service(func(c *config.Service) {
					c.Balance.Policy, c.Balance.SlowStart = policy, spec.Duration(10*time.Second)
				}, "h:1")
				time.Sleep(time.Minute)
				s.Group().Update(described("h:1", "h:2"))
				for _, step := range []struct {
					wait     time.Duration
					from, to float64
				}{{0, 0.03, 0.15}, {5 * time.Second, 0.26, 0.40}, {6 * time.Second, 0.44, 0.56}} {
					time.Sleep(step.wait)
					got := float64(spread(t, s, 4000, 0, nil)["b"]) / 4000
					if got < step.from || got > step.to {
						t.Errorf("after %v more the new one gets %.2f, want %.2f to %.2f", step.wait, got, step.from, step.to)
					}
				}
			})
		})
	}
}

func TestEligible(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*config.Service)
		do     func(*upstream.Group)
		want   string // who gets traffic, or the reason of the error
	}{
		"unknown gets traffic":      {do: func(g *upstream.Group) {}, want: "a b c"},
		"unhealthy does not":        {do: down("a"), want: "b c"},
		"draining does not":         {do: func(g *upstream.Group) { drain(g, "b") }, want: "a c"},
		"all unhealthy":             {do: down("a", "b", "c"), want: "no_healthy_instance"},
		"all draining":              {do: func(g *upstream.Group) { drain(g, "a"); drain(g, "b"); drain(g, "c") }, want: "no_instance"},
		"draining or unhealthy":     {do: func(g *upstream.Group) { drain(g, "a"); drain(g, "b"); down("c")(g) }, want: "no_healthy_instance"},
		"weight 0":                  {do: func(g *upstream.Group) { g.Update(weighted(0, 0, 0)) }, want: "no_instance"},
		"none":                      {do: func(g *upstream.Group) { g.Update(nil) }, want: "no_instance"},
		"ejected":                   {do: eject("a"), want: "b c"},
		"above the panic threshold": {change: panicAt(50), do: down("a"), want: "b c"},
		"below the panic threshold": {change: panicAt(50), do: down("a", "b"), want: "a b c"},
		"panic with all down":       {change: panicAt(50), do: down("a", "b", "c"), want: "a b c"},
		"panic spares draining":     {change: panicAt(50), do: func(g *upstream.Group) { drain(g, "c"); down("a", "b")(g) }, want: "a b"},
	} {
		for _, policy := range []string{"p2c", "random", "round-robin", "least-request", "hash"} {
			t.Run(name+" "+policy, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t).stub(canned)
					s := r.service(func(c *config.Service) {
						c.Balance.Policy = policy
						if test.change != nil {
							test.change(c)
						}
					}, "h:1", "h:2", "h:3")
					spread(t, s, 3, 0, nil) // a picker is there already
					test.do(s.Group())
					if got := whoGets(s, 200); got != test.want {
						t.Errorf("got %v, want %v", got, test.want)
					}
				})
			})
		}
	}
}

// whoGets returns who gets any of n requests, or why they fail.
func whoGets(s *upstream.Service, n int) string {
	got := map[string]bool{}
	for n := range n {
		x := newExchange(http.MethodGet, "/", nil)
		clients(n, x)
		if _, err := s.Handle(x); err != nil {
			got[string(err.(*exchange.Error).Reason)] = true
		} else {
			got[x.Instance] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(got)), " ")
}

func down(ids ...string) func(*upstream.Group) {
	return func(g *upstream.Group) {
		for _, id := range ids {
			g.SetHealth(id, upstream.Unhealthy, "x")
		}
	}
}

func eject(id string) func(*upstream.Group) {
	return func(g *upstream.Group) {
		i, _ := g.Set().Instance(id)
		g.Report(i, true, &upstream.Ejection{After: 1, For: time.Hour, Most: 0.5})
	}
}

func panicAt(percent spec.Percent) func(*config.Service) {
	return func(c *config.Service) { c.Balance.Panic = percent }
}

func TestSplit(t *testing.T) {
	got := map[string]int{}
	named := func(name string) exchange.Handler {
		return exchange.HandlerFunc(func(*exchange.Exchange) (*http.Response, error) { got[name]++; return nil, nil })
	}
	h, err := upstream.Split([]upstream.Share{{"a", 90, named("a")}, {"b", 10, named("b")}, {"c", 0, named("c")}})
	if err != nil {
		t.Fatal(err)
	}
	for range 10000 {
		_, _ = h.Handle(newExchange(http.MethodGet, "/", nil))
	}
	if got["c"] != 0 || got["b"] < 850 || got["b"] > 1150 {
		t.Errorf("shares %v", got)
	}
	if _, err := upstream.Split([]upstream.Share{{"a", 0, named("a")}}); err == nil {
		t.Error("no error although none has a weight")
	}
}
