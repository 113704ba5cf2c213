package objectstest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asynched/api-gateway/internal/objects"
)

// Twin is the simplest storage that can be: a map that never evicts. It is what the suite compares others with, and a
// storage for the tests of other rooms. Its methods may be called by many goroutines at once.
type Twin struct {
	mu     sync.Mutex
	kept   map[string]*version
	purges []past
	last   objects.Mark
	stats  objects.Stats
}

var _ objects.Storage = (*Twin)(nil)

// A version is an object, and the moment since which purges are about it.
type version struct {
	*objects.Object
	born objects.Mark
}

type past struct {
	objects.Purge
	seq objects.Mark
	at  time.Time
}

// NewTwin returns an empty twin.
func NewTwin() *Twin { return &Twin{kept: make(map[string]*version)} }

// Close releases all objects, so that a test can tell whether others did.
func (s *Twin) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.kept {
		s.remove(key)
	}
	return nil
}

func (s *Twin) remove(key string) {
	s.kept[key].Release()
	delete(s.kept, key)
}

// Find implements objects.Storage.
func (s *Twin) Find(_ context.Context, key []byte) (*objects.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.kept[string(key)]
	if v == nil {
		s.stats.Misses++
		return nil, objects.ErrNotFound
	}
	s.stats.Hits++
	v.Acquire()
	return v.Object, nil
}

// Peek implements objects.Storage.
func (s *Twin) Peek(_ context.Context, key []byte) (*objects.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.kept[string(key)]
	if v == nil {
		return nil, objects.ErrNotFound
	}
	v.Acquire()
	return v.Object, nil
}

// Create implements objects.Storage.
func (s *Twin) Create(_ context.Context, spec objects.Spec) (*objects.Writer, error) {
	s.mu.Lock()
	born := max(spec.Since, 0)
	if born == 0 {
		born = s.last
	}
	s.mu.Unlock()
	return objects.NewWriter(spec, 1<<30, func(_ context.Context, o *objects.Object) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if spec.Absent && s.kept[o.Key()] != nil {
			return objects.ErrConflict
		}
		o.Acquire()
		return s.put(&version{o, born})
	})
}

// put stores a version, unless it was purged meanwhile.
func (s *Twin) put(v *version) error {
	for _, p := range s.purges {
		if p.seq <= v.born || !about(p.Purge, v.Object) {
			continue
		}
		if !p.Soft {
			v.Release()
			return objects.ErrPurged
		}
		v.MarkStale(p.at)
	}
	if s.kept[v.Key()] != nil {
		s.remove(v.Key())
	}
	s.kept[v.Key()] = v
	s.stats.Commits++
	return nil
}

// about tells whether a purge is about an object.
func about(p objects.Purge, o *objects.Object) bool {
	switch p.Scope {
	case objects.ByKey:
		return o.Key() == p.Text
	case objects.ByTag:
		return slices.Contains(o.Tags(), p.Text)
	case objects.ByHost:
		return o.Host() == p.Text
	case objects.ByPrefix:
		return strings.HasPrefix(o.Key(), p.Text)
	}
	return true
}

// Update implements objects.Storage.
func (s *Twin) Update(_ context.Context, old *objects.Object, meta objects.Meta, since objects.Mark) error {
	if meta.Size < 0 || meta.Size > objects.MaxMeta {
		return objects.ErrInvalid
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.kept[old.Key()]; now == nil || now.Object != old {
		return objects.ErrConflict
	}
	if since == 0 {
		since = s.last
	}
	return s.put(&version{old.With(meta), since})
}

// Purge implements objects.Storage.
func (s *Twin) Purge(_ context.Context, p objects.Purge) error {
	if p.Scope < objects.ByKey || p.Scope > objects.All || (p.Text == "") != (p.Scope == objects.All) {
		return objects.ErrInvalid
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	now := past{p, s.last, time.Now()}
	s.purges = append(s.purges, now)
	for key, v := range s.kept {
		switch {
		case v.born >= now.seq || !about(p, v.Object):
		case p.Soft:
			v.MarkStale(now.at)
		default:
			s.remove(key)
		}
	}
	if c := &s.stats.Purges[p.Scope]; p.Soft {
		c.Soft++
	} else {
		c.Hard++
	}
	return nil
}

// Mark implements objects.Storage.
func (s *Twin) Mark() objects.Mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == 0 {
		s.last = 1 // zero would be now
	}
	return s.last
}

// List implements objects.Storage.
func (s *Twin) List(_ context.Context, q objects.Query, limit int) ([]objects.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []objects.Info
	for key, v := range s.kept {
		if q.Matches(key, v.Host(), v.Tags()) && len(list) < limit {
			n, _ := v.Size()
			list = append(list, objects.Info{Key: key, Host: v.Host(), Tags: v.Tags(), Bytes: n, Stale: v.Stale(), Tier: "twin"})
		}
	}
	return list, nil
}

// Stats implements objects.Storage.
func (s *Twin) Stats() objects.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Objects = int64(len(s.kept))
	return st
}
