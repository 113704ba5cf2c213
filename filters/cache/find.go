package cache

import (
	"time"

	"github.com/asynched/api-gateway/internal/httpcache"
	"github.com/asynched/api-gateway/internal/objects"
)

// found is what the storage has for a request; obj is nil if there is nothing.
type found struct {
	obj      *objects.Object
	entry    *entry
	held     httpcache.Held
	decision httpcache.Decision
	miss     httpcache.ForwardReason // why there is nothing
}

// release gives up what was found. It may be called twice.
func (f *found) release() {
	if f.obj != nil {
		f.obj.Release()
		f.obj = nil
	}
}

// find looks for what is stored for the request, and decides what is to be done with it.
func (q *call) find() *found {
	got := &q.got
	if q.at.IsZero() {
		q.at = q.now()
	} else {
		q.at, got = q.now(), new(found)
	}
	obj, e, stale := q.look(got)
	if obj == nil {
		got.decision.Action = httpcache.Forward
		if q.rq.Control.OnlyIfCached {
			got.decision.Action = httpcache.Unavailable
		}
		return got
	}
	if !stale.IsZero() {
		e = &entry{meta: e.meta.Purged(stale), held: e.held}
	}
	n, complete := obj.Size()
	got.obj, got.entry, got.held = obj, e, e.of(n, complete)
	got.decision = q.policy.Reuse(&q.rq, e.meta, got.held, q.at)
	if got.decision.Action == httpcache.Refresh && q.rq.Method == methodQuery {
		got.decision.Action = httpcache.Validate // its content is here now, and not later
	}
	return got
}

// lookUp returns the object with a key. A rehearsal leaves no trace of it.
func (q *call) lookUp(key []byte) (*objects.Object, error) {
	if q.x.Rehearsal {
		return q.store.objects.Peek(q.background(), key)
	}
	return q.store.objects.Find(q.background(), key)
}

// look returns the object for the request, and since when it is stale because of a purge. Without one got says why.
func (q *call) look(got *found) (obj *objects.Object, e *entry, stale time.Time) {
	obj, e, stale = q.lookHere(got)
	if obj == nil && q.store.searches.any.Load() && got.miss == httpcache.ForwardURIMiss {
		return q.lookElsewhere(got)
	}
	return obj, e, stale
}

// lookHere looks under the key alone.
func (q *call) lookHere(got *found) (obj *objects.Object, e *entry, stale time.Time) {
	q.index = nil
	obj, err := q.lookUp(q.key)
	if err != nil {
		got.miss = httpcache.ForwardURIMiss
		return nil, nil, stale
	}
	switch v := obj.Meta().Value.(type) {
	case *entry:
		if v.meta.Vary.Selects(q.rq.Header) {
			return obj, v, obj.Stale()
		}
	case *index:
		defer obj.Release()
		q.index = v
		one, e, stale := q.variantOf(v, obj.Stale())
		if one == nil {
			got.miss = httpcache.ForwardVaryMiss
		}
		return one, e, stale
	}
	obj.Release()
	got.miss = httpcache.ForwardURIMiss
	return nil, nil, stale
}

// variantOf returns the latest of the variants that the request selects.
func (q *call) variantOf(v *index, purged time.Time) (obj *objects.Object, e *entry, stale time.Time) {
	take := func(suffix string) {
		o, err := q.lookUp(append(q.key, suffix...))
		if err != nil {
			return
		}
		one, ok := o.Meta().Value.(*entry)
		if !ok || !one.meta.Vary.Selects(q.rq.Header) || obj != nil && !one.meta.After(e.meta) {
			o.Release()
			return
		}
		if obj != nil {
			obj.Release()
		}
		obj, e = o, one
	}
	for _, fields := range v.Sets {
		take(v.suffix(&httpcache.Vary{Fields: fields}, q.rq.Header))
	}
	for i := range v.Spoken {
		if obj == nil && v.Spoken[i].Vary.Selects(q.rq.Header) {
			take(v.Spoken[i].Key)
		}
	}
	if obj == nil {
		return nil, nil, stale
	}
	stale = obj.Stale()
	if !purged.IsZero() && e.meta.ResponseTime.Before(purged) && (stale.IsZero() || purged.Before(stale)) {
		stale = purged
	}
	return obj, e, stale
}

// suffix returns what the key of a variant has behind that of its index.
func (v *index) suffix(vary *httpcache.Vary, request map[string][]string) string {
	return string(sep) + v.Generation + string(sep) + vary.Key(request)
}
