package filters_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter/filtertest"
)

// A dark service takes copies and answers each as it is told.
type dark struct {
	answer func(x *exchange.Exchange) (*http.Response, error) // nil answers 200

	mu  sync.Mutex
	got []string // method, path, query, fields and body of each copy
}

func (d *dark) Handle(x *exchange.Exchange) (*http.Response, error) {
	body, err := io.ReadAll(x.Request.Body)
	r := x.Request
	text := r.Method + " " + x.Path + "?" + r.URL.RawQuery + " " + r.Header.Get("X-Mirrored") + r.Header.Get("X-Late") + " " + string(body)
	if err != nil || x.Record != nil || x.Inform != nil || r.ContentLength != int64(len(body)) || r.Trailer != nil || r.Header.Get("Expect") != "" {
		text += ", and not as it should be"
	}
	d.mu.Lock()
	d.got = append(d.got, text)
	d.mu.Unlock()
	if d.answer != nil {
		return d.answer(x)
	}
	return httptest.NewRecorder().Result(), nil
}

// copies returns what the service has got.
func (d *dark) copies() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.got
}

// mirrorCase returns a case whose filter copies to d.
func mirrorCase(t *testing.T, d *dark, config string, counts *filtertest.Counts) filtertest.Case {
	return filtertest.Case{
		Kind: kind(t, "mirror"), Config: "{service: dark" + config + "}", Counts: counts,
		Services: map[string]exchange.Handler{"dark": d},
	}
}

// reads answers after it has read the body, and changes the request as filters behind the mirror do.
func reads(x *exchange.Exchange) (*http.Response, error) {
	x.Request.Header.Set("X-Late", "late")
	rec := httptest.NewRecorder()
	_, err := io.Copy(rec, x.Request.Body)
	if err != nil {
		return nil, err
	}
	return rec.Result(), nil
}

// deaf answers without a look at the body.
func deaf(*exchange.Exchange) (*http.Response, error) { return httptest.NewRecorder().Result(), nil }

// empty answers like deaf, and with nothing to read.
func empty(*exchange.Exchange) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
}

// refuses fails without a look at the body.
func refuses(*exchange.Exchange) (*http.Response, error) { return nil, errors.New("refused") }

// exact reads as much of the body as it is to have, and not its end.
func exact(x *exchange.Exchange) (*http.Response, error) {
	body := make([]byte, x.Request.ContentLength)
	if _, err := io.ReadFull(x.Request.Body, body); err != nil {
		return nil, err
	}
	return httptest.NewRecorder().Result(), nil
}

// short is a request whose body ends too early.
func short() *http.Request {
	r := post("hello", false)
	r.ContentLength = 6
	return r
}

// expecting is a request with fields that speak of its body as it was sent.
func expecting() *http.Request {
	r := post("hello", true)
	r.Header.Set("Expect", "100-continue")
	r.Trailer = http.Header{"X-Sum": nil}
	return r
}

// broken is a body that ends within.
type broken struct{}

func (broken) Read(p []byte) (int, error) { return copy(p, "abc"), errors.New("the client is gone") }

// post returns a POST with a body of that length, which is not told if it is hidden.
func post(body string, hidden bool) *http.Request {
	var from io.Reader = strings.NewReader(body)
	if hidden {
		from = io.MultiReader(from)
	}
	return httptest.NewRequest(http.MethodPost, "http://shop.example.com/a?b=c", from)
}

func TestMirror(t *testing.T) {
	tests := []struct {
		name    string
		config  string
		request *http.Request
		next    exchange.HandlerFunc
		copy    string // "" is none
		result  string // "" is nothing
	}{
		{name: "no body", request: httptest.NewRequest(http.MethodGet, "/a?b=c", http.NoBody), next: reads, copy: "GET /a?b=c 1 ", result: "answered"},
		{name: "a body", request: post("hello", false), next: reads, copy: "POST /a?b=c 1 hello", result: "answered"},
		{name: "a body of unknown length", request: post("hello", true), next: reads, copy: "POST /a?b=c 1 hello", result: "answered"},
		{name: "a body that could be there", request: post("", true), next: reads, copy: "POST /a?b=c 1 ", result: "answered"},
		{name: "the longest body", config: ", max_body: 5", request: post("hello", false), next: reads, copy: "POST /a?b=c 1 hello", result: "answered"},
		{name: "a longer body", config: ", max_body: 4", request: post("hello", false), next: reads, result: "too_large"},
		{name: "a longer body of unknown length", config: ", max_body: 4", request: post("hello", true), next: reads, result: "too_large"},
		{name: "a body that nobody reads", request: post("hello", false), next: deaf, result: "incomplete"},
		{name: "a body that breaks off", request: httptest.NewRequest(http.MethodPost, "/a", broken{}), next: reads, result: "incomplete"},
		{name: "a body that nobody reads, and no answer", request: post("hello", false), next: empty, result: "incomplete"},
		{name: "a body that is refused", request: post("hello", false), next: refuses, result: "incomplete"},
		{name: "a body that is read to its length", request: post("hello", false), next: exact, copy: "POST /a?b=c 1 hello", result: "answered"},
		{name: "a body that is too short", request: short(), next: reads, result: "incomplete"},
		{name: "an expectation and a trailer", request: expecting(), next: reads, copy: "POST /a?b=c 1 hello", result: "answered"},
		{name: "no share", config: ", share: 0%", request: post("hello", false), next: reads},
		{name: "observed", config: ", observe: true", request: post("hello", false), next: reads, result: "observed"},
		{name: "a tunnel", request: httptest.NewRequest(http.MethodConnect, "http://a:1/", http.NoBody), next: deaf, result: "skipped"},
		{name: "a copy", request: with("X-Mirrored", "1"), next: reads, result: "skipped"},
		{name: "gRPC", request: with("Content-Type", "application/grpc+proto"), next: reads, result: "skipped"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, counts := new(dark), new(filtertest.Counts)
				c := mirrorCase(t, d, tt.config, counts)
				c.Request, c.Next = tt.request, tt.next
				res := c.Run(t)
				if s := res.Seen; s == nil || (s.Request.Header.Get("X-Mirrored") != "") != (tt.name == "a copy") {
					t.Errorf("the service got %+v", s)
				}
				if strings.HasPrefix(tt.name, "a longer body") && res.Body != "hello" {
					t.Errorf("the service got the body %q", res.Body)
				}
				synctest.Wait()
				var want []string
				if tt.copy != "" {
					want = []string{tt.copy}
				}
				if diff := cmp.Diff(want, d.copies()); diff != "" {
					t.Errorf("copies (-want +got):\n%s", diff)
				}
				switch total := counts.Total("mirror_total"); {
				case tt.result == "" && total != 0:
					t.Errorf("%d counted", total)
				case tt.result != "" && (total != 1 || counts.Of("mirror_total", "service", "dark", "result", tt.result) != 1):
					t.Errorf("%d counted, none as %s", total, tt.result)
				}
				if noted := len(res.Steps) == 1; noted != (tt.result != "") {
					t.Errorf("noted %+v", res.Steps)
				}
			})
		})
	}
}

func TestMirrorSkipsUpgrades(t *testing.T) {
	d, counts := new(dark), new(filtertest.Counts)
	c := mirrorCase(t, d, "", counts)
	x := c.Exchange()
	x.Upgrade = "websocket"
	if _, err := c.Handler(t).Handle(x); err != nil || counts.Of("mirror_total", "service", "dark", "result", "skipped") != 1 {
		t.Errorf("%v, %v", d.copies(), err)
	}
}

// Whatever becomes of a copy, the request has its answer at once, and the client may go.
func TestMirrorLeavesTheRequestAlone(t *testing.T) {
	hang := func(x *exchange.Exchange) (*http.Response, error) {
		<-x.Request.Context().Done()
		return nil, x.Request.Context().Err()
	}
	for name, answer := range map[string]func(*exchange.Exchange) (*http.Response, error){
		"hangs":  hang,
		"fails":  func(*exchange.Exchange) (*http.Response, error) { return nil, errors.New("refused") },
		"panics": func(*exchange.Exchange) (*http.Response, error) { panic("a defect") },
		"breaks off": func(*exchange.Exchange) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(broken{})}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, counts := &dark{answer: answer}, new(filtertest.Counts)
				c := mirrorCase(t, d, ", timeout: 3s", counts)
				c.Request = post("hello", false)
				c.Next = exchange.HandlerFunc(reads)
				ctx, cancel := context.WithCancel(t.Context())
				c.Request = c.Request.WithContext(ctx)
				began := time.Now()
				res := c.Run(t)
				cancel()
				if res.Body != "hello" || time.Since(began) != 0 {
					t.Errorf("%q after %v, %v", res.Body, time.Since(began), res.Err)
				}
				synctest.Wait()
				if failed := counts.Total("mirror_total") == 1; name == "hangs" && failed {
					t.Error("the copy ended with the client")
				}
				time.Sleep(3 * time.Second)
				synctest.Wait()
				if n := counts.Of("mirror_total", "service", "dark", "result", "failed"); n != 1 {
					t.Errorf("%d failed", n)
				}
			})
		})
	}
}

// No more copies are pending than may be, those that still wait for their body included.
func TestMirrorIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		d, counts := new(dark), new(filtertest.Counts)
		d.answer = func(*exchange.Exchange) (*http.Response, error) {
			<-release
			return httptest.NewRecorder().Result(), nil
		}
		c := mirrorCase(t, d, ", max_pending: 2", counts)
		c.Next = exchange.HandlerFunc(func(x *exchange.Exchange) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(x.Request.Body)}, nil // reads while it answers
		})
		h := c.Handler(t)
		do := func(body string) *http.Response {
			c.Request = post(body, false)
			resp, err := h.Handle(c.Exchange())
			if err != nil {
				t.Fatal(err)
			}
			return resp
		}
		waiting := do("waits for its body")
		finish(t, do("hangs"))
		finish(t, do("is dropped"))
		if n := counts.Of("mirror_total", "service", "dark", "result", "dropped"); n != 1 {
			t.Errorf("%d dropped", n)
		}
		if err := waiting.Body.Close(); err != nil { // its place is free again
			t.Error(err)
		}
		finish(t, do("goes too"))
		synctest.Wait()
		if got := len(d.copies()); got != 2 {
			t.Errorf("%d copies: %q", got, d.copies())
		}
		close(release)
		synctest.Wait()
		for result, want := range map[string]int{"answered": 2, "incomplete": 1, "dropped": 1} {
			if n := counts.Of("mirror_total", "service", "dark", "result", result); n != want {
				t.Errorf("%d %s, want %d", n, result, want)
			}
		}
	})
}

// finish reads an answer to its end.
func finish(t *testing.T, resp *http.Response) {
	t.Helper()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
}

// What is under way ends with the last configuration that has the filter, and the end waits for it.
func TestMirrorEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		d := &dark{answer: func(x *exchange.Exchange) (*http.Response, error) {
			<-x.Request.Context().Done()
			time.Sleep(time.Second)
			ended = true
			return nil, x.Request.Context().Err()
		}}
		c := mirrorCase(t, d, ", timeout: 10m", nil)
		began := time.Now()
		t.Cleanup(func() {
			if !ended || time.Since(began) != time.Second {
				t.Errorf("ended: %v, after %v", ended, time.Since(began))
			}
		})
		c.Run(t)
		synctest.Wait()
	})
}

// Places are free again when a copy has been answered, and when nobody wants the body any more.
func TestMirrorFreesPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, counts := new(dark), new(filtertest.Counts)
		c := mirrorCase(t, d, ", max_pending: 1", counts)
		c.Next = exchange.HandlerFunc(func(x *exchange.Exchange) (*http.Response, error) {
			if err := x.Request.Body.Close(); err != nil {
				t.Error(err)
			}
			return httptest.NewRecorder().Result(), nil
		})
		h := c.Handler(t)
		for range 3 {
			c.Request = post("hello", false)
			resp, err := h.Handle(c.Exchange()) // its answer is never read
			if err != nil || resp == nil {
				t.Fatal(err)
			}
			c.Request = nil
			finish(t, must(h.Handle(c.Exchange())))
			synctest.Wait()
		}
		func() {
			defer func() { _ = recover() }()
			broken := c
			broken.Next = exchange.HandlerFunc(func(*exchange.Exchange) (*http.Response, error) { panic("a defect") })
			broken.Request = post("hello", false)
			_, _ = broken.Handler(t).Handle(broken.Exchange())
		}()
		for result, want := range map[string]int{"incomplete": 4, "answered": 3, "dropped": 0} {
			if n := counts.Of("mirror_total", "service", "dark", "result", result); n != want {
				t.Errorf("%d %s, want %d", n, result, want)
			}
		}
	})
}

func must(resp *http.Response, _ error) *http.Response { return resp }

// A body that ends after the last configuration that has the filter makes no copy.
func TestMirrorAfterItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(dark)
		c := mirrorCase(t, d, "", nil)
		c.Request = post("hello", false)
		c.Next = exchange.HandlerFunc(func(x *exchange.Exchange) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(x.Request.Body)}, nil
		})
		var resp *http.Response
		t.Cleanup(func() {
			finish(t, resp)
			synctest.Wait()
			if got := d.copies(); got != nil {
				t.Errorf("got %q", got)
			}
		})
		var err error
		if resp, err = c.Handler(t).Handle(c.Exchange()); err != nil {
			t.Fatal(err)
		}
	})
}

// endless is an answer without an end.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

func (e *endless) Close() error { return nil }

func TestMirrorReadsABoundedAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body, counts := new(endless), new(filtertest.Counts)
		d := &dark{answer: func(*exchange.Exchange) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: body}, nil
		}}
		mirrorCase(t, d, "", counts).Run(t)
		synctest.Wait()
		if n := counts.Of("mirror_total", "service", "dark", "result", "answered"); n != 1 || body.read > 512<<10 {
			t.Errorf("%d answered, %d bytes read", n, body.read)
		}
	})
}

func TestMirrorInARehearsal(t *testing.T) {
	for config, want := range map[string]string{
		", share: 5%":     "copies 5% of such requests to the service dark",
		", observe: true": "would copy 100% of such requests to the service dark",
		", max_body: 1":   "no copy its body is too large",
	} {
		synctest.Test(t, func(t *testing.T) {
			d, counts := new(dark), new(filtertest.Counts)
			c := mirrorCase(t, d, config, counts)
			c.Request = post("hello", false)
			x := c.Exchange()
			x.Rehearsal, x.Record = true, new(exchange.Record)
			if _, err := c.Handler(t).Handle(x); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			if s := x.Record.Steps; len(s) != 1 || s[0].Verdict+" "+s[0].Why != want {
				t.Errorf("%s: %+v", config, s)
			}
			if counts.Total("mirror_total") != 0 || len(d.copies()) != 0 {
				t.Errorf("%s: something was sent or counted", config)
			}
		})
	}
}

func TestMirrorProblems(t *testing.T) {
	for config, want := range map[string]string{
		"":                                "service: is required",
		"service: drak":                   `service: there is no service "drak": did you mean "dark"?`,
		"{service: dark, timeout: 0s}":    `timeout: must be at least 1ms, got "0s"`,
		"{service: dark, max_pending: 0}": "max_pending: must be at least 1, got 0",
		"{service: dark, max_body: 1GiB}": `max_body: must be at most 16MiB, got "1GiB"`,
	} {
		c := mirrorCase(t, new(dark), "", nil)
		c.Config = config
		if got := c.Problems(); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q", config, got)
		}
	}
}

// A request that is not drawn costs nothing.
func TestMirrorPassesForNothing(t *testing.T) {
	c := mirrorCase(t, new(dark), ", share: 0%", nil)
	c.Next = exchange.HandlerFunc(func(*exchange.Exchange) (*http.Response, error) { return nil, nil })
	h, x := c.Handler(t), c.Exchange()
	if n := testing.AllocsPerRun(100, func() { _, _ = h.Handle(x) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
