package cache

import (
	"bytes"
	"hash/maphash"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/internal/httpcache"
	"github.com/asynched/api-gateway/internal/objects"
)

// searches know which answers say that their query means less than it says (No-Vary-Search), and under what keys they are. An
// answer stands under the key of the URL that brought it; this leads to it from others. It is a hint and forgets: what it
// leads to is compared with the request before it is used.
type searches struct {
	seed   maphash.Seed
	any    atomic.Bool // there has been such an answer
	shards [16]searchShard
}

type searchShard struct {
	mu    sync.RWMutex
	rules map[uint64][]httpcache.Variance // by the URL without its query, those of the latest answers first
	keys  map[uint64]string               // by that, a rule, and what the query means by it
}

// What searches remember at most: rules for a URL, such URLs and answers in a shard, and how long a query may be.
const (
	maxRules    = 4
	maxSearches = 256
	maxAliases  = 2048
	maxSearch   = 2048
)

func (s *searches) init() { s.seed = maphash.MakeSeed() }

// of returns the shard for the key of a URL without its query.
func (s *searches) of(base []byte) (*searchShard, uint64) {
	hash := maphash.Bytes(s.seed, base)
	return &s.shards[hash%uint64(len(s.shards))], hash
}

// alias is the place of an answer: what its query means by a rule.
func (s *searches) alias(base uint64, v *httpcache.Variance, query string) uint64 {
	return base ^ maphash.Comparable(s.seed, [2]string{v.Key(query), ruleOf(v)})
}

// ruleOf tells rules apart.
func ruleOf(v *httpcache.Variance) string {
	b := []byte{'-', '-', ' '}
	if v.AnyOrder {
		b[0] = '+'
	}
	if v.All {
		b[1] = '+'
	}
	for _, list := range [...][]string{v.Ignore, v.Keep} {
		for _, name := range list {
			b = append(append(b, name...), sep)
		}
		b = append(b, sep)
	}
	return string(b)
}

// put remembers the key of an answer. It returns the one of an answer that means the same and is older, "" for none.
func (s *searches) put(base []byte, v *httpcache.Variance, query string, key []byte) (older string) {
	sh, hash := s.of(base)
	at := s.alias(hash, v, query)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.rules == nil {
		sh.rules, sh.keys = make(map[uint64][]httpcache.Variance), make(map[uint64]string)
	}
	rules := slices.DeleteFunc(slices.Clone(sh.rules[hash]), func(one httpcache.Variance) bool { return one.Equal(v) })
	rules = slices.Insert(rules, 0, *v)
	drop(sh.rules, hash, maxSearches)
	drop(sh.keys, at, maxAliases)
	sh.rules[hash] = rules[:min(len(rules), maxRules)]
	if older = sh.keys[at]; older == string(key) {
		return ""
	}
	sh.keys[at] = string(key)
	s.any.Store(true)
	return older
}

// drop makes room for a key in a map that holds so many.
func drop[V any](m map[uint64]V, key uint64, most int) {
	if _, found := m[key]; found || len(m) < most {
		return
	}
	for other := range m {
		delete(m, other)
		return
	}
}

// find returns the keys of answers that the query may mean.
func (s *searches) find(base []byte, query string) (keys []string) {
	sh, hash := s.of(base)
	sh.mu.RLock()
	rules := sh.rules[hash]
	sh.mu.RUnlock()
	for i := range rules {
		at := s.alias(hash, &rules[i], query)
		sh.mu.RLock()
		key, found := sh.keys[at]
		sh.mu.RUnlock()
		if found {
			keys = append(keys, key)
		}
	}
	return keys
}

// base returns the key of the request's URL without its query.
func (q *call) base() []byte {
	b := appendURL(nil, q.x.Scheme, q.host, q.x.Path, "", false)
	return q.cache.key.appendRest(b, q.x)
}

// searchable reports whether the request may have an answer to another query.
func (q *call) searchable() bool {
	return (q.rq.Method == http.MethodGet || q.rq.Method == http.MethodHead) && len(q.query) <= maxSearch
}

// lookElsewhere looks for an answer to another query that says that this one means the same.
func (q *call) lookElsewhere(got *found) (obj *objects.Object, e *entry, stale time.Time) {
	if !q.searchable() {
		return nil, nil, stale
	}
	own := q.key
	defer func() { q.key = own }()
	base := q.base()
	for _, key := range q.store.searches.find(base, q.query) {
		if q.key = []byte(key); bytes.Equal(q.key, own) {
			continue
		}
		obj, e, stale = q.lookHere(got)
		if obj == nil {
			continue
		}
		if query, ok := queryOf(q.key, base); ok && e.meta.Query.Loose && e.meta.Query.Same(query, q.query) {
			got.miss = ""
			return obj, e, stale
		}
		obj.Release()
	}
	q.index = nil
	got.miss = httpcache.ForwardURIMiss
	return nil, nil, time.Time{}
}

// queryOf returns the query of a key, if that is the same as a base but for its query.
func queryOf(key, base []byte) (query string, ok bool) {
	end, at := bytes.IndexByte(key, sep), bytes.IndexByte(base, sep)
	if end < at || !bytes.Equal(key[:at], base[:at]) || !bytes.Equal(key[end:], base[at:]) {
		return "", false
	}
	if end == at {
		return "", true
	}
	return string(key[at+1 : end]), key[at] == '?'
}

// searchFor remembers an answer that is about to be kept. What it takes the place of is dropped, so that there is one for
// all queries that mean the same.
func (q *call) searchFor(meta *httpcache.Meta) {
	if !meta.Query.Loose || meta.Method != http.MethodGet || !q.searchable() {
		return
	}
	if older := q.store.searches.put(q.base(), &meta.Query, q.query, q.key); older != "" {
		q.drop(older)
	}
}

// invalidateElsewhere drops what is stored for other queries that mean the same as a URL that has changed.
func (q *call) invalidateElsewhere(u *url.URL) {
	if !q.store.searches.any.Load() || len(u.RawQuery) > maxSearch {
		return
	}
	base := q.cache.key.appendRest(appendURL(nil, u.Scheme, u.Host, u.EscapedPath(), "", false), q.x)
	for _, key := range q.store.searches.find(base, q.cache.key.query(u)) {
		q.drop(key)
	}
}

// drop drops what stands under a key.
func (q *call) drop(key string) {
	if err := q.store.objects.Purge(q.background(), objects.Purge{Scope: objects.ByKey, Text: key}); err != nil {
		q.note("does not drop", err.Error())
	}
}
