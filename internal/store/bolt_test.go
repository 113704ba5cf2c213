package store_test

import (
	"path/filepath"
	"testing"

	"github.com/asynched/api-gateway/internal/store"
	"github.com/asynched/api-gateway/internal/store/storetest"
)

// open opens the store in dir and closes it in the end.
func open(t testing.TB, dir string, o store.Options) *store.Bolt {
	t.Helper()
	s, err := store.OpenBolt(filepath.Join(dir, "test.db"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestBolt(t *testing.T) {
	storetest.Run(t, storetest.Driver{Open: func(t testing.TB, place string, history int) store.Store {
		if history == 0 {
			history = 10_000
		}
		return open(t, place, store.Options{History: history})
	}})
}
