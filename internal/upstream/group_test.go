package upstream_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/asynched/api-gateway/internal/upstream"
)

func ids(s *upstream.Set) string {
	var all []string
	for _, i := range s.Instances() {
		all = append(all, i.ID)
	}
	return strings.Join(all, " ")
}

func instance(t testing.TB, g *upstream.Group, id string) *upstream.Instance {
	t.Helper()
	i, ok := g.Set().Instance(id)
	if !ok {
		t.Fatalf("no instance %s", id)
	}
	return i
}

func TestUpdate(t *testing.T) {
	g := newRig(t).groups.Group("s")
	if g.Set().Len() != 0 || g.Update(nil) {
		t.Error("a new group is not empty, or an empty update changed it")
	}
	all := described("h:1", "h:2", "h:3")
	slices.Reverse(all)
	if !g.Update(all) || ids(g.Set()) != "a b c" {
		t.Fatalf("instances %q", ids(g.Set()))
	}
	set := g.Set()
	if g.Update(all) || g.Set() != set {
		t.Error("the same again made a new set")
	}

	g.SetHealth("a", upstream.Unhealthy, "refused")
	g.SetHealth("b", upstream.Unhealthy, "refused")
	before := instance(t, g, "a")
	all = described("h:1", "h:9", "h:3")
	all[0].Weight = 5
	if !g.Update(all) {
		t.Error("changes went unnoticed")
	}
	a, b := instance(t, g, "a"), instance(t, g, "b")
	if a == before || a.Weight != 5 || a.Status() != upstream.Unhealthy {
		t.Error("another weight: want a new instance with the old state")
	}
	if b.Status() != upstream.Unknown || b.Live().Reason != "" {
		t.Error("another address: want a fresh state")
	}
	if !g.Update(all[1:]) || ids(g.Set()) != "b c" {
		t.Errorf("instances %q", ids(g.Set()))
	}
	twice := append(described("h:9"), described("h:8")...)
	if g.Update(twice); g.Set().Len() != 1 || instance(t, g, "a").Address != "h:8" {
		t.Error("of two with the same id the later one counts")
	}
}

// TestUpdateLikeMap holds Update against a map.
func TestUpdateLikeMap(t *testing.T) {
	r := newRig(t)
	rapid.Check(t, func(t *rapid.T) {
		g := r.groups.Group("s")
		for range 5 {
			want := map[string]upstream.Description{}
			var all []upstream.Description
			for range rapid.IntRange(0, 6).Draw(t, "n") {
				d := upstream.Description{
					ID:      rapid.StringMatching(`[a-e]`).Draw(t, "id"),
					Address: rapid.StringMatching(`h:[12]`).Draw(t, "address"),
					Weight:  rapid.IntRange(0, 2).Draw(t, "weight"),
				}
				want[d.ID] = d
				all = append(all, d)
			}
			before := g.Set()
			g.Update(all)
			got := map[string]upstream.Description{}
			for _, i := range g.Set().Instances() {
				got[i.ID] = i.Description
				old, ok := before.Instance(i.ID)
				if same := ok && cmp.Equal(old.Description, i.Description); same != (old == i) {
					t.Fatalf("%s: same description %v, same instance %v", i.ID, same, old == i)
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatal(d)
			}
		}
	})
}

func TestHealthIsToldOnce(t *testing.T) {
	r := newRig(t)
	g := r.groups.Group("s")
	g.Update(described("h:1", "h:2"))
	set := g.Set()
	g.SetHealth("a", upstream.Healthy, "")
	if g.Set() != set {
		t.Error("from unknown to healthy nothing changes for the balancer")
	}
	for range 3 {
		g.SetHealth("a", upstream.Unhealthy, "connection refused")
	}
	if g.Set() == set {
		t.Error("the set is the old one although an instance is unhealthy")
	}
	set = g.Set()
	g.SetHealth("a", upstream.Unhealthy, "timed out")
	g.SetHealth("gone", upstream.Unhealthy, "timed out")
	if live := instance(t, g, "a").Live(); live.Reason != "timed out" || live.Since.IsZero() {
		t.Errorf("live %+v", live)
	}
	if g.Set() != set {
		t.Error("another reason made a new set")
	}
	g.SetHealth("a", upstream.Healthy, "")
	want := []string{"a unknown -> healthy", "a healthy -> unhealthy", "a unhealthy -> healthy"}
	if d := cmp.Diff(want, r.seen()); d != "" {
		t.Error(d)
	}
	for _, line := range []string{
		`msg="instance health changed" service=s instance=a address=h:1 from=healthy to=unhealthy reason="connection refused"`,
	} {
		if strings.Count(r.logged(), line) != 1 {
			t.Errorf("want once in the log: %s\n%s", line, r.logged())
		}
	}
}

func TestEjection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		g := r.groups.Group("s")
		g.Update(described("h:1", "h:2", "h:3", "h:4"))
		e := &upstream.Ejection{After: 3, For: 10 * time.Second, Most: 0.5}
		fail := func(id string, times int) {
			for range times {
				g.Report(instance(t, g, id), true, e)
			}
		}
		ejected := func(want string) {
			t.Helper()
			var out []string
			for _, i := range g.Set().Instances() {
				if !i.Live().EjectedUntil.IsZero() {
					out = append(out, i.ID)
				}
			}
			if got := strings.Join(out, " "); got != want {
				t.Fatalf("ejected %q, want %q", got, want)
			}
		}
		fail("a", 2)
		g.Report(instance(t, g, "a"), false, e)
		fail("a", 2)
		ejected("") // a success in between
		fail("a", 1)
		fail("b", 3)
		fail("c", 5)
		ejected("a b") // no more than half
		time.Sleep(9 * time.Second)
		ejected("a b")
		time.Sleep(2 * time.Second)
		ejected("")
		fail("c", 1)
		ejected("c") // it went on failing
		fail("a", 1)
		ejected("a c")
		time.Sleep(11 * time.Second)
		ejected("a") // the second time in a row lasts twice as long
		time.Sleep(10 * time.Second)
		ejected("")
		g.Report(instance(t, g, "a"), false, e)
		fail("a", 3)
		ejected("a")
		if until := time.Until(instance(t, g, "a").Live().EjectedUntil); until != 10*time.Second {
			t.Errorf("after a success it begins with the first time again, not %v", until)
		}
		if n := strings.Count(r.logged(), `msg="instance ejected"`); n != 5 {
			t.Errorf("%d lines of ejections\n%s", n, r.logged())
		}
		if n := strings.Count(r.logged(), `msg="instance returned"`); n != 4 {
			t.Errorf("%d lines of returns\n%s", n, r.logged())
		}
	})
}

func TestEjectionSparesTheLast(t *testing.T) {
	for name, test := range map[string]struct {
		n       int
		most    float64
		prepare func(*upstream.Group)
		want    int
	}{
		"the only one":         {n: 1, most: 1, want: 0},
		"one of two":           {n: 2, most: 1, want: 1},
		"no share but one":     {n: 3, most: 0, want: 1},
		"the other is down":    {n: 2, most: 1, prepare: func(g *upstream.Group) { g.SetHealth("b", upstream.Unhealthy, "x") }, want: 0},
		"the others are drawn": {n: 2, most: 1, prepare: func(g *upstream.Group) { drain(g, "b") }, want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			e := &upstream.Ejection{After: 1, For: time.Minute, Most: test.most}
			g := newRig(t).groups.Group("s")
			g.Update(described([]string{"h:1", "h:2", "h:3"}[:test.n]...))
			if test.prepare != nil {
				test.prepare(g)
			}
			got := 0
			for _, i := range g.Set().Instances() {
				if i.Status() == upstream.Unhealthy || i.Draining {
					continue
				}
				g.Report(i, true, e)
				if !i.Live().EjectedUntil.IsZero() {
					got++
				}
			}
			if got != test.want {
				t.Errorf("%d ejected, want %d", got, test.want)
			}
		})
	}
}

func drain(g *upstream.Group, id string) {
	var all []upstream.Description
	for _, i := range g.Set().Instances() {
		d := i.Description
		d.Draining = d.Draining || d.ID == id
		all = append(all, d)
	}
	g.Update(all)
}

func TestGroups(t *testing.T) {
	r := newRig(t)
	g := r.groups.Group("b")
	r.groups.Group("a")
	if r.groups.Group("b") != g {
		t.Error("the same name is another group")
	}
	var names []string
	for _, g := range r.groups.All() {
		names = append(names, g.Name())
	}
	if strings.Join(names, " ") != "a b" {
		t.Errorf("groups %v", names)
	}
	g.Update(described("h:1"))
	r.groups.Remove("b")
	if _, ok := r.groups.Lookup("b"); ok || g.Update(nil) || g.Set().Len() != 1 {
		t.Error("a removed group is still there, or changes")
	}
	if r.groups.Group("b") == g {
		t.Error("a removed group came back")
	}
}
