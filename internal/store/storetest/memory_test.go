package storetest_test

import (
	"errors"
	"testing"

	"github.com/asynched/api-gateway/internal/store"
	"github.com/asynched/api-gateway/internal/store/storetest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestMemory runs the suite on the model: it checks the suite as much as the model.
func TestMemory(t *testing.T) {
	places := make(map[string]*storetest.Memory)
	storetest.Run(t, storetest.Driver{Open: func(_ testing.TB, place string, history int) store.Store {
		if m := places[place]; m != nil {
			places[place] = m.Reopen()
		} else {
			places[place] = storetest.NewMemory(history)
		}
		return places[place]
	}})
}

func TestMemoryFails(t *testing.T) {
	m := storetest.NewMemory(0)
	defer func() { _ = m.Close() }()
	full := errors.New("full")
	m.Fail(full)
	txn := store.Txn{Then: []store.Op{store.Put("k", nil, 0)}}
	if _, err := m.Commit(t.Context(), txn); !errors.Is(err, full) {
		t.Errorf("Commit: %v, want the error that was set", err)
	}
	m.Fail(nil)
	if _, err := m.Commit(t.Context(), txn); err != nil {
		t.Errorf("Commit: %v", err)
	}
}
