package upstream_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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

// near tells whether a phase took as long as it should, or up to 300 ms longer on a busy machine.
func near(got, want time.Duration) bool { return got >= want && got < want+300*time.Millisecond }

// TestPhases holds the phases of attempts over connections of which each step takes its time.
func TestPhases(t *testing.T) {
	const step = 100 * time.Millisecond
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(2 * step)
	})
	for name, start := range map[string]func(*httptest.Server){
		"http": (*httptest.Server).Start,
		"tls":  (*httptest.Server).StartTLS,
		"h2c": func(s *httptest.Server) {
			s.Config.Protocols = new(http.Protocols)
			s.Config.Protocols.SetUnencryptedHTTP2(true)
			s.Start()
		},
		"h2": func(s *httptest.Server) {
			s.EnableHTTP2 = true
			s.StartTLS()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := httptest.NewUnstartedServer(h)
			start(o)
			defer o.Close()
			r := newRig(t)
			secure := name == "tls" || name == "h2"
			r.env.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				time.Sleep(step)
				c, err := new(net.Dialer).DialContext(ctx, network, address)
				if secure && err == nil {
					c = &slowToBegin{Conn: c}
				}
				return c, err
			}
			s := r.service(func(c *config.Service) {
				c.Protocol = name
				if name == "tls" {
					c.Protocol = "https"
				}
				c.TLS.Insecure = secure
			}, o.Listener.Addr().String())
			for _, again := range []bool{false, true} {
				x := newExchange("POST", "/", slowly("body", step))
				x.Timings.Start = time.Now()
				time.Sleep(step)
				if _, err := do(t, s, x); err != nil {
					t.Fatal(err)
				}
				p := x.Timings
				connect, tls := step, time.Duration(0)
				if secure {
					connect, tls = 2*step, step
				}
				if again {
					connect, tls = 0, 0
				}
				if !near(p.First, step) || p.Sent != p.First || !near(p.Connected-p.Sent, connect) || !near(p.TLS, tls) ||
					!near(p.Wrote-p.Connected, step) || !near(p.Head-p.Wrote, 2*step) || p.Queued != 0 {
					t.Errorf("again %v: %+v", again, p)
				}
				if again && p.Connected != p.Sent {
					t.Errorf("a connection was there, but it waited %v for it", p.Connected-p.Sent)
				}
			}
		})
	}
}

// A slowToBegin is a connection on which the first byte takes its time to leave.
type slowToBegin struct {
	net.Conn
	begun bool
}

func (c *slowToBegin) Write(p []byte) (int, error) {
	if !c.begun {
		c.begun = true
		time.Sleep(100 * time.Millisecond)
	}
	return c.Conn.Write(p)
}

// slowly returns a body that takes its time to come.
func slowly(text string, d time.Duration) io.Reader {
	r := strings.NewReader(text)
	begun := false
	return readerFunc(func(p []byte) (int, error) {
		if !begun {
			begun = true
			time.Sleep(d)
		}
		return r.Read(p)
	})
}

// TestPhasesOfFailures holds that the time is put down to what did not come.
func TestPhasesOfFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.env.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		s := r.service(func(c *config.Service) { c.Timeouts.Connect = spec.Duration(time.Second) }, "a:1", "b:1")
		x := newExchange("GET", "/", nil)
		x.Timings.Start = time.Now()
		began := time.Now()
		_, err := do(t, s, x)
		if err == nil {
			t.Fatal("an answer")
		}
		all, p := time.Since(began), x.Timings
		if p.Connected-p.Sent != time.Second || p.Wrote != p.Connected || p.Head != p.Wrote || p.Head != all {
			t.Errorf("%+v of %v", p, all)
		}
		if p.Sent-p.First < time.Second || len(x.Tries) != 2 || x.Tries[0].Took != time.Second || x.Tries[1].Took != time.Second {
			t.Errorf("%+v, %+v", p, x.Tries)
		}
	})
}

// TestQueued holds that the time in line is told, whether there was a place in the end or not.
func TestQueued(t *testing.T) {
	const most = 400 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).stub(func(q *http.Request) (*http.Response, error) {
			time.Sleep(300 * time.Millisecond)
			return canned(q)
		})
		s := r.service(func(c *config.Service) {
			c.Breaker.MaxRequests, c.Breaker.MaxPending = 1, 10
			c.Breaker.MaxWait = spec.Duration(most)
		}, "a:1")
		var xs []*exchange.Exchange
		done := make(chan error)
		for range 3 {
			x := newExchange("GET", "/", nil)
			x.Timings.Start = time.Now()
			xs = append(xs, x)
			go func() {
				_, err := do(t, s, x)
				done <- err
			}()
			synctest.Wait()
		}
		for range xs {
			<-done
		}
		for i, want := range []time.Duration{0, 300 * time.Millisecond, most} {
			p := xs[i].Timings
			if p.Queued != want || i < 2 && p.First != max(want, 1) || i == 2 && p.Sent != 0 {
				t.Errorf("%d: %+v", i, p)
			}
		}
	})
}

// TestTries holds what is said of each of several attempts, and that nothing is said of one.
func TestTries(t *testing.T) {
	answer := func(status int, took time.Duration) engine {
		return func(q *http.Request) (*http.Response, error) {
			select {
			case <-time.After(took):
			case <-q.Context().Done():
				return nil, q.Context().Err()
			}
			resp, err := canned(q)
			resp.StatusCode = status
			return resp, err
		}
	}
	broken := func(*http.Request) (*http.Response, error) {
		time.Sleep(time.Millisecond)
		return nil, io.EOF
	}
	const ms = time.Millisecond
	for name, tt := range map[string]struct {
		engines  map[string]engine // by address
		change   func(*config.Service)
		want     []exchange.Try
		attempts int
	}{
		"one":            {map[string]engine{"a:1": answer(200, ms)}, nil, nil, 1},
		"one that fails": {map[string]engine{"a:1": broken}, once, nil, 1},
		"reset, then answered": {map[string]engine{"a:1": broken, "b:1": answer(200, 2*ms)}, nil, []exchange.Try{
			{Instance: "a", Address: "a:1", Reason: exchange.UpstreamReset, Took: ms},
			{Instance: "b", Address: "b:1", Status: 200, Took: 2 * ms},
		}, 2},
		"a status, then a reset": {map[string]engine{"a:1": answer(503, ms), "b:1": broken}, when("503"), []exchange.Try{
			{Instance: "a", Address: "a:1", Status: 503, Took: ms},
			{Instance: "b", Address: "b:1", Reason: exchange.UpstreamReset, Took: ms},
		}, 2},
		"a hedge wins": {map[string]engine{"a:1": answer(200, time.Second), "b:1": answer(200, ms)}, hedged("10ms", nil), []exchange.Try{
			{Instance: "a", Address: "a:1", Beaten: true, Took: 11 * ms},
			{Instance: "b", Address: "b:1", Kind: exchange.Hedged, Status: 200, Took: ms},
		}, 2},
		"a hedge is beaten": {map[string]engine{"a:1": answer(200, 12*ms), "b:1": answer(200, time.Second)}, hedged("10ms", nil), []exchange.Try{
			{Instance: "b", Address: "b:1", Kind: exchange.Hedged, Beaten: true, Took: 2 * ms},
			{Instance: "a", Address: "a:1", Status: 200, Took: 12 * ms},
		}, 2},
		"a hedge fails": {map[string]engine{"a:1": answer(200, 12*ms), "b:1": broken}, hedged("10ms", nil), []exchange.Try{
			{Instance: "b", Address: "b:1", Kind: exchange.Hedged, Reason: exchange.UpstreamReset, Took: ms},
			{Instance: "a", Address: "a:1", Status: 200, Took: 12 * ms},
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t).stub(func(q *http.Request) (*http.Response, error) { return tt.engines[q.URL.Host](q) })
				s := r.service(func(c *config.Service) {
					c.Balance.Policy = "round-robin"
					if tt.change != nil {
						tt.change(c)
					}
				})
				var all []upstream.Description
				for address := range tt.engines {
					all = append(all, upstream.Description{ID: address[:1], Address: address, Weight: 1})
				}
				s.Group().Update(all)
				x := toFirst(t, s, func() *exchange.Exchange { return newExchange("GET", "/", nil) })
				_, _ = do(t, s, x)
				if !slices.Equal(x.Tries, tt.want) || x.Attempts != tt.attempts {
					t.Errorf("%d attempts: %+v", x.Attempts, x.Tries)
				}
			})
		})
	}
}
