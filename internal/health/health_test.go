package health_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/health"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A group is a list of instances that remembers what was said of them.
type group struct {
	mu      sync.Mutex
	members [][2]string // id, address
	said    map[string][]state
}

type state struct {
	status upstream.Status
	reason string
}

func newGroup(addresses ...string) *group {
	g := &group{said: make(map[string][]state)}
	g.set(addresses...)
	return g
}

// set makes the group consist of instances whose ids are their addresses.
func (g *group) set(addresses ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.members = nil
	for _, a := range addresses {
		g.members = append(g.members, [2]string{a, a})
	}
}

func (g *group) Members(yield func(id, address string)) {
	g.mu.Lock()
	members := slices.Clone(g.members)
	g.mu.Unlock()
	for _, m := range members {
		yield(m[0], m[1])
	}
}

func (g *group) SetHealth(id string, status upstream.Status, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.said[id] = append(g.said[id], state{status, reason})
}

// heard returns all that was said of an instance.
func (g *group) heard(id string) []state {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.said[id])
}

// last returns what was said last.
func (g *group) last(id string) state {
	all := g.heard(id)
	if len(all) == 0 {
		return state{}
	}
	return all[len(all)-1]
}

func service(kind string) *config.Service {
	s := &config.Service{Protocol: "http"}
	s.Health.Active = config.ActiveHealth{
		Type: kind, Path: "/", Interval: spec.Duration(5 * time.Second), Timeout: spec.Duration(2 * time.Second),
		Rise: 2, Fall: 3, Expect: []string{"200-399"},
	}
	return s
}

func mustCheck(t testing.TB, s *config.Service) *health.Check {
	t.Helper()
	c, err := health.NewCheck(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
