package admin_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/exchange"
)

// kept is a configuration with a cache before fixed answers.
const kept = `version: 1
access_log: {path: ""}
listeners:
  web: {address: "127.0.0.1:0"}
routes:
  shop:
    match: {hosts: [shop.example.com]}
    filters: [{cache: {key: {query: {except: [utm_*]}, cookies: [tier]}}}]
    respond:
      body: hello
      headers: {Cache-Control: "max-age=60, stale-if-error=10", ETag: '"1"', Surrogate-Key: "a b", Set-Cookie: "id=secret", Vary: "Accept-Language, Authorization"}
  img:
    match: {hosts: [img.example.com]}
    filters: [{cache: {}}]
    respond: {headers: {Cache-Control: "s-maxage=60", Cache-Tag: "img"}}
  plain:
    match: {hosts: [plain.example.com]}
    respond: {}
`

// fetch lets a request go through the configuration that serves, and returns what the cache says of it.
func (k *kit) fetch(rawURL string, header ...string) string {
	k.t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		k.t.Fatal(err)
	}
	r := httptest.NewRequest("GET", rawURL, http.NoBody)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	x := &exchange.Exchange{
		Request: r, Scheme: u.Scheme, Host: u.Hostname(), Path: u.EscapedPath(), RawPath: u.EscapedPath(), ID: "x",
		Client: netip.MustParseAddrPort("192.0.2.1:4000"),
	}
	x.Timings.Start = time.Now()
	resp, err := k.control.State().Snapshot.Handle(x)
	if err != nil {
		k.t.Fatal(err)
	}
	status := resp.Header.Get("Cache-Status") // before the header is lent to others
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return status
}

func (k *kit) wantCached(rawURL, status string, header ...string) {
	k.t.Helper()
	if got := k.fetch(rawURL, header...); !strings.Contains(got, status) {
		k.t.Errorf("%s: %q, want %q", rawURL, got, status)
	}
}

func TestCacheWithoutOne(t *testing.T) {
	k := started(t, shop)
	k.call("GET", "/v1/cache", "").refused(404, "no_cache", "no route has a cache filter")
	k.call("GET", "/v1/cache/objects", "").refused(404, "no_cache")
	k.call("GET", "/v1/cache/inspect?url=http://a/", "").refused(404, "no_cache")
	k.call("POST", "/v1/cache/purge", `{"all":true}`).refused(404, "no_cache")
	newKit(t, shop).call("GET", "/v1/cache", "").refused(503, "not_ready")
}

func TestCacheStats(t *testing.T) {
	k := started(t, kept)
	var s client.CacheStats
	k.call("GET", "/v1/cache", "").want(200).read(&s)
	if s.HitRatio != nil || len(s.Tiers) != 1 || s.Tiers[0].Name != "memory" || s.Tiers[0].Budget != 128<<20 {
		t.Errorf("at first: %+v", s)
	}
	for range 4 {
		k.fetch("http://img.example.com/a")
	}
	k.call("POST", "/v1/cache/purge", `{"tags":["img"],"soft":true}`).want(200)
	k.call("POST", "/v1/cache/purge", `{"all":true}`).want(200)
	k.call("GET", "/v1/cache", "").want(200).read(&s)
	if s.HitRatio == nil || *s.HitRatio != .75 || s.Requests["hit"] != 3 || s.Requests["miss"] != 1 || s.Tiers[0].Writes != 1 {
		t.Errorf("after four requests: %+v", s)
	}
	if len(s.Purges) != 2 || s.Purges[0] != (client.CachePurges{By: "tag", Soft: 1}) || s.Purges[1] != (client.CachePurges{By: "all", Hard: 1}) {
		t.Errorf("purges: %+v", s.Purges)
	}
	metrics := k.call("GET", "/metrics", "").want(200).body
	if !strings.Contains(metrics, `sallyport_cache_purges_total{by="tag",mode="soft"} 1`) {
		t.Error("purges are not in the metrics")
	}
	if log := k.log.String(); !strings.Contains(log, `msg="cache purged" by=tag what=[img] soft=true remote=192.0.2.1:1234`) {
		t.Errorf("purges are not in the log: %s", log)
	}
}

func TestCacheObjects(t *testing.T) {
	k := started(t, kept)
	for i := range 5 {
		k.fetch(fmt.Sprint("http://shop.example.com/", i), "Cookie", "tier=gold")
		k.fetch(fmt.Sprint("https://img.example.com/", i))
	}
	for query, want := range map[string]int{
		"":                                      10,
		"?limit=3":                              3,
		"?host=shop.example.com":                5,
		"?host=SHOP.example.com.":               5,
		"?tag=a":                                5,
		"?tag=img&host=shop.example.com":        0,
		"?prefix=http://shop.example.com":       5,
		"?prefix=http://Shop.example.com:80/./": 5,
		"?prefix=https://img.example.com/1":     1,
		"?prefix=http://img.example.com/1":      0,
	} {
		var l client.CacheListing
		body := k.call("GET", "/v1/cache/objects"+query, "").want(200)
		body.read(&l)
		if len(l.Data) != want || l.More != (query == "?limit=3") {
			t.Errorf("%s: %d, %v; want %d", query, len(l.Data), l.More, want)
		}
		if strings.Contains(body.body, "secret") || strings.Contains(body.body, "gold") {
			t.Errorf("%s: it shows cookies: %s", query, body.body)
		}
	}
	k.call("GET", "/v1/cache/objects?limit=0", "").refused(400, "invalid_parameter", "limit: want a number from 1 to 1000")
	k.call("GET", "/v1/cache/objects?prefix=shop", "").refused(400, "invalid_parameter", "prefix: ", "scheme and host")
	k.call("GET", "/v1/cache/objects?host=a..b", "").refused(400, "invalid_parameter", "host: ")
}

func TestCacheInspect(t *testing.T) {
	k := started(t, kept)
	k.fetch("http://shop.example.com/a?b=1&utm_source=x", "Accept-Language", "de", "Cookie", "tier=gold")
	k.fetch("http://shop.example.com/a?b=1", "Accept-Language", "en")
	inspect := func(rawURL string) (i client.CacheInspection, text string) {
		r := k.call("GET", "/v1/cache/inspect?url="+url.QueryEscape(rawURL), "").want(200)
		r.read(&i)
		return i, r.body
	}
	i, text := inspect("http://SHOP.example.com:80/x/../a?b=1&utm_source=mail")
	if len(i.Variants) != 2 || len(i.URLs) != 2 || i.URLs[1] != "http://shop.example.com/a?b=1" {
		t.Fatalf("%s", text)
	}
	if i.Now.Verdict != "would miss" || !strings.HasPrefix(i.Now.Why, "vary-miss: ") || i.Now.Route != "shop" {
		t.Errorf("now: %+v", i.Now)
	}
	v := i.Variants[1]
	if v.State != "fresh" || v.LifetimeFrom != "max-age" || v.Lifetime.Std() != time.Minute || v.StaleIfError.Std() != 10*time.Second ||
		v.ETag != `"1"` || v.Selects["Accept-Language"] != "de" || len(v.Selects) != 1 || v.Tier != "memory" || v.Bytes != 5 ||
		strings.Join(v.Tags, " ") != "a b" || len(v.Key) != 1 || v.Key[0] != "***" || v.Header["Set-Cookie"][0] != "***" ||
		!strings.Contains(v.Why, "by max-age") || v.Status != 200 || v.Host != "shop.example.com" {
		t.Errorf("%+v", v)
	}
	if strings.Contains(text, "secret") || strings.Contains(text, "gold") {
		t.Errorf("it shows cookies: %s", text)
	}

	k.call("POST", "/v1/cache/purge", `{"url":"http://shop.example.com/a?b=1","soft":true}`).want(200)
	i, text = inspect("http://shop.example.com/a?b=1")
	if len(i.Variants) != 2 || i.Variants[0].SoftlyPurged == nil || i.Variants[0].State != "stale" || !strings.Contains(i.Variants[0].Why, "softly purged") {
		t.Errorf("softly purged: %s", text)
	}
	k.fetch("http://img.example.com/i")
	for rawURL, want := range map[string]string{
		"http://img.example.com/i":   "would hit",
		"http://img.example.com/j":   "would miss",
		"http://plain.example.com/a": "no cache",
		"http://other.example.com/a": "no cache",
	} {
		if i, _ := inspect(rawURL); i.Now.Verdict != want {
			t.Errorf("%s: %+v", rawURL, i.Now)
		}
	}
	var s client.CacheStats
	k.call("GET", "/v1/cache", "").want(200).read(&s)
	if s.Requests["hit"] != 0 || s.Requests["miss"] != 3 {
		t.Errorf("looking was counted: %+v", s.Requests)
	}
	k.call("GET", "/v1/cache/inspect", "").refused(400, "invalid_parameter", "url is missing")
	k.call("GET", "/v1/cache/inspect?url=a/b", "").refused(400, "invalid_parameter", "url: ")
	var e client.Explanation
	k.call("POST", "/v1/explain", `{"url":"http://img.example.com/i"}`).want(200).read(&e)
	if !e.Cached || e.Status != 200 || e.CacheURL != "http://img.example.com/i" {
		t.Errorf("explained: %+v", e)
	}
}

func TestCachePurge(t *testing.T) {
	k := started(t, kept)
	urls := []string{"http://shop.example.com/a?b=1", "http://img.example.com/a", "https://img.example.com/a", "http://img.example.com/b"}
	for body, gone := range map[string]string{
		`{"url":"http://shop.example.com/a?b=1&utm_x=1"}`:  "1000",
		`{"url":"https://IMG.example.com:443/x/../a"}`:     "0010",
		`{"prefix":"http://img.example.com"}`:              "0101",
		`{"prefix":"http://img.example.com/a"}`:            "0100",
		`{"tags":["none","b"]}`:                            "1000",
		`{"tags":["img"]}`:                                 "0111",
		`{"host":"img.example.com"}`:                       "0111",
		`{"all":true}`:                                     "1111",
		`{"url":"http://img.example.com/none"}`:            "0000",
		`{"prefix":"https://shop.example.com/"}`:           "0000",
		`{"host":"example.com"}`:                           "0000",
		`{"url":"http://img.example.com/a?","soft":false}`: "0000",
	} {
		for _, soft := range []bool{false, true} {
			for _, u := range urls {
				k.fetch(u)
			}
			body := body
			if soft {
				body = strings.TrimSuffix(body, "}") + `,"soft":true}`
				if strings.Contains(body, `"soft":false`) {
					continue
				}
			}
			objects := strings.Count(gone, "1") + strings.Count(gone[:1], "1") // that URL has an index too
			if strings.Contains(body, `"tags"`) {
				objects = strings.Count(gone, "1")
			}
			var p client.CachePurged
			k.call("POST", "/v1/cache/purge?dry_run=true", body).want(200).read(&p)
			if p.Objects == nil || int(*p.Objects) != objects || !p.DryRun || p.Soft != soft || p.More {
				t.Errorf("%s: a dry run says %+v, want %d", body, p, objects)
			}
			for _, u := range urls {
				k.wantCached(u, "; hit")
			}
			p = client.CachePurged{}
			k.call("POST", "/v1/cache/purge", body).want(200).read(&p)
			if p.DryRun || p.Soft != soft || (p.Objects != nil) != (p.By == "all") {
				t.Errorf("%s: %+v", body, p)
			}
			for i, u := range urls {
				want := "; hit"
				switch {
				case gone[i] == '1' && soft:
					want = "fwd=stale"
				case gone[i] == '1':
					want = "-miss" // of tags the index of variants has none
				}
				k.wantCached(u, want)
			}
		}
	}
	for body, reason := range map[string]string{
		`{}`:                                "invalid_body",
		`{"soft":true}`:                     "invalid_body",
		`{"url":"http://a/","all":true}`:    "invalid_body",
		`{"tags":[]}`:                       "invalid_body",
		`{"tag":"a"}`:                       "invalid_body",
		`{"url":"/a"}`:                      "invalid_field",
		`{"prefix":"shop"}`:                 "invalid_field",
		`{"prefix":"ftp://shop/"}`:          "invalid_field",
		`{"host":"http://img.example.com"}`: "invalid_field",
		`{"tags":["a b"]}`:                  "invalid_field",
		`{"tags":[""]}`:                     "invalid_field",
	} {
		k.call("POST", "/v1/cache/purge", body).refused(400, reason)
	}
	k.call("POST", "/v1/cache/purge?dryrun=true", `{"all":true}`).refused(400, "invalid_parameter", "dry_run")
}

// A purge by tag takes no longer for many answers than for one, and stops nobody who reads.
func TestCachePurgeOfMany(t *testing.T) {
	const many = 5000
	k := started(t, kept)
	for i := range many {
		k.fetch(fmt.Sprint("http://img.example.com/", i))
	}
	var stop atomic.Bool
	var slowest atomic.Int64
	var reading sync.WaitGroup
	snap := k.control.State().Snapshot
	for range 2 {
		reading.Go(func() {
			for i := 0; !stop.Load(); i = (i + 1) % many {
				x := &exchange.Exchange{
					Request: httptest.NewRequest("GET", fmt.Sprint("http://shop.example.com/", i), http.NoBody), Scheme: "http",
					Host: "shop.example.com", Path: "/read", RawPath: "/read", ID: "x",
				}
				began := time.Now()
				resp, err := snap.Handle(x)
				if err != nil {
					t.Error(err)
					return
				}
				_ = resp.Body.Close()
				if took := int64(time.Since(began)); took > slowest.Load() {
					slowest.Store(took)
				}
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	began := time.Now()
	k.call("POST", "/v1/cache/purge", `{"tags":["img"]}`).want(200)
	took := time.Since(began)
	stop.Store(true)
	reading.Wait()
	if took > 50*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	t.Logf("it took %v; the slowest read %v", took, time.Duration(slowest.Load()))
	for i := range many {
		if got := k.fetch(fmt.Sprint("http://img.example.com/", i)); !strings.Contains(got, "uri-miss") {
			t.Fatalf("%d: %s", i, got)
		}
	}
}
