package cache

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/asynched/api-gateway/internal/httpcache"
)

// rehearse notes what would become of the request, and goes on to the service where the request would.
func (q *call) rehearse() (*http.Response, error) {
	got := q.find()
	defer got.release()
	v := q.verdict(got)
	if q.x.Explaining() {
		q.x.Record.CacheURL = string(q.key[:q.url-1])
		q.note("would "+v.String(), q.explain(got))
	}
	switch {
	case got.decision.Action == httpcache.Unavailable && !q.observe:
		return nil, errUnavailable()
	case q.observe && v != wouldMiss:
		q.note("passes by", "it only observes")
	case v == wouldHit || v == wouldStale:
		a := httpcache.Respond(&q.rq, got.entry.meta, got.held, q.at)
		header := make(http.Header)
		a.WriteHeader(header, got.entry.meta)
		q.strip(header)
		q.x.Cached = true
		return &http.Response{
			StatusCode: a.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Body: http.NoBody,
			Request: q.x.Request,
		}, nil
	}
	y := q.fork(q.x.Request.Context())
	defer q.adopt(y)
	return q.next.Handle(y)
}

// explain says in a sentence why a request gets what was found, or does not.
func (q *call) explain(got *found) string {
	d := &got.decision
	if got.obj == nil {
		if got.miss == httpcache.ForwardVaryMiss {
			return fmt.Sprintf("%s: what is kept varies on %s, and nothing is for this request", got.miss, strings.Join(q.varies(), ", "))
		}
		return fmt.Sprintf("%s: nothing is kept for %s", got.miss, q.key[:q.url-1])
	}
	why := age(got.entry.meta, q.at)
	if purged := got.obj.Stale(); !purged.IsZero() {
		why = "softly purged " + short(q.at.Sub(purged)) + " ago"
	}
	switch d.Action {
	case httpcache.Refresh:
		return fmt.Sprintf("%s; may be used for %s after its time, and the service is asked meanwhile", why, short(got.entry.meta.StaleWhileRevalidate))
	case httpcache.Validate:
		return fmt.Sprintf("%s: %s; the service is asked first%s", d.Reason, why, validators(got.entry.meta))
	case httpcache.Forward, httpcache.Unavailable:
		return fmt.Sprintf("%s: %s", d.Reason, why)
	}
	return why
}

// varies are the names of the fields that the answers for the URL vary on.
func (q *call) varies() []string {
	var all []string
	if q.index != nil {
		all = slices.Sorted(slices.Values(slices.Concat(q.index.Sets...)))
	}
	return slices.Compact(all)
}

// age says how old an answer is, and how long it is or was fresh.
func age(m *httpcache.Meta, now time.Time) string {
	left := m.Left(now)
	state := "fresh for " + short(left)
	if left <= 0 {
		state = "stale since " + short(-left)
	}
	return fmt.Sprintf("%s: %s old, and fresh until %s%s", state, short(m.Age(now)), short(m.Lifetime), lifetimeFrom(m))
}

// lifetimeFrom says where the lifetime of an answer is from.
func lifetimeFrom(m *httpcache.Meta) string {
	switch m.Source {
	case httpcache.NoSource:
		return ", since nothing says how long"
	case httpcache.FromOverride:
		return " by the filter's ttl"
	case httpcache.FromDefault:
		return " by the filter's default_ttl"
	case httpcache.FromHeuristic:
		return " by a guess from Last-Modified"
	case httpcache.FromExpires:
		return " by Expires"
	}
	if m.Targeted != "" {
		return fmt.Sprintf(" by %s of %s", m.Source, m.Targeted)
	}
	return " by " + m.Source.String()
}

// validators says by what an answer would be validated.
func validators(m *httpcache.Meta) string {
	switch {
	case m.ETag != "":
		return " with If-None-Match: " + m.ETag
	case m.LastModified != "":
		return " with If-Modified-Since: " + m.LastModified
	}
	return ", without a validator"
}

// short writes a time as people read it: whole seconds from a second on.
func short(d time.Duration) string {
	if d >= time.Second {
		return d.Round(time.Second).String()
	}
	return d.Round(time.Millisecond).String()
}
