// Package objectstest is the suite that every storage of package objects passes, and a storage in a map for the tests of
// other rooms. It tests what the contract of objects.Storage promises and nothing of how a storage does it. Its main
// function is Run.
package objectstest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/asynched/api-gateway/internal/objects"
)

// Run runs the suite. Make opens an empty storage that keeps at least 16 MiB, runs it if it is to be run, and closes it
// when the test ends.
func Run(t *testing.T, make func(t *testing.T) objects.Storage) {
	for _, part := range []struct {
		name string
		test func(*testing.T, objects.Storage)
	}{
		{"find", testFind},
		{"sizes", testSizes},
		{"ranges", testRanges},
		{"abort", testAbort},
		{"replace", testReplace},
		{"invalid", testInvalid},
		{"keys are copied", testKeysAreCopied},
		{"final metadata", testFinalMeta},
		{"read along", testReadAlong},
		{"read along in vain", testReadAlongInVain},
		{"reader outlives object", testOutlive},
		{"reader ends waiting", testEndWaiting},
		{"absent", testAbsent},
		{"update", testUpdate},
		{"update under load", testUpdateUnderLoad},
		{"purge", testPurge},
		{"purge softly", testSoftPurge},
		{"purge what is on its way", testPurgeOnItsWay},
		{"purge since a mark", testPurgeSinceMark},
		{"purge under load", testPurgeUnderLoad},
		{"list", testList},
		{"peek", testPeek},
		{"twin", testTwin},
		{"load", testLoad},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, make(t)) })
	}
}

// Codec is that of the suite: metadata are strings.
type Codec struct{}

// Append implements objects.Codec.
func (Codec) Append(data []byte, value any) ([]byte, error) {
	text, ok := value.(string)
	if !ok {
		return nil, errors.New("not a string")
	}
	return append(data, text...), nil
}

// Decode implements objects.Codec.
func (Codec) Decode(data []byte) (objects.Meta, error) { return Meta(string(data)), nil }

// Meta returns metadata of the suite.
func Meta(text string) objects.Meta { return objects.Meta{Value: text, Size: len(text)} }

// Spec returns the spec of an object of unknown size, whose metadata are its key.
func Spec(key string, tags ...string) objects.Spec {
	return objects.Spec{Key: []byte(key), Host: "host.test", Tags: tags, Meta: Meta(key), Size: -1}
}

// Body returns n bytes, which are others for another seed.
func Body(seed, n int) []byte {
	body := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), 1})
	_, _ = r.Read(body)
	return body
}

// Put stores an object, in pieces, and fails the test if it is not stored.
func Put(t testing.TB, s objects.Storage, spec objects.Spec, body []byte) {
	t.Helper()
	if err := Try(t, s, spec, body); err != nil {
		t.Fatalf("commit of %.40q: %v", spec.Key, err)
	}
}

// Try stores an object, in pieces, and returns the error of the commit.
func Try(t testing.TB, s objects.Storage, spec objects.Spec, body []byte) error {
	t.Helper()
	w := begin(t, s, spec)
	for rest := range slices.Chunk(body, 10_000) {
		if n, err := w.Write(rest); n != len(rest) || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	return w.Commit(t.Context(), nil)
}

func begin(t testing.TB, s objects.Storage, spec objects.Spec) *objects.Writer {
	t.Helper()
	w, err := s.Create(t.Context(), spec)
	if err != nil {
		t.Fatalf("Create(%.40q): %v", spec.Key, err)
	}
	return w
}

// find finds an object until the test ends, nil if there is none.
func find(t testing.TB, s objects.Storage, key string) *objects.Object {
	t.Helper()
	o, err := s.Find(t.Context(), []byte(key))
	if errors.Is(err, objects.ErrNotFound) {
		return nil
	}
	if err != nil {
		t.Fatalf("Find(%.40q): %v", key, err)
	}
	t.Cleanup(o.Release)
	return o
}

// Read returns the body of an object, once by Read and once by WriteTo.
func Read(t testing.TB, o *objects.Object) []byte {
	t.Helper()
	r := o.Reader(context.Background(), 0, -1)
	defer func() { _ = r.Close() }()
	body, err := io.ReadAll(struct{ io.Reader }{&r})
	if err != nil {
		t.Errorf("reading %.40q: %v after %d bytes", o.Key(), err, len(body))
	}
	again := o.Reader(context.Background(), 0, -1)
	defer func() { _ = again.Close() }()
	var buffer bytes.Buffer
	if _, err := again.WriteTo(&buffer); err != nil || !bytes.Equal(buffer.Bytes(), body) {
		t.Errorf("reading %.40q another way: %v, %d bytes, want %d", o.Key(), err, buffer.Len(), len(body))
	}
	return body
}

// want asks for an object with that body, or for none if it is nil.
func want(t testing.TB, s objects.Storage, key string, body []byte) *objects.Object {
	t.Helper()
	o := find(t, s, key)
	switch {
	case o == nil && body != nil:
		t.Errorf("%.40q is not found", key)
	case o != nil && body == nil:
		t.Errorf("%.40q is found", key)
	case o != nil:
		if got := Read(t, o); !bytes.Equal(got, body) {
			t.Errorf("%.40q has another body, of %d bytes, want %d", key, len(got), len(body))
		}
	}
	return o
}

func purge(t testing.TB, s objects.Storage, p objects.Purge) {
	t.Helper()
	if err := s.Purge(t.Context(), p); err != nil {
		t.Fatalf("Purge(%+v): %v", p, err)
	}
}
