// Package objects is where a cache keeps what it has: objects with a key, metadata that it does not look into, tags and a
// body in pooled blocks. Memory and Disk are its tiers, Tiered joins them. It knows nothing of HTTP: what may be stored,
// for how long, and what a key is made of, is its user's business. Its main type is Storage; package objectstest is the
// suite that every storage passes.
package objects

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// What a call may come to. They are found with errors.Is, inside other errors.
var (
	// ErrNotFound: there is no such object, or none that can be read now.
	ErrNotFound = errors.New("object not found")
	// ErrConflict: the object has been replaced, removed or made meanwhile.
	ErrConflict = errors.New("object changed meanwhile")
	// ErrPurged: a purge came while the object was on its way.
	ErrPurged = errors.New("purged meanwhile")
	// ErrTooLarge: the object is over the limit for one object.
	ErrTooLarge = errors.New("object too large")
	// ErrNoRoom: the budget is taken by what is being written or read.
	ErrNoRoom = errors.New("no room for the object")
	// ErrDisk: the disk failed, is full, or is not used for a while since it was.
	ErrDisk = errors.New("cache disk failed")
	// ErrCorrupt: what the disk has is not what was written. The object is gone.
	ErrCorrupt = errors.New("object corrupt")
	// ErrTooSlow: a reader has fallen behind the end of what is kept of an object that is not stored.
	ErrTooSlow = errors.New("reader too slow")
	// ErrAborted: the writer gave up, without a reason of its own.
	ErrAborted = errors.New("object aborted")
	// ErrInvalid: the request breaks a limit below.
	ErrInvalid = errors.New("invalid object")
	// ErrClosed: the storage has been closed.
	ErrClosed = errors.New("storage is closed")
	// ErrLocked: another process has the directory.
	ErrLocked = errors.New("cache directory in use")
)

// What a storage accepts at least, and refuses beyond with ErrInvalid.
const (
	MaxKey  = 16 << 10 // bytes of a key, of a host, and of the text of a purge
	MaxTags = 64       // tags of an object
	MaxTag  = 256      // bytes of a tag
	MaxMeta = 1 << 20  // bytes of metadata, as its size is told and as it is encoded
)

// A Storage keeps objects until it needs the room, somebody purges them, or others take their place. It may forget any
// object at any time: it is a cache. Its methods may be called by many goroutines at once.
//
// Keys handed in may be reused once a call has returned. A storage that waits for a disk or the network returns the error
// of the context once that has ended; one in memory does not look at it.
type Storage interface {
	// Find returns the object with that key, or ErrNotFound, whatever the cause: a disk that fails is a miss. The caller
	// releases the object. Of an object that was softly purged, Stale says since when.
	Find(ctx context.Context, key []byte) (*Object, error)

	// Peek is Find for those who only look: it counts nothing, and the object neither stays longer for it nor moves.
	Peek(ctx context.Context, key []byte) (*Object, error)

	// Create begins an object; it can be found once its writer has committed it. Until then what is there under the key
	// stays. It fails with ErrInvalid only: where nothing can be stored, the writer still serves those who read along.
	Create(ctx context.Context, spec Spec) (*Writer, error)

	// Update gives an object new metadata, keeping its body, its tags and its host, if it is still the one under its key;
	// otherwise the error is ErrConflict. Those who hold the old object keep it as it was. Since is as in Spec; the new
	// object is stale only by purges since then.
	Update(ctx context.Context, old *Object, meta Meta, since Mark) error

	// Purge removes objects, or makes them stale. Once it has returned, nobody finds what was stored, or begun with an
	// earlier Mark, under that key, tag, host or prefix: also not after a restart. Its cost does not grow with the number
	// of objects; their room is given back in the background.
	Purge(ctx context.Context, p Purge) error

	// Mark tells where the storage stands in the order of purges.
	Mark() Mark

	// List returns at most limit of the objects that match, in no order. It looks at all there are.
	List(ctx context.Context, q Query, limit int) ([]Info, error)

	// Stats are the counts of now.
	Stats() Stats
}

// A Mark is a moment in the order of purges. Take one before asking the origin: an answer that was under way when a purge
// came may be of the time before it.
type Mark uint64

// Meta is what the user of a storage wants to know of an object. It is not changed by anybody once it is handed in.
type Meta struct {
	// Value is the user's own.
	Value any
	// Size is about how many bytes of memory Value takes.
	Size int
}

// A Codec writes metadata for storages that are not in memory. Its methods may be called by many goroutines at once.
type Codec interface {
	// Append appends the encoded value to data. An error means that the object is not stored.
	Append(data []byte, value any) ([]byte, error)
	// Decode is the reverse. An error means that the object is dropped. It must not keep data.
	Decode(data []byte) (Meta, error)
}

// A Spec says what is to be stored.
type Spec struct {
	// Key is 1 to MaxKey bytes. It is compared in full.
	Key []byte
	// Host is what Purge by host goes by.
	Host string
	// Tags are what Purge by tag goes by: at most MaxTags, of 1 to MaxTag bytes each.
	Tags []string
	// Meta is what readers get until the commit, and after it unless that brings another.
	Meta Meta
	// Size is the length of the body in bytes if it is known, otherwise less than 0. It is a hint.
	Size int64
	// Since is when the origin was asked. Zero is now.
	Since Mark
	// Absent makes the commit fail with ErrConflict if the key has an object by then.
	Absent bool
	// Through is how many of the first bytes of the key are the key of the object that this one is found through; zero for
	// none. Where this one is kept on disk, a copy of that is too, so that both are there after a restart.
	Through int
}

// check returns ErrInvalid for what breaks a limit.
func (s *Spec) check() error {
	if len(s.Key) == 0 || len(s.Key) > MaxKey || len(s.Host) > MaxKey || len(s.Tags) > MaxTags || !s.Meta.fits() {
		return ErrInvalid
	}
	if s.Through < 0 || s.Through >= len(s.Key) {
		return ErrInvalid
	}
	for _, tag := range s.Tags {
		if tag == "" || len(tag) > MaxTag {
			return ErrInvalid
		}
	}
	return nil
}

func (m *Meta) fits() bool { return m.Size >= 0 && m.Size <= MaxMeta }

// A Query says which objects to list: those that match all that is set. The zero value is all objects.
type Query struct {
	// Prefix is how keys begin.
	Prefix string
	// Host is that of the objects.
	Host string
	// Tags are those of which an object has one.
	Tags []string
}

// Matches reports whether the query is about an object with this key, host and tags.
func (q *Query) Matches(key, host string, tags []string) bool {
	return strings.HasPrefix(key, q.Prefix) && (q.Host == "" || q.Host == host) &&
		(len(q.Tags) == 0 || slices.ContainsFunc(q.Tags, func(tag string) bool { return slices.Contains(tags, tag) }))
}

// A Scope is what a purge goes by.
type Scope uint8

// The scopes of a purge.
const (
	ByKey    Scope = iota + 1 // the object with this key
	ByTag                     // objects with this tag
	ByHost                    // objects with this host
	ByPrefix                  // objects whose keys begin so
	All                       // everything; the text is empty
	scopes
)

// String returns the word for it in metrics.
func (s Scope) String() string {
	words := [...]string{"none", "key", "tag", "host", "prefix", "all"}
	if int(s) >= len(words) {
		return "unknown"
	}
	return words[s]
}

// A Purge says which objects are not to be served any more.
type Purge struct {
	Scope Scope
	// Text is the key, the tag, the host or the prefix.
	Text string
	// Soft leaves the objects, and marks them stale.
	Soft bool
}

// check returns ErrInvalid for a purge that names nothing.
func (p *Purge) check() error {
	switch {
	case p.Scope < ByKey || p.Scope > All, len(p.Text) > MaxKey, (p.Text == "") != (p.Scope == All):
		return ErrInvalid
	}
	return nil
}

// Info is one object of a listing.
type Info struct {
	Key, Host string
	Tags      []string
	// Bytes is the length of the body, Held how much of the budget the object takes.
	Bytes, Held int64
	// Stale is when the object was softly purged, zero if it was not.
	Stale time.Time
	// Tier is "memory", "disk" or the name of another storage.
	Tier string
}
