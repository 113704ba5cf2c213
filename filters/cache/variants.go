package cache

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"

	"github.com/asynched/api-gateway/internal/httpcache"
	"github.com/asynched/api-gateway/internal/objects"
)

// maxTries is how often an index is changed anew if others change it at the same time.
const maxTries = 8

// place returns the key under which an answer is kept: that of the request, or one of a variant, whose index is written if
// need be.
func (q *call) place(meta *httpcache.Meta, since objects.Mark) ([]byte, error) {
	if len(meta.Vary.Fields) == 0 {
		return q.key, nil
	}
	err := objects.ErrConflict
	for try := 0; try < maxTries && errors.Is(err, objects.ErrConflict); try++ {
		var v *index
		if v, err = q.enlist(meta, since); err == nil {
			key := append(slices.Clip(q.key), v.suffix(&meta.Vary, q.rq.Header)...)
			if len(key) > objects.MaxKey {
				return nil, objects.ErrInvalid
			}
			return key, nil
		}
	}
	return nil, err
}

// enlist returns the index of the URL, in which the answer has a place.
func (q *call) enlist(meta *httpcache.Meta, since objects.Mark) (*index, error) {
	storage, ctx := q.store.objects, q.background()
	old, err := storage.Find(ctx, q.key)
	var v *index
	if err == nil {
		defer old.Release()
		v, _ = old.Meta().Value.(*index)
	}
	if v == nil {
		v = (&index{Generation: rand.Text()}).with(meta, q.rq.Header)
		w, err := storage.Create(ctx, objects.Spec{
			Key: q.key, Host: q.x.Host, Meta: metaOf(v), Since: since, Absent: old == nil,
		})
		if err != nil {
			return nil, err
		}
		return v, w.Commit(ctx, nil)
	}
	next := v.with(meta, q.rq.Header)
	if next == v {
		return v, nil
	}
	return next, storage.Update(ctx, old, metaOf(next), since)
}

// with returns an index in which an answer has a place: the same one if it has it already.
func (v *index) with(meta *httpcache.Meta, request http.Header) *index {
	next, changed := *v, false
	if !slices.ContainsFunc(v.Sets, func(set []string) bool { return slices.Equal(set, meta.Vary.Fields) }) {
		changed = true
		next.Sets = append([][]string{meta.Vary.Fields}, v.Sets[:min(len(v.Sets), maxSets-1)]...)
	}
	if meta.Vary.Language != "" && slices.Contains(meta.Vary.Fields, "Accept-Language") {
		key := v.suffix(&meta.Vary, request)
		if !slices.ContainsFunc(v.Spoken, func(s spoken) bool { return s.Key == key }) {
			changed = true
			next.Spoken = append([]spoken{{meta.Vary, key}}, v.Spoken[:min(len(v.Spoken), maxSpoken-1)]...)
		}
	}
	if !changed {
		return v
	}
	return &next
}
