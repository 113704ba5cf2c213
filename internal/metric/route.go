package metric

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A Route counts the requests that one route answers by one service. It is safe for concurrent use. It shows no series
// before its first request, so that a hundred thousand quiet hosts cost nothing.
type Route struct {
	set            *Set
	route, service string
	closed         bool // guarded by set.mu

	totals atomic.Pointer[totals]
	codes  children[codeKey]
	errors children[errorKey]
}

type totals struct {
	in, out  prometheus.Counter
	duration prometheus.Observer
}

type codeKey struct {
	method uint8
	by     Author
	code   uint16
}

type errorKey struct{ reason, source string }

// An Author is who made the answer to a request, as against who is at fault.
type Author uint8

// The authors.
const (
	Nobody   Author = iota // the client left, or was cut off, before there was an answer
	Gateway                // an error, a redirect, a fixed response
	Upstream               // an instance
	Cache                  // the cache, with what an instance had answered before
)

// String returns the word that metrics and logs have for the author.
func (a Author) String() string { return [...]string{"none", "gateway", "upstream", "cache"}[a] }

// Observe counts one request that has ended: its method, the status code the client got, who made the answer, how long it
// took, and the bytes of its bodies. An unknown method and a code outside 100 to 599 are counted as "other". It allocates nothing but the
// first time for a method and code.
func (r *Route) Observe(method string, code int, by Author, took time.Duration, in, out int64) {
	if code < 100 || code > 599 {
		code = 0
	}
	k := codeKey{methodIndex(method), by, uint16(code)}
	n := r.codes.find(k)
	if n == nil {
		n = r.addCode(k)
	}
	n.Inc()
	if code >= http.StatusInternalServerError {
		r.set.failed.Add(1)
	}
	t := r.totals.Load()
	if t == nil {
		t = r.addTotals()
	}
	t.duration.Observe(took.Seconds())
	if in > 0 {
		t.in.Add(float64(in))
	}
	if out > 0 {
		t.out.Add(float64(out))
	}
}

// Error counts one answer that the gateway made itself, by its stable reason and by who is at fault; both come from a
// fixed list. Observe counts the request too.
func (r *Route) Error(reason, source string) {
	n := r.errors.find(errorKey{reason, source})
	if n == nil {
		n = r.addError(errorKey{clean(reason), clean(source)})
	}
	n.Inc()
}

// Close forgets the route: its series vanish from the next scrape. Exchanges that still count on it do so in vain. It
// returns nil; it is there so that a lease can end with it.
func (r *Route) Close() error {
	s := r.set
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	delete(s.routes, pair{r.route, r.service})
	r.codes.each(func(k codeKey) {
		s.requests.DeleteLabelValues(r.route, r.service, methodName(k.method), codeName(k.code), k.by.String())
	})
	r.errors.each(func(k errorKey) { s.errors.DeleteLabelValues(r.route, r.service, k.reason, k.source) })
	s.bytesIn.DeleteLabelValues(r.route, r.service)
	s.bytesOut.DeleteLabelValues(r.route, r.service)
	s.duration.DeleteLabelValues(r.route, r.service)
	return nil
}

func (r *Route) addCode(k codeKey) prometheus.Counter {
	r.set.mu.Lock()
	defer r.set.mu.Unlock()
	return r.codes.add(k, r.closed, r.set.requests, r.route, r.service, methodName(k.method), codeName(k.code), k.by.String())
}

func (r *Route) addError(k errorKey) prometheus.Counter {
	r.set.mu.Lock()
	defer r.set.mu.Unlock()
	return r.errors.add(k, r.closed, r.set.errors, r.route, r.service, k.reason, k.source)
}

func (r *Route) addTotals() *totals {
	s := r.set
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := r.totals.Load(); t != nil {
		return t
	}
	t := &totals{
		in:       s.bytesIn.WithLabelValues(r.route, r.service),
		out:      s.bytesOut.WithLabelValues(r.route, r.service),
		duration: s.duration.WithLabelValues(r.route, r.service),
	}
	if r.closed {
		// The handles stay good, but nobody sees them.
		s.bytesIn.DeleteLabelValues(r.route, r.service)
		s.bytesOut.DeleteLabelValues(r.route, r.service)
		s.duration.DeleteLabelValues(r.route, r.service)
	}
	r.totals.Store(t)
	return t
}

// exchanges makes the metrics of routes.
func (v *vectors) exchanges() {
	v.requests = counters("requests_total",
		"Requests answered, by route, service, method, status code, and by who made the answer.",
		"route", "service", "method", "code", "answered_by")
	v.errors = counters("request_errors_total",
		"Requests that failed, before the answer or within it, by stable reason and by who is at fault.",
		"route", "service", "reason", "source")
	v.bytesIn = counters("request_body_bytes_total", "Bytes of request bodies read from clients.", "route", "service")
	v.bytesOut = counters("response_body_bytes_total", "Bytes of response bodies written to clients.", "route", "service")
	v.duration = times("request_duration_seconds",
		"Time from the head of the request read to the last byte of the answer written.", "route", "service")
}

// methodIndex returns a small number for each method of RFC 9110 and PATCH, and zero for any other: a client may make up
// as many as it likes.
func methodIndex(method string) uint8 {
	switch method {
	case http.MethodGet:
		return 1
	case http.MethodHead:
		return 2
	case http.MethodPost:
		return 3
	case http.MethodPut:
		return 4
	case http.MethodPatch:
		return 5
	case http.MethodDelete:
		return 6
	case http.MethodConnect:
		return 7
	case http.MethodOptions:
		return 8
	case http.MethodTrace:
		return 9
	}
	return 0
}

func methodName(index uint8) string {
	return [...]string{"other", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"}[index]
}

func codeName(code uint16) string {
	if code == 0 {
		return "other"
	}
	return strconv.Itoa(int(code))
}
