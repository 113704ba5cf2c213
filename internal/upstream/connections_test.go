package upstream_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come to it: " + what)
		}
	}
}

// gated starts an origin that answers when next lets it.
func gated(t *testing.T, next chan struct{}, protocols *http.Protocols) (url string, conns *atomic.Int32) {
	o := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-next:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "ok")
	}))
	o.Config.Protocols = protocols
	count := &countingListener{Listener: o.Listener}
	o.Listener = count
	o.Start()
	t.Cleanup(func() { o.CloseClientConnections(); o.Close() })
	return o.URL, &count.accepted
}

func capConnections(limit, pending int, wait time.Duration) func(*config.Service) {
	return func(c *config.Service) {
		c.Breaker = config.Breaker{MaxConnections: limit, MaxPending: pending, MaxWait: spec.Duration(wait)}
	}
}

func TestConnectionsHaveACap(t *testing.T) {
	r, next := newRig(t), make(chan struct{})
	url, conns := gated(t, next, nil)
	s := r.service(capConnections(2, 1, time.Minute), url)
	ends := make(chan error, 3)
	for range 3 {
		go func() {
			_, err := get(t, s, "/")
			ends <- err
		}()
	}
	eventually(t, "one waits", func() bool { return strings.HasSuffix(r.scrape("sallyport_upstream_pending"), " 1") })
	if _, err := get(t, s, "/"); reason(err) != exchange.UpstreamOverloaded {
		t.Errorf("beyond the line: %v", err)
	}
	for range 3 {
		next <- struct{}{}
	}
	for range 3 {
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
	if n := conns.Load(); n > 3 { // one that is idle for a moment may be closed to make room
		t.Errorf("%d connections were made", n)
	}
	eventually(t, "nobody waits", func() bool { return strings.HasSuffix(r.scrape("sallyport_upstream_pending"), " 0") })
	if live := instance(t, s.Group(), "a").Live(); live.Failures != 0 {
		t.Errorf("the instance was blamed: %+v", live)
	}
}

// Idle connections to one instance make room for those to another.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	r, next := newRig(t), make(chan struct{})
	close(next)
	a, _ := gated(t, next, nil)
	b, _ := gated(t, next, nil)
	s := r.service(func(c *config.Service) {
		capConnections(1, 1, 5*time.Second)(c)
		c.Balance.Policy = "round-robin"
	}, a, b)
	for range 6 {
		if got, err := get(t, s, "/"); err != nil || got != "200 ok" {
			t.Fatal(got, err)
		}
	}
}

func TestWaitForAConnectionEnds(t *testing.T) {
	r, next := newRig(t), make(chan struct{})
	url, _ := gated(t, next, nil)
	s := r.service(capConnections(1, 2, 30*time.Millisecond), url)
	first := make(chan error, 1)
	go func() {
		_, err := get(t, s, "/")
		first <- err
	}()
	eventually(t, "it is sent", func() bool { return instance(t, s.Group(), "a").Live().Open == 1 })
	time.Sleep(20 * time.Millisecond) // until it has its connection
	began := time.Now()
	if _, err := get(t, s, "/"); reason(err) != exchange.UpstreamOverloaded || time.Since(began) < 25*time.Millisecond {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	ctx, leave := context.WithCancel(t.Context())
	x := newExchange(http.MethodGet, "/", nil)
	x.Request = x.Request.WithContext(ctx)
	leave()
	if _, err := do(t, s, x); reason(err) != exchange.ClientGone {
		t.Errorf("a client that left: %v", err)
	}
	next <- struct{}{}
	if err := <-first; err != nil {
		t.Error(err)
	}
	if got := r.scrape("sallyport_upstream_rejected"); got != `sallyport_upstream_rejected_total{cause="max_connections",service="s"} 1` {
		t.Error(got)
	}
}

// Over HTTP/2 one connection carries them all, and nobody is refused for the cap.
func TestOneConnectionCarriesManyStreams(t *testing.T) {
	r, next := newRig(t), make(chan struct{})
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	url, conns := gated(t, next, &p)
	s := r.service(func(c *config.Service) {
		capConnections(1, 50, 5*time.Second)(c)
		c.Protocol = "h2c"
	}, url)
	ends := make(chan error, 20)
	for range 20 {
		go func() {
			_, err := get(t, s, "/")
			ends <- err
		}()
	}
	close(next)
	for range 20 {
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// A service whose connections have a cap shares them with nobody.
func TestCappedServiceHasAPoolOfItsOwn(t *testing.T) {
	r, lender := newRig(t), lease.New()
	leases := lender.Borrower()
	defer leases.Release()
	r.env.Leases = leases
	for _, limit := range []int{0, 1} {
		var keys []string
		for _, name := range []string{"one", "two"} {
			if _, err := upstream.New(name, settings(capConnections(limit, 0, time.Second)), r.groups.Group(name), r.env); err != nil {
				t.Fatal(err)
			}
		}
		for _, k := range lender.Keys() {
			if strings.HasPrefix(k, "upstream/pool/") {
				keys = append(keys, k)
			}
		}
		if want := 1 + 2*limit; len(keys) != want {
			t.Errorf("with a cap of %d there are pools %v, want %d in all", limit, keys, want)
		}
	}
}

// A countingListener counts the connections it accepts.
type countingListener struct {
	net.Listener
	accepted atomic.Int32
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.accepted.Add(1)
	}
	return c, err
}
