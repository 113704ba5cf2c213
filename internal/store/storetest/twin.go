package storetest

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/store"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// testTwin does random things to the driver and to Memory, and asks that both answer the same.
func testTwin(t *testing.T, d Driver) {
	rapid.Check(t, func(rt *rapid.T) {
		place, err := os.MkdirTemp(t.TempDir(), "twin")
		if err != nil {
			rt.Fatal(err)
		}
		w := &twins{
			ctx:       t.Context(),
			reopen:    func() store.Store { return d.Open(t, place, 0) },
			slow:      NewMemory(0),
			revisions: map[store.Revision]store.Revision{0: 0},
			leases:    map[store.LeaseID]store.LeaseID{0: 0},
		}
		w.fast = w.reopen()
		w.listed()
		defer func() { _, _ = w.fast.Close(), w.slow.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"commit":  w.commit,
			"commit ": w.commit, // twice as often
			"list":    w.list,
			"grant":   w.grant,
			"revoke":  w.revoke,
			"restart": w.restart,
			"":        func(rt *rapid.T) {},
		})
		w.list(rt)
		w.watch(rt)
	})
}

// twins are a driver, fast, and the model, slow. Their revisions and leases may differ in number: maps translate those
// of the model.
type twins struct {
	ctx       context.Context
	reopen    func() store.Store
	fast      store.Store
	slow      *Memory
	revisions map[store.Revision]store.Revision
	leases    map[store.LeaseID]store.LeaseID
	granted   []store.LeaseID // of the model
	// From here both have been watched.
	fastFrom, slowFrom store.Revision
	batches            int
}

func (w *twins) listed() {
	f, _ := w.fast.List(w.ctx, "")
	s, _ := w.slow.List(w.ctx, "")
	w.revisions[s.Revision] = f.Revision
	w.fastFrom, w.slowFrom, w.batches = f.Revision, s.Revision, 0
}

func drawKey(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "a/1", "a/2", "b", "b/1"}).Draw(rt, "key")
}

func (w *twins) drawLease(rt *rapid.T) store.LeaseID {
	if len(w.granted) == 0 || rapid.Bool().Draw(rt, "no lease") {
		return 0
	}
	return rapid.SampledFrom(w.granted).Draw(rt, "lease")
}

// drawTxn draws a transaction for the model and translates it for the driver.
func (w *twins) drawTxn(rt *rapid.T) (fast, slow store.Txn) {
	for range rapid.IntRange(0, 2).Draw(rt, "conditions") {
		c := store.Condition{Key: drawKey(rt)}
		if e, err := store.Find(w.ctx, w.slow, c.Key); err == nil && rapid.IntRange(0, 3).Draw(rt, "kind") > 0 {
			c.Revision = e.Modified
		}
		slow.If = append(slow.If, c)
		c.Revision = w.revisions[c.Revision]
		fast.If = append(fast.If, c)
	}
	for _, key := range rapid.SliceOfNDistinct(rapid.Custom(drawKey), 0, 3, rapid.ID).Draw(rt, "keys") {
		op := store.Op{Key: key, Delete: rapid.IntRange(0, 2).Draw(rt, "delete") == 0}
		if !op.Delete {
			op.Value, op.Lease = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "value"), w.drawLease(rt)
		}
		slow.Then = append(slow.Then, op)
		op.Lease = w.leases[op.Lease]
		fast.Then = append(fast.Then, op)
	}
	return fast, slow
}

func (w *twins) commit(rt *rapid.T) {
	fast, slow := w.drawTxn(rt)
	before := w.slow.Status().Revision
	rf, ef := w.fast.Commit(w.ctx, fast)
	rs, es := w.slow.Commit(w.ctx, slow)
	if !sameError(ef, es) {
		rt.Fatalf("Commit(%v): the driver says %v, the model %v", fast, ef, es)
	}
	if es == nil {
		w.revisions[rs] = rf
	}
	w.count(before)
}

// count notes whether the model made a batch.
func (w *twins) count(before store.Revision) {
	if w.slow.Status().Revision > before {
		w.batches++
	}
}

func (w *twins) list(rt *rapid.T) {
	prefix := rapid.SampledFrom([]string{"", "a", "a/", "b", "c"}).Draw(rt, "prefix")
	f, ef := w.fast.List(w.ctx, prefix)
	s, es := w.slow.List(w.ctx, prefix)
	if ef != nil || es != nil {
		rt.Fatal(ef, es)
	}
	for i := range s.Entries {
		w.translate(&s.Entries[i])
	}
	s.Revision = w.revisions[s.Revision]
	if diff := cmp.Diff(s, f, cmpopts.EquateEmpty()); diff != "" {
		rt.Fatalf("List(%q) (-model +driver):\n%s", prefix, diff)
	}
}

func (w *twins) translate(e *store.Entry) {
	e.Created, e.Modified, e.Lease = w.revisions[e.Created], w.revisions[e.Modified], w.leases[e.Lease]
}

func (w *twins) grant(rt *rapid.T) {
	f, ef := w.fast.Grant(w.ctx, time.Hour)
	s, es := w.slow.Grant(w.ctx, time.Hour)
	if ef != nil || es != nil {
		rt.Fatal(ef, es)
	}
	w.leases[s] = f
	w.granted = append(w.granted, s)
}

func (w *twins) revoke(rt *rapid.T) {
	if len(w.granted) == 0 {
		rt.Skip("no lease")
	}
	id := rapid.SampledFrom(w.granted).Draw(rt, "lease")
	before := w.slow.Status().Revision
	ef, es := w.fast.Revoke(w.ctx, w.leases[id]), w.slow.Revoke(w.ctx, id)
	if !sameError(ef, es) {
		rt.Fatalf("Revoke: the driver says %v, the model %v", ef, es)
	}
	w.revisions[w.slow.Status().Revision] = w.fast.Status().Revision
	w.count(before)
}

func (w *twins) restart(rt *rapid.T) {
	w.watch(rt)
	if err := w.fast.Close(); err != nil {
		rt.Fatal(err)
	}
	w.fast, w.slow = w.reopen(), w.slow.Reopen()
	w.listed()
}

// watch compares all that happened since the last restart.
func (w *twins) watch(rt *rapid.T) {
	f, ef := collect(w.ctx, w.fast, "", w.fastFrom, w.batches)
	s, es := collect(w.ctx, w.slow, "", w.slowFrom, w.batches)
	if ef != nil || es != nil {
		rt.Fatal(ef, es)
	}
	for i := range s {
		s[i].Revision = w.revisions[s[i].Revision]
		for j := range s[i].Events {
			w.translate(&s[i].Events[j].Entry)
		}
	}
	if diff := cmp.Diff(s, f, cmpopts.EquateEmpty()); diff != "" {
		rt.Fatalf("Watch (-model +driver):\n%s", diff)
	}
}

func sameError(a, b error) bool {
	for _, kind := range []error{store.ErrConflict, store.ErrNotFound, store.ErrInvalid} {
		if errors.Is(a, kind) != errors.Is(b, kind) {
			return false
		}
	}
	return (a == nil) == (b == nil)
}
