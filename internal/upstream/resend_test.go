package upstream_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// A stage is how far an instance comes with a request before it resets the connection.
type stage int

const (
	atConnect    stage = iota // nobody listens
	atAccept                  // it accepts, and reads nothing
	inHead                    // it has read some of the head
	inBody                    // it has read the head and some of the body
	beforeAnswer              // it has read the whole request
	inAnswerHead
	inAnswerBody
	stages
)

// resetting starts an instance that resets each connection at a stage; gently closes it instead. seen counts connections.
func resetting(t *testing.T, at stage, gently bool, seen *atomic.Int32) string {
	if at == atConnect {
		return refusing(t)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			seen.Add(1)
			come(c.(*net.TCPConn), at)
			if !gently {
				_ = c.(*net.TCPConn).SetLinger(0)
			}
			c.Close()
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

// come goes as far as the stage with the request.
func come(c *net.TCPConn, at stage) {
	if at == atAccept {
		return
	}
	r := bufio.NewReader(c)
	if at == inHead {
		_, _ = io.CopyN(io.Discard, r, 20)
		return
	}
	head, err := readHead(r)
	if err != nil {
		return
	}
	length := 0
	if n := strings.Index(head, "Content-Length: "); n >= 0 {
		_, _ = fmt.Sscanf(head[n:], "Content-Length: %d", &length)
	}
	if at == inBody {
		length /= 2
	}
	_, _ = io.CopyN(io.Discard, r, int64(length))
	switch at {
	case inAnswerHead:
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Le")
	case inAnswerBody:
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
	}
}

// TestResetAtEveryStage sends each kind of request to an instance that resets at each stage, with one that works beside it,
// and counts how often it was sent. What works twice is what may be sent twice.
func TestResetAtEveryStage(t *testing.T) {
	const never, may, must = "never", "may", "must"
	widen := func(c *config.Service) { c.Retries.IdempotencyKey, c.Retries.Methods = true, []string{"PUT"} }
	small, large := strings.Repeat("s", 9<<10), strings.Repeat("l", 65<<10)
	unsafe := [stages]string{must, may, never, never, never, never, never}
	again := [stages]string{must, must, must, must, must, must, never}
	upload := [stages]string{must, may, may, never, never, never, never} // depends on how much the kernel takes before the reset
	for _, test := range []struct {
		name, method, body, key string
		change                  func(*config.Service)
		second                  [stages]string // whether the second instance gets it
	}{
		{"GET", "GET", "", "", nil, again},
		{"GET with a body", "GET", small, "", nil, again},
		{"POST", "POST", "", "", nil, unsafe},
		{"POST with a body", "POST", small, "", nil, unsafe},
		{"POST with a key that says nothing here", "POST", small, "k", nil, unsafe},
		{"POST without a key", "POST", small, "", widen, unsafe},
		{"POST with a key", "POST", "", "k", widen, again},
		{"POST with a key and a body", "POST", small, "k", widen, again},
		{"PUT that is listed", "PUT", small, "", widen, again},
		{"DELETE that is not", "DELETE", "", "", widen, unsafe},
		{"PUT that is listed and too large", "PUT", large, "", widen, upload},
	} {
		for at := range stages {
			for _, gently := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d/%v", test.name, at, gently), func(t *testing.T) {
					var first, second atomic.Int32
					var got atomic.Pointer[string]
					bad := resetting(t, at, gently, &first)
					good := origin(t, func(w http.ResponseWriter, r *http.Request) {
						second.Add(1)
						body, _ := io.ReadAll(r.Body)
						text := string(body)
						got.Store(&text)
					})
					s := newRig(t).service(func(c *config.Service) {
						c.Balance.Policy = "round-robin"
						if test.change != nil {
							test.change(c)
						}
					}, bad, good)
					x := toFirst(t, s, func() *exchange.Exchange {
						x := newExchange(test.method, "/", nil)
						if test.body != "" {
							x = newExchange(test.method, "/", strings.NewReader(test.body))
						}
						if test.key != "" {
							x.Request.Header.Set("Idempotency-Key", test.key)
						}
						return x
					})
					_, err := do(t, s, x)
					n := second.Load()
					if want := test.second[at]; n > 1 || want == must && n != 1 || want == never && n != 0 {
						t.Errorf("the second instance got it %d times, which %s be: %v", n, want, err)
					}
					if first.Load() > 1 {
						t.Errorf("the first instance got it %d times", first.Load())
					}
					if (err == nil) != (n == 1) {
						t.Errorf("%d requests arrived and the error is %v", n, err)
					}
					if n == 1 && *got.Load() != test.body {
						t.Errorf("the second instance got another body: %d bytes instead of %d", len(*got.Load()), len(test.body))
					}
					if kept := upstream.Kept(s); kept != 0 {
						t.Errorf("%d blocks are kept", kept)
					}
				})
			}
		}
	}
}

// TestBodyIsReplayedAsItWas lets attempts take any part of a body, in any pieces, and fail; whatever gets it in the end
// gets all of it.
func TestBodyIsReplayedAsItWas(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		body := bytes.Repeat([]byte("0123456789abcdef"), 16<<10)[:rapid.IntRange(1, 100<<10).Draw(rt, "size")]
		known := rapid.Bool().Draw(rt, "known")
		parts := rapid.SliceOfN(rapid.IntRange(0, 100<<10), 0, 4).Draw(rt, "parts")
		piece := rapid.IntRange(1, 40<<10).Draw(rt, "piece")
		var got []byte
		attempt := 0
		r := newRig(t).stub(func(q *http.Request) (*http.Response, error) {
			defer q.Body.Close()
			var from io.Reader = struct{ io.Reader }{q.Body}
			if attempt++; attempt <= len(parts) {
				_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.LimitReader(from, int64(parts[attempt-1])), make([]byte, piece))
				return nil, io.EOF
			}
			var err error
			got, err = io.ReadAll(from)
			if err != nil {
				rt.Errorf("%v", err)
			}
			return canned(q)
		})
		s := r.service(func(c *config.Service) {
			c.Retries.Methods, c.Retries.Attempts, c.Retries.Budget, c.Retries.Backoff = []string{"PUT"}, 9, 100, 0
		}, "h:1")
		x := newExchange("PUT", "/", bytes.NewReader(body))
		if !known {
			x.Request.ContentLength = -1
		}
		_, err := do(t, s, x)
		most := 0 // taken of the body by those that failed, and whether it was taken at all
		for _, p := range parts {
			most = max(most, p)
		}
		if err == nil && !bytes.Equal(got, body) {
			rt.Errorf("got another body: %d bytes of %d", len(got), len(body))
		}
		if fits := len(body) <= 64<<10 || !known && most+piece <= 64<<10 || most == 0; fits && len(parts) <= 3 && err != nil {
			rt.Errorf("want a replay: %v", err)
		}
		if kept := upstream.Kept(s); kept != 0 {
			rt.Errorf("%d blocks are kept", kept)
		}
	})
}

// TestReplayWhileTheClientSends resets in the middle of an upload. What the client had sent and what it sends from then on
// both reach the second instance.
func TestReplayWhileTheClientSends(t *testing.T) {
	var first atomic.Int32
	hung := make(chan struct{})
	bad := raw(t, func(c net.Conn, r *bufio.Reader, head string) {
		first.Add(1)
		_, _ = io.CopyN(io.Discard, r, 4)
		_ = c.(*net.TCPConn).SetLinger(0)
		c.Close()
		close(hung)
	})
	good := origin(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	s := newRig(t).service(func(c *config.Service) {
		c.Balance.Policy, c.Retries.Methods = "round-robin", []string{"PUT"}
	}, bad, good)
	pr, pw := io.Pipe()
	x := toFirst(t, s, func() *exchange.Exchange { return newExchange("PUT", "/", pr) })
	x.Request.ContentLength = -1
	go func() {
		_, _ = io.WriteString(pw, "one ")
		<-hung
		_, _ = io.WriteString(pw, "two ")
		_, _ = io.WriteString(pw, "three")
		pw.Close()
	}()
	if got, err := do(t, s, x); err != nil || got != "200 one two three" || first.Load() != 1 {
		t.Errorf("%q, %v, the first saw %d", got, err, first.Load())
	}
	if kept := upstream.Kept(s); kept != 0 {
		t.Errorf("%d blocks are kept", kept)
	}
}

// A deaf connection does not tell the engine that the other side has closed it.
type deaf struct {
	*net.TCPConn
	closed chan struct{}
	once   sync.Once
}

func (d *deaf) Read(p []byte) (int, error) {
	n, err := d.TCPConn.Read(p)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		<-d.closed
	}
	return n, err
}

func (d *deaf) Close() error {
	d.once.Do(func() { close(d.closed) })
	return d.TCPConn.Close()
}

// TestDeadIdleConnection closes an idle connection while nobody looks: nothing is written to it, so that any request can
// be sent anew, and it costs no attempt, no budget and no health.
func TestDeadIdleConnection(t *testing.T) {
	for n := range 8 {
		body, reset, capped := []string{"", "body"}[n&1], n&2 != 0, n&4 != 0
		t.Run(fmt.Sprintf("%q reset %v capped %v", body, reset, capped), func(t *testing.T) {
			var seen atomic.Int32
			done := make(chan struct{}, 2)
			addr := raw(t, func(c net.Conn, r *bufio.Reader, head string) {
				seen.Add(1)
				if strings.Contains(head, "Content-Length: 4") {
					_, _ = io.CopyN(io.Discard, r, 4)
				}
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				time.Sleep(20 * time.Millisecond) // or the reset may overtake the answer
				if reset {
					_ = c.(*net.TCPConn).SetLinger(0)
				}
				c.Close()
				done <- struct{}{}
			})
			r := newRig(t)
			r.env.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return &deaf{TCPConn: c.(*net.TCPConn), closed: make(chan struct{})}, nil
			}
			s := r.service(func(c *config.Service) {
				c.Retries.Attempts, c.Retries.Budget = 1, 0
				if capped {
					c.Breaker.MaxConnections = 10
				}
			}, addr)
			if got, err := get(t, s, "/"); err != nil || got != "200 ok" {
				t.Fatal(got, err)
			}
			<-done
			time.Sleep(20 * time.Millisecond) // until the end of the stream is here
			seen.Store(0)
			x := newExchange("POST", "/", nil)
			if body != "" {
				x = newExchange("POST", "/", strings.NewReader(body))
			}
			got, err := do(t, s, x)
			if err != nil || got != "200 ok" || seen.Load() != 1 || x.Attempts != 1 {
				t.Errorf("%q, %v, seen %d times, %d attempts", got, err, seen.Load(), x.Attempts)
			}
			text := scraped(t, r)
			if !strings.Contains(text, `sallyport_upstream_replays_total{service="s"} 1`) || strings.Contains(text, "retries_total{") {
				t.Errorf("want one replay and no retry:\n%s", text)
			}
			// Without a body the engine replays by itself.
			if tries := x.Tries; body != "" && (len(tries) != 2 || tries[0].Kind != exchange.Replayed || tries[1].Status != 200) {
				t.Errorf("tries: %+v", tries)
			}
			if live := instance(t, s.Group(), "a").Live(); live.Failures != 0 {
				t.Errorf("%d failures", live.Failures)
			}
		})
	}
}

// TestOutageDoesNotAddLoad lets all instances fail in each way at several rates, with many attempts allowed.
func TestOutageDoesNotAddLoad(t *testing.T) {
	for _, rate := range []int{100, 150, 1000} {
		for _, how := range []string{"reset", "503", "connect"} {
			t.Run(fmt.Sprintf("%s at %d", how, rate), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var sent atomic.Int64
					r := newRig(t).stub(func(q *http.Request) (*http.Response, error) {
						sent.Add(1)
						switch how {
						case "503":
							resp, _ := canned(q)
							resp.StatusCode = 503
							return resp, nil
						case "connect":
							return nil, upstream.Undialed
						}
						return nil, io.EOF
					})
					s := r.service(func(c *config.Service) {
						c.Retries.Attempts, c.Retries.Backoff = 10, spec.Duration(25*time.Millisecond)
						c.Health.Passive.ConsecutiveErrors = 0
					}, "h:1", "h:2", "h:3")
					var wg sync.WaitGroup
					const seconds = 4
					for range rate * seconds {
						wg.Go(func() { _, _ = get(t, s, "/") })
						time.Sleep(time.Second / time.Duration(rate))
					}
					wg.Wait()
					if share := float64(sent.Load()) / float64(rate*seconds); share >= 1.25 || share < 1.1 {
						t.Errorf("%.3f times the load", share)
					}
				})
			})
		}
	}
}

func scraped(t testing.TB, r *rig) string {
	t.Helper()
	w := httptest.NewRecorder()
	r.metrics.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}
