package registry_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/registry"
	"github.com/asynched/api-gateway/spec"
)

// following builds a registry with a service orders that follows orders.test:80, and returns what it logs.
func following(t *testing.T, z *zone, change func(*config.Instance)) (*house, *bytes.Buffer) {
	log := new(bytes.Buffer)
	h := unbuilt(t, memory(t), func(o *registry.Options) {
		o.Resolver = registry.ResolverBy(z.asks)
		o.Log = slog.New(slog.NewTextHandler(log, nil))
	})
	s := static("dns:orders.test:80")
	if change != nil {
		change(&s.Instances[0])
	}
	h.configure(mapOf("orders", s), "")
	h.run()
	return h, log
}

func wantMembers(t *testing.T, h *house, want ...string) {
	t.Helper()
	synctest.Wait()
	got := h.members("orders")
	for i := range got {
		got[i] = strings.Fields(got[i])[2]
	}
	if !slices.Equal(got, want) {
		t.Errorf("members are %v, want %v", got, want)
	}
}

func TestFollowsTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone(t, "orders.test. 30 IN A 10.0.0.1")
		h, _ := following(t, z, nil)
		wantMembers(t, h, "10.0.0.1:80") // at once
		z.set(t, "orders.test. 30 IN A 10.0.0.1", "orders.test. 30 IN A 10.0.0.2")
		time.Sleep(29 * time.Second)
		wantMembers(t, h, "10.0.0.1:80")
		time.Sleep(2 * time.Second)
		wantMembers(t, h, "10.0.0.1:80", "10.0.0.2:80")
		if n := len(z.asked); n != 4 { // A and AAAA, twice
			t.Errorf("%d questions in 31 s: %v", n, z.asked)
		}
	})
}

func TestRefreshOverridesTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone(t, "orders.test. 3600 IN A 10.0.0.1")
		h, _ := following(t, z, func(i *config.Instance) {
			i.Refresh, i.Weight, i.Zone, i.Metadata = spec.Duration(5*time.Second), 7, "eu", map[string]string{"a": "b"}
		})
		z.set(t, "orders.test. 3600 IN A 10.0.0.2")
		time.Sleep(6 * time.Second)
		wantMembers(t, h, "10.0.0.2:80")
		all, err := h.Instances("orders")
		if err != nil || len(all) != 1 || all[0].Weight != 7 || all[0].Zone != "eu" || all[0].Metadata["a"] != "b" ||
			all[0].Where != "sallyport.yaml:10" || all[0].Source != registry.SourceDNS {
			t.Errorf("%+v, %v", all, err)
		}
	})
}

func TestLastGoodAnswerStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone(t, "orders.test. 30 IN A 10.0.0.1")
		h, log := following(t, z, nil)
		z.fail("orders.test. A", dns.RcodeServerFailure)
		z.fail("orders.test. AAAA", dns.RcodeServerFailure)
		time.Sleep(24 * time.Hour)
		wantMembers(t, h, "10.0.0.1:80")
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "orders.test:80") {
			t.Errorf("a day without DNS was logged %d times:\n%s", n, log)
		}
		z.fail("orders.test. A", 0)
		z.set(t, "orders.test. 30 IN A 10.0.0.2")
		time.Sleep(6 * time.Second)
		wantMembers(t, h, "10.0.0.2:80")
		if n := strings.Count(log.String(), "\n"); n != 2 {
			t.Errorf("the recovery is not logged once:\n%s", log)
		}
	})
}

func TestNameThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone(t, "orders.test. 30 IN A 10.0.0.1")
		h, _ := following(t, z, nil)
		z.set(t)
		time.Sleep(39 * time.Second) // asked after 30 and 35
		wantMembers(t, h, "10.0.0.1:80")
		time.Sleep(2 * time.Second)
		wantMembers(t, h)
		z.set(t, "orders.test. 30 IN A 10.0.0.3")
		time.Sleep(6 * time.Second)
		wantMembers(t, h, "10.0.0.3:80")
	})
}

// TestFirstAnswerIsLate starts while DNS is silent: the start goes on after two seconds, and the answer comes in later.
func TestFirstAnswerIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone(t, "orders.test. 30 IN A 10.0.0.1")
		began := time.Now()
		h := unbuilt(t, memory(t), func(o *registry.Options) {
			o.Resolver = registry.ResolverBy(func(ctx context.Context, q *dns.Msg, _ string) (*dns.Msg, error) {
				select {
				case <-time.After(time.Until(began.Add(10 * time.Second))):
					return z.answer(q), nil
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			})
		})
		h.configure(mapOf("orders", static("dns:orders.test:80", "h:1")), "")
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("the configuration waited %v for DNS", took)
		}
		wantMembers(t, h, "h:1")
		h.run()
		time.Sleep(9 * time.Second)
		wantMembers(t, h, "10.0.0.1:80", "h:1")
	})
}

func TestFollowersOverReloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone(t, "orders.test. 30 IN A 10.0.0.1")
		h, _ := following(t, z, nil)
		time.Sleep(10 * time.Second)
		asked := len(z.asked)
		h.configure(mapOf("orders", static("dns:orders.test:80")), "")
		wantMembers(t, h, "10.0.0.1:80")
		if len(z.asked) != asked {
			t.Error("a reload that changes nothing asks anew")
		}
		z.fail("orders.test. A", dns.RcodeServerFailure)
		h.configure(mapOf("orders", static("h:1", "dns:orders.test:80")), "") // in another line
		wantMembers(t, h, "10.0.0.1:80", "h:1")
		h.configure(mapOf("orders", static("h:1")), "")
		wantMembers(t, h, "h:1")
		asked = len(z.asked)
		time.Sleep(time.Hour)
		if len(z.asked) != asked {
			t.Error("a name that is not configured any more is asked for")
		}
		p := h.Prepare(t.Context(), mapOf("other", static("dns:orders.test:80")), where)
		p.Discard()
		asked = len(z.asked)
		time.Sleep(time.Hour)
		if len(z.asked) != asked {
			t.Error("a plan that was discarded asks on")
		}
	})
}
