package store_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/store"
)

const (
	killWriters = 4
	killSlots   = 16
)

// TestKill kills a process in the middle of its writes, again and again. Every acknowledged write must be there when the
// store is opened the next time, each whole, and every opening must succeed. It kills 200 times, 20 with
// -short, or SALLYPORT_KILLS times.
func TestKill(t *testing.T) {
	kills := 200
	if testing.Short() {
		kills = 20
	}
	if n, err := strconv.Atoi(os.Getenv("SALLYPORT_KILLS")); err == nil {
		kills = n
	}
	var path string
	var model *killModel
	early, acks, begin := 0, 0, time.Now()
	for round := 0; round-early < kills; round++ {
		if round%20 == 0 { // a new file: making it can be interrupted, too
			path, model = filepath.Join(t.TempDir(), "new", "test.db"), newKillModel()
		}
		// Most kills come in the middle of writes; some on top of them while the file is made or opened.
		acked := killOne(t, path, round%8 != 0)
		if len(acked) == 0 {
			early++
		}
		acks += model.advance(t, path, acked)
		if t.Failed() {
			t.Fatalf("after kill %d", round+1)
		}
	}
	t.Logf("%d kills while writing, %d before, %d writes survived, %v", kills, early, acks, time.Since(begin))
}

// killOne runs a writer and kills it after a while, which begins with the process or with its first acknowledgement. It
// returns the last write of each writer that was acknowledged.
func killOne(t *testing.T, path string, writing bool) map[int]int {
	cmd := child("write", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if !writing {
		timer.Reset(rand.N(20 * time.Millisecond))
	}
	acked := make(map[int]int)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if writing && len(acked) == 0 {
			timer.Reset(rand.N(15 * time.Millisecond))
		}
		var w, n int
		if _, err := fmt.Sscanf(lines.Text(), "%d %d", &w, &n); err != nil {
			t.Errorf("the writer says %q", lines.Text())
			continue
		}
		acked[w] = n
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the writer was not killed: %v", err)
	}
	return acked
}

// childWrite writes as fast as it can, with several writers, and prints what was acknowledged.
func childWrite(path string) error {
	s, err := store.OpenBolt(path, store.Options{})
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for w := range killWriters {
		wg.Go(func() {
			n := 0
			if e, err := store.Find(context.Background(), s, fmt.Sprintf("last/%d", w)); err == nil {
				n, _ = strconv.Atoi(string(e.Value))
			}
			for {
				n++
				if _, err := s.Commit(context.Background(), store.Txn{Then: killOps(w, n)}); err != nil {
					fmt.Println(err)
					return
				}
				_, _ = fmt.Printf("%d %d\n", w, n)
			}
		})
	}
	wg.Wait()
	return nil
}

// killOps is write n of writer w: it touches keys far apart in the file, with values of very different sizes.
func killOps(w, n int) []store.Op {
	slot := n * 7 % killSlots
	a, b := fmt.Sprintf("a/%d/%d", w, slot), fmt.Sprintf("z/%d/%d", w, slot)
	last := store.Put(fmt.Sprintf("last/%d", w), []byte(strconv.Itoa(n)), 0)
	if n%5 == 4 {
		return []store.Op{store.Delete(a), last, store.Delete(b)}
	}
	value := bytes.Repeat([]byte(strconv.Itoa(n)+","), n*37%900)
	return []store.Op{store.Put(a, value, 0), last, store.Put(b, value, 0)}
}

// A killModel is what the store must hold.
type killModel struct {
	last    map[int]int
	content map[string]string
}

func newKillModel() *killModel { return &killModel{make(map[int]int), make(map[string]string)} }

// advance opens the store, applies to the model the writes that the store says it has, and compares everything.
func (m *killModel) advance(t *testing.T, path string, acked map[int]int) (writes int) {
	s, err := store.OpenBolt(path, store.Options{})
	if err != nil {
		t.Errorf("opening: %v", err)
		return 0
	}
	defer func() { _ = s.Close() }()
	for w := range killWriters {
		n := m.last[w]
		if e, err := store.Find(t.Context(), s, fmt.Sprintf("last/%d", w)); err == nil {
			n, _ = strconv.Atoi(string(e.Value))
		}
		// One more than was acknowledged may be there: it was on the disk, and the process died before it said so.
		if least := max(acked[w], m.last[w]); n < least || n > least+1 {
			t.Errorf("writer %d was told %d, the store has %d", w, least, n)
		}
		for i := m.last[w] + 1; i <= n; i++ {
			writes++
			for _, op := range killOps(w, i) {
				if m.content[op.Key] = string(op.Value); op.Delete {
					delete(m.content, op.Key)
				}
			}
		}
		m.last[w] = n
	}
	l, err := s.List(t.Context(), "")
	if err != nil {
		t.Error(err)
	}
	got := make(map[string]string)
	for _, e := range l.Entries {
		got[e.Key] = string(e.Value)
	}
	if !maps.Equal(got, m.content) {
		t.Errorf("the store does not hold what was written: %d entries, want %d", len(got), len(m.content))
	}
	return writes
}
