package httpcache_test

import (
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/httpcache"
)

func TestCacheStatus(t *testing.T) {
	type s = httpcache.CacheStatus
	for want, status := range map[string]s{
		"sallyport; hit; ttl=376":         {Cache: "sallyport", Hit: true, HasLeft: true, Left: 376*time.Second + 900*time.Millisecond},
		"sallyport; hit; ttl=-413":        {Cache: "sallyport", Hit: true, HasLeft: true, Left: -412*time.Second - time.Millisecond},
		"sallyport; fwd=uri-miss; stored": {Cache: "sallyport", Forward: httpcache.ForwardURIMiss, Stored: true},
		"sallyport; fwd=stale; fwd-status=304; ttl=60; stored; collapsed": {
			Cache: "sallyport", Forward: httpcache.ForwardStale, ForwardStatus: 304, HasLeft: true, Left: time.Minute,
			Stored: true, Collapsed: true,
		},
		`sallyport; fwd=miss; key="http://a/\"x\\"; detail=no-store`: {
			Cache: "sallyport", Forward: httpcache.ForwardMiss, Key: `http://a/"x\`, Detail: "no-store",
		},
		`"a cache"; hit; detail="two words?"`: {Cache: "a cache", Hit: true, Detail: "two words\n"},
		`"1st"; hit`:                          {Cache: "1st", Hit: true, Forward: httpcache.ForwardMiss, Stored: true},
	} {
		if got := status.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestForwardReasons(t *testing.T) {
	for reason, want := range map[httpcache.Reason]httpcache.ForwardReason{
		httpcache.IsStale: httpcache.ForwardStale, httpcache.RequestNoCache: httpcache.ForwardRequest,
		httpcache.PartMissing: httpcache.ForwardPartial, httpcache.OtherMethod: httpcache.ForwardMethod,
		httpcache.OriginPrecondition: httpcache.ForwardRequest, httpcache.Fresh: httpcache.ForwardMiss,
	} {
		if got := reason.Forward(); got != want {
			t.Errorf("%s is %s, want %s", reason, got, want)
		}
	}
}
