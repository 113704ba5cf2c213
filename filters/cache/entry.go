package cache

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"net/http"

	"github.com/asynched/api-gateway/internal/httpcache"
	"github.com/asynched/api-gateway/internal/objects"
)

// An entry is what the storage knows of an answer. It does not change.
type entry struct {
	meta *httpcache.Meta
	held httpcache.Held // of a part; the rest is told by the length of the body
}

// An index stands under the key of a URL whose answers vary, and tells under what keys those are. It does not change.
type index struct {
	// Generation is in the keys of the variants, so that a purge of the index is one of them too.
	Generation string
	// Sets are the names of fields that answers vary on, those of the latest first.
	Sets [][]string
	// Spoken are variants that a request may select by its language, whatever else it accepts.
	Spoken []spoken
}

// A spoken variant is one with a language.
type spoken struct {
	Vary httpcache.Vary
	Key  string // what its key has behind that of the index
}

// What an index holds at most: more variants than this are not found again.
const (
	maxSets   = 8
	maxSpoken = 64
)

// of returns what is held of the content of an answer, of which n bytes are there.
func (e *entry) of(n int64, complete bool) httpcache.Held {
	switch {
	case e.meta.Partial():
		return e.held
	case complete:
		return httpcache.WholeOf(n)
	}
	return httpcache.WholeOf(length(e.meta.Header))
}

// metaOf returns what a storage keeps beside a body.
func metaOf(value any) objects.Meta {
	const fixed = 700 // the structs themselves, and the map
	size := fixed
	switch v := value.(type) {
	case *entry:
		for name, lines := range v.meta.Header {
			size += len(name) + 64
			for _, line := range lines {
				size += len(line) + 16
			}
		}
		for _, text := range v.meta.Vary.Values {
			size += 2 * len(text)
		}
	case *index:
		for i := range v.Spoken {
			size += 200 + len(v.Spoken[i].Key)*3
		}
		size += 64 * len(v.Sets)
	}
	return objects.Meta{Value: value, Size: size}
}

// A record is an entry or an index as it is written to the disk.
type record struct {
	Meta  *httpcache.Meta
	Held  httpcache.Held
	Index *index
}

// Codec writes what this package keeps for storages on disk.
type Codec struct{}

var _ objects.Codec = Codec{}

// Append implements objects.Codec.
func (Codec) Append(data []byte, value any) ([]byte, error) {
	var r record
	switch v := value.(type) {
	case *entry:
		r = record{Meta: v.meta, Held: v.held}
	case *index:
		r = record{Index: v}
	default:
		return nil, fmt.Errorf("a %T is not kept", value)
	}
	b := bytes.NewBuffer(data)
	err := gob.NewEncoder(b).Encode(&r)
	return b.Bytes(), err
}

// Decode implements objects.Codec.
func (Codec) Decode(data []byte) (objects.Meta, error) {
	var r record
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&r); err != nil {
		return objects.Meta{}, err
	}
	switch {
	case r.Index != nil:
		return metaOf(r.Index), nil
	case r.Meta != nil:
		if r.Meta.Header == nil {
			r.Meta.Header = make(http.Header)
		}
		return metaOf(&entry{meta: r.Meta, held: r.Held}), nil
	}
	return objects.Meta{}, fmt.Errorf("there is neither an answer nor an index")
}
